// SPDX-License-Identifier: Apache-2.0
// Real programs, run as others: what they are given, and that nothing of them stays. Each case
// twice: started by the daemon itself, and by its helper.
#include "health/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fstream>
#include <memory>
#include <thread>

#include "health/program_helper.h"
#include "health/program_slots.h"
#include "tests/unit/health/await_result.h"
#include "tests/unit/health/helper_thread.h"
#include "tests/unit/health/script_folder.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class Program : public ::testing::TestWithParam<bool> {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
        folder_ = std::make_unique<testing::ScriptFolder>();
        if (!GetParam()) return;
        helper_ = std::make_unique<testing::HelperThread>(folder_->file("helper"));
        use_helper(folder_->file("helper"));
    }
    void TearDown() override { use_helper(""); }

    model::ProgramConfig shell(const std::string& body, const std::string& user = "nobody") {
        model::ProgramConfig program;
        program.command = {folder_->script("program.sh", body), "first word", "$second"};
        program.user = user;
        return program;
    }

    Result<ProgramEnd> run(const model::ProgramConfig& program, Clock::duration time = 20s,
                           const std::vector<std::string>& environment = {}) {
        return testing::await_result(io_,
                                     run_program(io_, program, environment, Clock::now() + time));
    }

    std::string output_of(const std::string& body, const std::string& user = "nobody") {
        const auto end = run(shell(body, user), 20s, {"BASCULE_TEST=a b"});
        if (!end) return "error: " + end.error().text();
        EXPECT_FALSE(end->timed_out);
        EXPECT_EQ(end->exit_code, 0);
        return end->output;
    }

    // Lets what is done in the background end.
    bool until(const std::function<bool()>& done) {
        for (const auto end = Clock::now() + 20s; !done(); io_.restart(), io_.run_for(10ms))
            if (Clock::now() > end) return false;
        return true;
    }

    std::size_t slots_used() { return boost::asio::use_service<ProgramSlots>(io_).used(); }

    const std::vector<std::string> none_;  // an environment has to stay for as long as a run
    boost::asio::io_context io_;
    std::unique_ptr<testing::ScriptFolder> folder_;
    std::unique_ptr<testing::HelperThread> helper_;
};

INSTANTIATE_TEST_SUITE_P(ByHelper, Program, ::testing::Bool());

bool is_alive(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(status, line);
    const auto state = line.rfind(')');
    return state != line.npos && line[state + 2] != 'Z' && line[state + 2] != 'X';
}

TEST_P(Program, TellsItsExitCodeAndOutput) {
    const auto end = run(shell("echo good; echo bad >&2; exit 7"));
    ASSERT_TRUE(end) << end.error().text();
    EXPECT_FALSE(end->timed_out);
    EXPECT_EQ(end->exit_code, 7);
    EXPECT_EQ(end->output, "good\nbad\n");
}

TEST_P(Program, TellsItsSignal) {
    const auto end = run(shell("kill -SEGV $$"));
    ASSERT_TRUE(end) << end.error().text();
    EXPECT_EQ(end->exit_code, std::nullopt);
    EXPECT_EQ(end->signal, SIGSEGV);
}

TEST_P(Program, ArgumentsAreNotReadByAShell) {
    EXPECT_EQ(output_of("printf '%s|' \"$@\""), "first word|$second|");
}

TEST_P(Program, HasTheEnvironmentThatIsGivenAndNoOther) {
    ::setenv("BASCULE_SECRET", "1", 1);
    EXPECT_EQ(output_of("/usr/bin/env | sort"),
              "BASCULE_TEST=a b\n"
              "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
              "PWD=/\n");  // the shell's own
}

TEST_P(Program, IsItsUserAndNothingElse) {
    EXPECT_EQ(output_of("grep -E '^(Uid|Gid|Groups|CapPrm|CapEff|CapAmb|NoNewPrivs)' "
                        "/proc/self/status | tr '\\t' ' '"),
              "Uid: 65534 65534 65534 65534\n"
              "Gid: 65534 65534 65534 65534\n"
              "Groups: 65534 \n"
              "CapPrm: 0000000000000000\n"
              "CapEff: 0000000000000000\n"
              "CapAmb: 0000000000000000\n"
              "NoNewPrivs: 1\n");
    EXPECT_EQ(output_of("id -u", "root"), "0\n");
}

