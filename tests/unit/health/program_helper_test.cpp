// SPDX-License-Identifier: Apache-2.0
// What becomes of programs whose helper or daemon goes; what a helper refuses. What programs do by
// it: program_test.cpp.
#include "health/program_helper.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <thread>

#include "health/program_request.h"
#include "tests/unit/health/helper_thread.h"
#include "tests/unit/health/script_folder.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;

class ProgramHelper : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, as the scripts' folder does";
        folder_ = std::make_unique<testing::ScriptFolder>();
        path_ = folder_->file("helper");
        use_helper(path_);
    }
    void TearDown() override { use_helper(""); }

    Result<Process> start(const std::string& body) {
        return start_process({folder_->script("program.sh", body)}, {"PATH=/usr/bin:/bin"},
                             {"root", 0, 0, {0}});
    }
    // The first line that it prints, as a number.
    static pid_t number_from(const Process& process) {
        std::string text;
        for (int i = 0; i < 2000 && text.find('\n') == std::string::npos; ++i) {
            std::array<char, 64> chunk{};
            const ssize_t got = ::read(process.output.get(), chunk.data(), chunk.size());
            if (got > 0) text.append(chunk.data(), static_cast<std::size_t>(got));
            if (got < 0) std::this_thread::sleep_for(10ms);
            if (got == 0) break;
        }
        return text.empty() ? 0 : static_cast<pid_t>(std::stol(text));
    }
    static bool ends(pid_t pid) {
        for (int i = 0; i < 2000; ++i, std::this_thread::sleep_for(10ms))
            if (::kill(pid, 0) != 0) return true;
        return false;
    }
    Descriptor connect() const {
        Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(
            ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
            0);
        return socket;
    }

    std::unique_ptr<testing::ScriptFolder> folder_;
    std::string path_;
};

TEST_F(ProgramHelper, WhereThereIsNoneThatIsSaid) {
    const auto process = start("exit 0");
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().text(), "helper, " + path_ + ": No such file or directory");
}

TEST_F(ProgramHelper, WithTheDaemonGoneItsProgramIsKilled) {
    const testing::HelperThread helper(path_);
    pid_t pid = 0;
    {
        const auto process = start("trap '' TERM HUP; echo $$; sleep 1000");
        ASSERT_TRUE(process) << process.error().text();
        pid = number_from(*process);
        ASSERT_GT(pid, 0);
        EXPECT_EQ(::kill(pid, 0), 0);
    }  // as when the daemon dies: its end of the connection is closed
    EXPECT_TRUE(ends(pid));
}

TEST_F(ProgramHelper, WithTheHelperGoneTheProgramIsAndNobodyKnowsHow) {
    auto helper = std::make_unique<testing::HelperThread>(path_);
    const auto process = start("echo $$; exec sleep 1000");
    ASSERT_TRUE(process) << process.error().text();
    const pid_t pid = number_from(*process);
    ASSERT_GT(pid, 0);
    EXPECT_FALSE(process->has_ended());
    EXPECT_EQ(process->reap(), std::nullopt);
    helper.reset();
    EXPECT_TRUE(ends(pid));
    ASSERT_TRUE(process->has_ended());
    const auto end = process->reap();
    ASSERT_TRUE(end);
    EXPECT_EQ(end->exit_code, std::nullopt);
    EXPECT_EQ(end->signal, 0);
}

TEST_F(ProgramHelper, NonsenseEndsItsConnectionAndNothingElse) {
    const testing::HelperThread helper(path_);
    const Descriptor socket = connect();
    ASSERT_EQ(::send(socket.get(), "nonsense", 8, MSG_NOSIGNAL), 8);
    std::array<char, 8> answer{};
    EXPECT_EQ(::recv(socket.get(), answer.data(), answer.size(), 0), 0);
    const auto process = start("exit 0");
    ASSERT_TRUE(process);
    pollfd polled{process->pidfd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&polled, 1, 20'000), 1);
    EXPECT_EQ(process->reap()->exit_code, 0);
}

TEST_F(ProgramHelper, ARequestThatIsCutAnywhereIsNone) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    const Descriptor here(ends[0]);
    const Descriptor there(ends[1]);
    auto output = make_program_pipe();
    auto report = make_program_pipe();
    ASSERT_TRUE(output && report);
    const ProgramRequest sent{{"/bin/x", "", "two words"},
                              {"A=b"},
                              {"", 7, 8, {8, 9}},
                              std::move(output->to),
                              std::move(report->to)};
    ASSERT_TRUE(send_request(here.get(), sent));
    std::string text(4096, '\0');
    const ssize_t size = ::recv(there.get(), text.data(), text.size(), MSG_PEEK);
    ASSERT_GT(size, 0);
    const auto whole = receive_request(there.get());
    ASSERT_TRUE(whole) << whole.error().text();
    EXPECT_EQ(whole->command, sent.command);
    EXPECT_EQ(whole->environment, sent.environment);
    EXPECT_EQ(whole->user.uid, 7u);
    EXPECT_EQ(whole->user.gid, 8u);
    EXPECT_EQ(whole->user.groups, sent.user.groups);
    for (ssize_t length = 0; length <= size; ++length) {
        // Without descriptors not even the whole is a request.
        ASSERT_EQ(::send(here.get(), text.data(), static_cast<std::size_t>(length), MSG_NOSIGNAL),
                  length);
        EXPECT_FALSE(receive_request(there.get())) << length;
    }
}

// In a thread of its own, so that this one stays as it is.
template <class Act>
auto in_thread(Act act) {
    decltype(act()) result{};
    std::thread([&] { result = act(); }).join();
    return result;
}

int fifo_by_itself() {
    sched_param wanted{};
    wanted.sched_priority = 5;
    return ::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &wanted);
}

TEST_F(ProgramHelper, GivesThreadsTheirPriority) {
    const testing::HelperThread helper(path_);
    // What this process may not do the helper, which is this process here, may not either.
    const bool may = in_thread(fifo_by_itself) == 0;
    const int policy = in_thread([&] {
        EXPECT_EQ(ask_helper_for_priority(::gettid(), 5), may);
        return ::sched_getscheduler(0);
    });
    EXPECT_EQ(policy, may ? SCHED_FIFO | SCHED_RESET_ON_FORK : SCHED_OTHER);
}

TEST_F(ProgramHelper, GivesNoPriorityAboveTheDaemonsNorToOthers) {
    const testing::HelperThread helper(path_);
    EXPECT_FALSE(in_thread([] { return ask_helper_for_priority(::gettid(), 21); }));
    EXPECT_FALSE(in_thread([] { return ask_helper_for_priority(::gettid(), 0); }));
    const int before = ::sched_getscheduler(1);
    EXPECT_FALSE(ask_helper_for_priority(1, 5)) << "that is init";
    EXPECT_EQ(::sched_getscheduler(1), before);
}

TEST_F(ProgramHelper, WithoutOneThereIsNoPriority) {
    EXPECT_FALSE(ask_helper_for_priority(::gettid(), 5));
}

TEST_F(ProgramHelper, WhatIsTooLongIsRefusedHere) {
    const testing::HelperThread helper(path_);
    const auto process =
        start_process({"/bin/true", std::string(70'000, 'x')}, {}, {"root", 0, 0, {0}});
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().text(), "its command and environment are too long");
}

}  // namespace
}  // namespace bascule::health
