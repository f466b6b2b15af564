// SPDX-License-Identifier: Apache-2.0
// The command against canned answers: see canned_daemon.h for what stands in for the daemon.
#include <sys/stat.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "command.h"

namespace bascule::control {
namespace {

const std::vector<Words> kQuestions = {{"status"},
                                       {"status", "--all"},
                                       {"show", "services"},
                                       {"show", "backends"},
                                       {"show", "backends", "--detail"},
                                       {"show", "sessions"},
                                       {"show", "drops"},
                                       {"show", "health"},
                                       {"show", "health", "--history"},
                                       {"show", "health", "web/web2"},
                                       {"events"},
                                       {"drain", "web2"},
                                       {"disable", "web2"},
                                       {"enable", "web2"},
                                       {"enable", "down"},
                                       {"weight", "web1", "50"},
                                       {"reload"},
                                       {"show", "peers"},
                                       {"show", "vips"},
                                       {"show", "vips", "--detail"},
                                       {"failover"},
                                       {"detach"}};

TEST_F(Command, ItKeepsToTheWidthOfTheTerminal) {
    for (bool degraded : {false, true}) {
        RunningServer server(options(), canned(degraded));
        for (const auto& words : kQuestions) {
            for (const auto& line : plain_lines(run_on_terminal(words, 100).out)) {
                EXPECT_LE(line.size(), 100U) << words.back() << ": " << line;
            }
        }
    }
}

TEST_F(Command, AWideTerminalAndAPipeShowEverything) {
    RunningServer server(options(), canned(false));
    for (const std::string& text :
         {run({"show", "backends"}).out, run_on_terminal({"show", "backends"}, 200).out}) {
        EXPECT_TRUE(has(text, "a-service-with-a-long-name")) << text;
        EXPECT_TRUE(has(text, "PACKETS"));
        EXPECT_FALSE(has(text, "no room"));
    }
}

TEST_F(Command, ColoursAreForTerminalsAlone) {
    RunningServer server(options(), canned(false));
    EXPECT_TRUE(has(run_on_terminal({"status"}, 100).out, "\x1b[32m"));
    EXPECT_FALSE(has(run({"status"}).out, "\x1b"));
    ::setenv("NO_COLOR", "1", 1);
    EXPECT_FALSE(has(run_on_terminal({"status"}, 100).out, "\x1b"));
    ::unsetenv("NO_COLOR");
}

TEST_F(Command, EveryAnswerHasItsJson) {
    RunningServer server(options(), canned(false));
    for (const auto& words : kQuestions) {
        json document = run_json(words, 0);
        EXPECT_EQ(document["ok"], true);
        std::string command = words[0] == "show" ? "show " + words[1] : words[0];
        EXPECT_EQ(document["command"], command);
    }
}

TEST_F(Command, StatusIsFourWhenDegraded) {
    RunningServer server(options(), canned(true));
    Ended result = run({"status"});
    EXPECT_EQ(result.code, 4);
    EXPECT_TRUE(result.out.starts_with("lb1  DEGRADED: 2 problems")) << result.out;
    EXPECT_TRUE(has(result.out, "eth1  XDP NOT ATTACHED"));
    EXPECT_TRUE(has(result.out, "did you mean 'weight'?"));
    json document = run_json({"status"}, 4);
    EXPECT_EQ(document["ok"], true);
    EXPECT_EQ(document["degraded"], true);
    EXPECT_EQ(document["degradations"].size(), 2U);
    EXPECT_EQ(document["degradations"][1]["mend"], nullptr);
    EXPECT_EQ(document["interfaces"][1]["mode"], nullptr);
    EXPECT_EQ(document["config"]["last_reload"]["details"].size(), 2U);
}

TEST_F(Command, StatusIsZeroWhenWell) {
    RunningServer server(options(), canned(false));
    Ended result = run({"status"});
    EXPECT_EQ(result.code, 0);
    EXPECT_TRUE(result.out.starts_with("lb1  all is well  basculed 0.1.0, pid 812, up 3d 4h\n"));
    EXPECT_FALSE(has(result.out, "duplicates"));
    EXPECT_TRUE(has(result.out,
                    "  i far: packets over 1480 bytes do not fit the tunnel\n"
                    "    -> mss_clamp = 1440\n"));
    EXPECT_EQ(run_json({"status"}, 0)["notices"][0]["mend"], "mss_clamp = 1440");
    EXPECT_TRUE(has(run({"status", "--all"}).out, "duplicates"));
}

TEST_F(Command, NumbersAreExactInJsonAndShortInText) {
    RunningServer server(options(), canned(false));
    json backend = run_json({"show", "backends"}, 0)["backends"][0];
    EXPECT_EQ(backend["id"], "web/web1");
    EXPECT_EQ(backend["traffic"]["packets"], 123'456'789);
    EXPECT_EQ(backend["operator"], nullptr);
    std::string text = run({"show", "backends"}).out;
    EXPECT_TRUE(has(text, "123M")) << text;
    EXPECT_TRUE(has(text, "92.0 GiB"));
    EXPECT_TRUE(has(text, "33.3%"));
}

TEST_F(Command, TheOperatorsWordStandsBesideTheFile) {
    RunningServer server(options(), canned(false));
    EXPECT_TRUE(has(run({"show", "backends"}).out,
                    "\nweb/web2: by the operator: drained (file: weight 100)\n"));
    json word = run_json({"show", "backends"}, 0)["backends"][1]["operator"];
    EXPECT_EQ(word["drained"], true);
    EXPECT_EQ(word["weight"], nullptr);
    EXPECT_TRUE(has(run({"weight", "web1", "50"}).out, "weight 50 by the operator: weight 50"));
    EXPECT_TRUE(has(run({"weight", "web1", "--reset"}).out, "weight 100 (as the file has it)"));
}

TEST_F(Command, FiltersReachTheDaemon) {
    RunningServer server(options(), canned(false));
    json sessions =
        run_json({"show", "sessions", "--service", "dns", "--state", "closing"}, 0)["sessions"];
    EXPECT_EQ(sessions[0]["service"], "dns");
    EXPECT_EQ(sessions[0]["state"], "closing");
    EXPECT_EQ(sessions[2]["backend"], nullptr);
    EXPECT_TRUE(has(run({"show", "sessions"}).out, "3 of 12.3k sessions that match"));
}

TEST_F(Command, ARefusalIsOneWithItsDetails) {
    RunningServer server(options(), canned(true));
    Ended result = run({"drain", "web1"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "bascule: 'web1' is in several services\n  web/web1\n  api/web1\n");
    json error = run_json({"drain", "web1"}, 1)["error"];
    EXPECT_EQ(error["code"], "ambiguous");
    EXPECT_EQ(error["details"], (json{"web/web1", "api/web1"}));
}

TEST_F(Command, WhatAFileHoldsHarmsNoTerminalAndNoJson) {
    RunningServer server(options(), canned(true));
    EXPECT_EQ(run({"reload"}).err,
              "bascule: 1 error, nothing applied\n  b.toml:1:2: unknown key 'caf??[2J'\n");
    json error = run_json({"reload"}, 1)["error"];
    EXPECT_EQ(error["details"][0], "b.toml:1:2: unknown key 'caf\xEF\xBF\xBD\x1b[2J'");
}

TEST_F(Command, NoDaemonIsThree) {
    Ended result = run({"status"});
    EXPECT_EQ(result.code, 3);
    EXPECT_EQ(result.err, "bascule: no daemon answers on " + directory_.file("control.sock") +
                              ": No such file or directory (is basculed running? "
                              "`systemctl status bascule`)\n");
    EXPECT_EQ(run_json({"drain", "web1"}, 3)["error"]["code"], "unreachable");
}

TEST_F(Command, ADaemonThatDoesNotAnswerIsThree) {
    RunningServer server(options(), [](Request) -> boost::asio::awaitable<Response> {
        boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                        std::chrono::hours(1));
        co_await timer.async_wait(boost::asio::use_awaitable);
        co_return Response();
    });
    Ended result = run({"status", "--timeout", "0.2"});
    EXPECT_EQ(result.code, 3);
    EXPECT_TRUE(has(result.err, "did not answer within 0.2 s")) << result.err;
}

TEST_F(Command, AnAnswerOfALaterKindIsOne) {
    RunningServer server(options(),
                         [](Request) -> boost::asio::awaitable<Response> { co_return Response(); });
    EXPECT_EQ(run({"status"}).code, 1);
    EXPECT_EQ(run_json({"status"}, 1)["error"]["code"], "failed");
}

TEST_F(Command, WrongUsageIsTwo) {
    for (const Words& words :
         {Words{}, Words{"show"}, Words{"shwo"}, Words{"drain"}, Words{"drain", "a", "b"},
          Words{"weight", "a"}, Words{"weight", "a", "-1"}, Words{"weight", "a", "x"},
          Words{"weight", "a", "1", "--reset"}, Words{"weight", "a", "4294967296"},
          Words{"show", "sessions", "--limit", "0"}, Words{"show", "sessions", "--limit", "10001"},
          Words{"drain", "a", "--wait", "--timeout", "soon"},
          Words{"drain", "a", "--timeout", "0s"}, Words{"disable"},
          Words{"show", "sessions", "--state", "sleepy"}, Words{"status", "--timeout", "0"}}) {
        Ended result = run(words);
        EXPECT_EQ(result.code, 2) << json(words).dump();
        EXPECT_NE(result.err + result.out, "");
    }
    EXPECT_EQ(run({"--help"}).code, 0);
    EXPECT_EQ(run({"drain", "--help"}).code, 0);
}

TEST_F(Command, VersionNeedsNoDaemon) {
    Ended alone = run({"version"});
    EXPECT_EQ(alone.code, 0);
    EXPECT_TRUE(alone.out.starts_with("bascule ")) << alone.out;
    EXPECT_EQ(run_json({"version"}, 0)["daemon_version"], nullptr);
    RunningServer server(options(), canned(false));
    EXPECT_TRUE(has(run({"version"}).out, "\nbasculed 0.1.0\n"));
    EXPECT_EQ(run_json({"version"}, 0)["daemon_version"], "0.1.0");
}

TEST_F(Command, AFullDiskUnderTheOutputIsAnError) {
    RunningServer server(options(), canned(false));
    pid_t child = ::fork();
    if (child == 0) {
        ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO);
        ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
        become(program_, {"status", "--runtime-dir", directory_.path()});
    }
    EXPECT_EQ(exit_code(child), 1);
}

// `check` and `detach` run the program "basculed" that lies beside the command: here a script, and
// a copy of the command beside it.
class CommandWithProgram : public Command {
protected:
    void install(const std::string& script) {
        std::filesystem::copy_file(program_, directory_.file("bascule"));
        std::ofstream(directory_.file("basculed")) << "#!/bin/sh\n" << script;
        ASSERT_EQ(::chmod(directory_.file("basculed").c_str(), 0755), 0);
    }
    Ended run_copy(Words words) const {
        words.insert(words.end(), {"--runtime-dir", directory_.path()});
        return run(std::move(words), directory_.file("bascule"));
    }
};

TEST_F(CommandWithProgram, CheckShowsWhatTheDaemonsProgramSays) {
    install("echo \"$3:3:7: unknown key: 'a:1:2: b'\" >&2; echo 'whatever else' >&2; exit 1\n");
    Ended text = run_copy({"check", "a.toml"});
    EXPECT_EQ(text.code, 1);
    EXPECT_EQ(text.err, "a.toml:3:7: unknown key: 'a:1:2: b'\nwhatever else\n");
    Ended document = run_copy({"check", "a.toml", "--json"});
    EXPECT_EQ(document.code, 1);
    EXPECT_EQ(json::parse(document.out),
              json::parse(R"({"schema": 1, "command": "check", "ok": false, "file": "a.toml",
                  "errors": [{"file": "a.toml", "line": 3, "column": 7,
                              "message": "unknown key: 'a:1:2: b'"}],
                  "output": ["whatever else"]})"));
}

TEST_F(CommandWithProgram, CheckOfAGoodFileIsZero) {
    install("[ \"$1 $2 $3\" = '--check --config /etc/bascule/bascule.toml' ] && echo valid\n");
    Ended result = run_copy({"check"});
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(result.out, "valid\n");
}

TEST_F(CommandWithProgram, AProgramThatDiesIsOne) {
    install("kill -9 $$\n");
    Ended result = run_copy({"check"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.err, "bascule: basculed was ended by signal 9\n");
}

TEST_F(CommandWithProgram, MoreOutputThanIsKeptHoldsUpNobody) {
    install("head -c 3000000 /dev/zero | tr '\\0' 'x'\n");
    Ended result = run_copy({"check", "--json"});
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(json::parse(result.out)["output"][0].get<std::string>().size(), 1U << 20);
}

TEST_F(CommandWithProgram, DetachWithoutADaemonRunsTheProgram) {
    install("echo \"$@\"\n");
    Ended result = run_copy({"detach", "--bpffs", "/b"});
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(result.out, "--detach --runtime-dir " + directory_.path() + " --bpffs /b\n");
}

TEST_F(CommandWithProgram, DetachNeverGoesBehindADaemonsBack) {
    install("echo behind its back\n");
    RunningServer server(options(), [](Request) -> boost::asio::awaitable<Response> {
        co_return failure_response(Failure::FAILURE_BUSY, "a reload is under way");
    });
    Ended result = run_copy({"detach"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "bascule: a reload is under way\n");
}

}  // namespace
}  // namespace bascule::control