TEST_P(Program, InheritsNoDescriptor) {
    const int leaky = ::open("/etc/shadow", O_RDONLY);  // without O_CLOEXEC
    EXPECT_EQ(output_of("cd /proc/self/fd; for fd in *; do readlink $fd; done | "
                        "sed 's/:.*//' | sort -u"),
              "/dev/null\n" + folder_->file("program.sh") + "\npipe\n");  // the shell reads it
    ::close(leaky);
}

TEST_P(Program, HasUsualSignalsAndASessionOfItsOwn) {
    const auto before = ::signal(SIGPIPE, SIG_IGN);
    sigset_t blocked;
    sigset_t mask;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &mask);
    EXPECT_EQ(output_of("grep -E '^Sig(Blk|Ign)' /proc/$$/status | tr '\\t' ' '"),
              "SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n");
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    ::signal(SIGPIPE, before);
    // pid, group and session are one.
    EXPECT_EQ(output_of("set -- $(cat /proc/$$/stat); echo $(($5 == $$ && $6 == $$)); pwd"),
              "1\n/\n");
}

TEST_P(Program, ReadsAnEmptyInput) {
    EXPECT_EQ(output_of("cat; echo over"), "over\n");
}

TEST_P(Program, IsKilledAtTheDeadlineEvenIfItWouldNotGo) {
    const auto program = shell("trap '' TERM INT HUP; echo $$; while :; do sleep 1; done");
    const auto end = run(program, 500ms);
    ASSERT_TRUE(end) << end.error().text();
    EXPECT_TRUE(end->timed_out);
    const auto pid = static_cast<pid_t>(std::stol(end->output));
    EXPECT_TRUE(until([&] { return !is_alive(pid) && slots_used() == 0; }));
    EXPECT_TRUE(until([&] { return ::kill(pid, 0) != 0; })) << "it stays a zombie";
}

TEST_P(Program, ItsChildrenAreKilledWithIt) {
    // They keep the pipe open, and are children of children.
    const auto end = run(shell("(sleep 1000 & echo $!; sleep 1000) & echo $!; wait"), 500ms);
    ASSERT_TRUE(end) << end.error().text();
    EXPECT_TRUE(end->timed_out);
    std::istringstream pids(end->output);
    int count = 0;
    for (pid_t pid = 0; pids >> pid; ++count)
        EXPECT_TRUE(until([&] { return !is_alive(pid); })) << pid;
    EXPECT_EQ(count, 2);
}

TEST_P(Program, EndsWithItsFirstProcessAndTakesTheOthersAlong) {
    const auto start = Clock::now();
    const auto end = run(shell("sleep 1000 & echo $!; exit 3"), 60s);
    ASSERT_TRUE(end) << end.error().text();
    EXPECT_LT(Clock::now() - start, 50s);
    EXPECT_EQ(end->exit_code, 3);
    const auto pid = static_cast<pid_t>(std::stol(end->output));
    EXPECT_TRUE(until([&] { return !is_alive(pid); }));
}

TEST_P(Program, OfMuchOutputTheBeginningIsKept) {
    const auto end = run(shell("head -c 3000000 /dev/zero | tr '\\0' x; exit 5"));
    ASSERT_TRUE(end) << end.error().text();
    EXPECT_EQ(end->output, std::string(4096, 'x'));
    EXPECT_EQ(end->exit_code, 5);  // it was read to the end, or the pipe would have stopped it
}

TEST_P(Program, EndlessOutputCostsLittle) {
    const auto end = run(shell("exec yes"), 1s);
    ASSERT_TRUE(end) << end.error().text();
    EXPECT_TRUE(end->timed_out);
    EXPECT_EQ(end->output.size(), 4096u);
}

TEST_P(Program, ClosedOutputIsNoEnd) {
    const auto end = run(shell("exec >&- 2>&-; sleep 0.3; exit 4"));
    ASSERT_TRUE(end) << end.error().text();
    EXPECT_EQ(end->exit_code, 4);
}

TEST_P(Program, WhatCannotBeExecutedSaysWhy) {
    auto program = shell("exit 0");
    std::ofstream(program.command.front()) << "#!/no/such/shell\n";
    const auto end = run(program);
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().text(),
              program.command.front() + ": cannot execute it: No such file or directory");
    EXPECT_TRUE(until([&] { return slots_used() == 0; }));
}

