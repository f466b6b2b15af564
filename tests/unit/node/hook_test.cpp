// SPDX-License-Identifier: Apache-2.0
#include "node/hook.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>

#include "tests/unit/health/script_folder.h"

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using Kind = Event::Kind;

class HookTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, for programs that are root's alone";
        folder_ = std::make_unique<bascule::testing::ScriptFolder>();
    }

    // As root, so that it can write its log; which `$LOG` is in the script.
    void use(const std::string& body, std::chrono::milliseconds timeout = 20s) {
        model::HookConfig config;
        config.program.user = "root";
        config.timeout = timeout;
        config.program.command = {
            folder_->script("hook.sh", "LOG=" + folder_->file("log") + "\n" + body)};
        hook_->set_config(config, "node1");
    }

    void tell(Kind kind, const std::string& subject, const std::string& text = "why") {
        hook_->on({++serial_, std::chrono::system_clock::now(), kind, subject, text});
    }

    bool until(const std::function<bool()>& done) {
        for (const auto end = std::chrono::steady_clock::now() + 30s; !done();
             io_.restart(), io_.run_for(10ms))
            if (std::chrono::steady_clock::now() > end) return false;
        return true;
    }

    std::string log() {
        std::ostringstream out;
        out << std::ifstream(folder_->file("log")).rdbuf();
        return out.str();
    }

    boost::asio::io_context io_;
    std::unique_ptr<Hook> hook_ = std::make_unique<Hook>(io_);
    std::unique_ptr<bascule::testing::ScriptFolder> folder_;
    std::uint64_t serial_ = 0;
};

TEST_F(HookTest, RunsOnceAnEventInOrderWithWhatHasHappened) {
    use("echo \"$BASCULE_SERIAL|$BASCULE_EVENT|$BASCULE_SUBJECT|$BASCULE_SERVICE|"
        "$BASCULE_BACKEND|$BASCULE_TEXT|$BASCULE_NODE\" >> $LOG");
    tell(Kind::backend_down, "web/be1", "connection refused by 10.9.0.21 (RST); $(reboot) `x` 'y'");
    tell(Kind::service_down, "web");
    tell(Kind::operator_word, "web/be1");
    tell(Kind::reload, "");
    tell(Kind::vip_given_up, "10.9.0.100");
    tell(Kind::backend_held, "web/10.9.0.22:80");
    EXPECT_TRUE(until([&] { return hook_->runs() == 4; }));
    EXPECT_EQ(log(),
              "1|backend_down|web/be1|web|be1|connection refused by 10.9.0.21 (RST); $(reboot) `x` "
              "'y'|node1\n"
              "2|service_down|web|web||why|node1\n"
              "5|vip_given_up|10.9.0.100|||why|node1\n"
              "6|backend_held|web/10.9.0.22:80|web|10.9.0.22:80|why|node1\n");
    EXPECT_EQ(hook_->failures(), 0u);
}

TEST_F(HookTest, OneAtATime) {
    use("mkdir $LOG.lock || echo two >> $LOG; sleep 0.05; rmdir $LOG.lock; echo one >> $LOG");
    for (int i = 0; i < 5; ++i)
        tell(Kind::backend_up, "web/be1");
    EXPECT_TRUE(until([&] { return hook_->runs() == 5; }));
    EXPECT_EQ(log(), "one\none\none\none\none\n");
}

TEST_F(HookTest, NeverRunsInsideTheCall) {
    use("echo ran >> $LOG");
    tell(Kind::backend_up, "web/be1");
    EXPECT_EQ(hook_->waiting(), 1u);
    EXPECT_EQ(log(), "");
    EXPECT_TRUE(until([&] { return hook_->runs() == 1; }));
    // And again once it has become idle.
    tell(Kind::backend_up, "web/be1");
    EXPECT_TRUE(until([&] { return hook_->runs() == 2; }));
}

TEST_F(HookTest, OfTooManyTheOldestIsDropped) {
    use("echo $BASCULE_SERIAL >> $LOG");
    for (std::size_t i = 0; i < Hook::most_waiting + 10; ++i)
        tell(Kind::backend_up, "web/be1");
    EXPECT_EQ(hook_->waiting(), Hook::most_waiting);
    EXPECT_EQ(hook_->dropped(), 10u);
    EXPECT_TRUE(until([&] { return hook_->runs() >= 3; }));
    EXPECT_EQ(log().substr(0, 9), "11\n12\n13\n");
}

TEST_F(HookTest, FailuresAreCountedAndDoNotStopIt) {
    use("exit $BASCULE_SERIAL");
    for (int i = 0; i < 3; ++i)
        tell(Kind::backend_up, "web/be1");
    EXPECT_TRUE(until([&] { return hook_->runs() == 3; }));
    EXPECT_EQ(hook_->failures(), 3u);
    ::chmod(folder_->file("hook.sh").c_str(), 0777);
    tell(Kind::backend_up, "web/be1");
    EXPECT_TRUE(until([&] { return hook_->failures() == 4; }));
}

TEST_F(HookTest, IsKilledInTime) {
    use("trap '' TERM; [ $BASCULE_SERIAL = 1 ] && sleep 1000; echo $BASCULE_SERIAL >> $LOG",
        1500ms);
    tell(Kind::backend_up, "web/be1");
    tell(Kind::backend_up, "web/be1");
    EXPECT_TRUE(until([&] { return hook_->runs() == 2; }));
    EXPECT_GE(hook_->failures(), 1u);
    EXPECT_EQ(log(), "2\n");
}

TEST_F(HookTest, WithoutACommandNothingIsKept) {
    tell(Kind::backend_up, "web/be1");
    EXPECT_EQ(hook_->waiting(), 0u);
    use("exit 0");
    tell(Kind::backend_up, "web/be1");
    hook_->set_config({}, "node1");
    EXPECT_EQ(hook_->waiting(), 0u);
    io_.run_for(50ms);
    EXPECT_EQ(hook_->runs(), 0u);
}

TEST_F(HookTest, ItsEndIsTheProgramsEnd) {
    use("echo $$ >> $LOG; exec sleep 1000");
    tell(Kind::backend_up, "web/be1");
    tell(Kind::backend_up, "web/be1");
    EXPECT_TRUE(until([&] { return log().ends_with('\n'); }));
    const auto pid = static_cast<pid_t>(std::stol(log()));
    hook_.reset();
    EXPECT_TRUE(until([&] { return ::kill(pid, 0) != 0; }));
}

}  // namespace
}  // namespace bascule::node