TEST_P(Program, IsLookedAtBeforeEachRun) {
    auto program = shell("echo ran");
    EXPECT_TRUE(run(program));
    ::chmod(program.command.front().c_str(), 0777);
    const auto end = run(program);
    ASSERT_FALSE(end);
    EXPECT_NE(end.error().text().find("writable for others"), std::string::npos);
}

TEST_P(Program, NotMoreThanSomeAtOnce) {
    const auto program = shell("echo x >> " + folder_->file("log") + "; sleep 1000", "root");
    std::size_t ended = 0;
    std::size_t refused = 0;
    for (std::size_t i = 0; i < ProgramSlots::most + 5; ++i)
        boost::asio::co_spawn(
            io_,
            run_program(io_, program, none_, Clock::now() + (i < ProgramSlots::most ? 4s : 1s)),
            [&](std::exception_ptr, const Result<ProgramEnd>& end) {
                ++ended;
                if (end) return;
                ++refused;
                EXPECT_EQ(end.error().text(),
                          "not started: 64 programs ran already, and none of "
                          "them ended in time");
            });
    EXPECT_TRUE(until([&] { return ended == ProgramSlots::most + 5 && slots_used() == 0; }));
    EXPECT_EQ(refused, 5u);
}

TEST_P(Program, WaitingOnesTakeTheirTurn) {
    const auto program = shell("sleep 0.1; exit 9", "root");
    std::size_t good = 0;
    const std::size_t all = ProgramSlots::most * 2;
    for (std::size_t i = 0; i < all; ++i)
        boost::asio::co_spawn(io_, run_program(io_, program, none_, Clock::now() + 60s),
                              [&](std::exception_ptr, const Result<ProgramEnd>& end) {
                                  good += end && end->exit_code == 9;
                              });
    EXPECT_TRUE(until([&] { return good == all; })) << good;
    EXPECT_EQ(slots_used(), 0u);
}

TEST_P(Program, CancellationKillsIt) {
    const auto program = shell("echo $$ > " + folder_->file("pid") + "; exec sleep 1000", "root");
    boost::asio::cancellation_signal signal;
    bool over = false;
    boost::asio::co_spawn(
        io_, run_program(io_, program, none_, Clock::now() + 1000s),
        boost::asio::bind_cancellation_slot(
            signal.slot(), [&](std::exception_ptr, const Result<ProgramEnd>&) { over = true; }));
    pid_t pid = 0;
    EXPECT_TRUE(until([&] { return bool(std::ifstream(folder_->file("pid")) >> pid); }));
    signal.emit(boost::asio::cancellation_type::terminal);
    EXPECT_TRUE(until([&] { return over && !is_alive(pid) && slots_used() == 0; }));
}

TEST_P(Program, TheEndOfEverythingKillsIt) {
    const auto program = shell("echo $$ > " + folder_->file("pid") + "; exec sleep 1000", "root");
    pid_t pid = 0;
    {
        boost::asio::io_context own;
        boost::asio::co_spawn(own, run_program(own, program, none_, Clock::now() + 1000s),
                              [](std::exception_ptr, const Result<ProgramEnd>&) {});
        for (int i = 0; i < 2000 && !(std::ifstream(folder_->file("pid")) >> pid); ++i)
            own.run_for(10ms);
    }
    ASSERT_GT(pid, 0);
    EXPECT_TRUE(until([&] { return !is_alive(pid); }));
}

// Of the helper it is not asked: it serves its own user alone.
using ProgramByDaemon = Program;
INSTANTIATE_TEST_SUITE_P(Alone, ProgramByDaemon, ::testing::Values(false));

TEST_P(ProgramByDaemon, NeedsRootToBecomeAnother) {
    const auto program = shell("id -u");
    ASSERT_EQ(::seteuid(65534), 0);
    const auto own = run(program);
    auto roots = program;
    roots.user = "root";
    const auto other = run(roots);
    ASSERT_EQ(::seteuid(0), 0);
    ASSERT_TRUE(own) << own.error().text();
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().text().find("only root can run a program as \"root\", and this "
                                        "daemon is not root"),
              std::string::npos)
        << other.error().text();
}

}  // namespace
}  // namespace bascule::health
