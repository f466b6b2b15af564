// SPDX-License-Identifier: Apache-2.0
// What the command shows of services and backends, and how it waits for a drain.
#include <atomic>
#include <csignal>

#include "command.h"

namespace bascule::control {
namespace {

TEST_F(Command, ServicesShowPortsModesAndWhatIsOutOfTheOrdinary) {
    RunningServer server(options(), canned(false));
    const std::string text = run({"show", "services"}).out;
    EXPECT_TRUE(has(text, "10.9.0.100:80/tcp")) << text;
    EXPECT_TRUE(has(text, "[2001:db8:1234:5678:9abc:def0:1234:5678]:8000-8099/tcp"));
    EXPECT_TRUE(has(text,
                    "a-service-with-a-long-name: quorum 2, on_empty reset, mss_clamp 1400, "
                    "gue_port 6080\n"))
        << text;
    EXPECT_FALSE(has(text, "web: "));
    const json services = run_json({"show", "services"}, 0)["services"];
    EXPECT_EQ(services[0]["port"], 80);
    EXPECT_EQ(services[0]["ports"], "80");
    EXPECT_EQ(services[0]["mss_clamp"], nullptr);
    EXPECT_EQ(services[0]["copy_dscp"], nullptr);
    EXPECT_EQ(services[2]["port"], nullptr);
    EXPECT_EQ(services[2]["ports"], "8000-8099");
    EXPECT_EQ(services[2]["on_empty"], "reset");
    EXPECT_EQ(services[2]["copy_dscp"], false);
}

TEST_F(Command, BackendsShowModeWayAndWhyTheyServe) {
    RunningServer server(options(), canned(false));
    const std::string text = run({"show", "backends"}).out;
    EXPECT_TRUE(has(text, "MODE"));
    EXPECT_TRUE(has(text, "eth0 vlan 100 via 10.9.0.254")) << text;
    EXPECT_TRUE(has(text, "10.9.0.25:8080"));
    EXPECT_TRUE(has(text, "drained, empty"));
    EXPECT_TRUE(has(text, "tunnel/spare: a backup: serves when no other backend")) << text;
}

TEST_F(Command, BackendsThatAreAlikeHaveNoSuchColumns) {
    RunningServer server(options(), [](Request) -> boost::asio::awaitable<Response> {
        Response response;
        *response.mutable_backends()->add_backends() = canned_backend("web", 1, 1);
        co_return response;
    });
    const std::string alike = run({"show", "backends"}).out;
    EXPECT_FALSE(has(alike, "MODE")) << alike;
    EXPECT_FALSE(has(alike, "WAY"));
}

TEST_F(Command, DetailAndJsonTellTheWholeWay) {
    RunningServer server(options(), canned(false));
    const std::string text = run({"show", "backends", "--detail"}).out;
    EXPECT_TRUE(has(text, "ipip, destination port rewritten to 8080, outer source 10.9.8.0/24"))
        << text;
    EXPECT_TRUE(has(text,
                    "eth0 vlan 100 via 10.9.0.254, to 02:00:00:00:00:25 from "
                    "02:00:00:00:00:11, mtu 1400"))
        << text;
    const json backends = run_json({"show", "backends"}, 0)["backends"];
    const json& far = backends[5];
    EXPECT_EQ(far["name"], "far");
    EXPECT_EQ(far["via"], "10.9.0.254");
    EXPECT_EQ(far["vlan"], 100);
    EXPECT_EQ(far["mtu"], 1400);
    EXPECT_EQ(far["rewritten_port"], 8080);
    EXPECT_EQ(far["backup"], false);
    EXPECT_EQ(backends[6]["state"], "standby");
    EXPECT_EQ(backends[0]["via"], nullptr);
    EXPECT_EQ(backends[0]["vlan"], nullptr);
}

TEST_F(Command, DisableSaysWhatBecomesOfSessions) {
    RunningServer server(options(), canned(false));
    const std::string text = run({"disable", "web2"}).out;
    EXPECT_TRUE(has(text, "web/web2: disabled, weight 0 by the operator: disabled")) << text;
    EXPECT_TRUE(has(text, "1234 sessions move with the next packet")) << text;
    EXPECT_EQ(run_json({"disable", "web2"}, 0)["backend"]["operator"]["disabled"], true);
}

// A daemon whose drained backend loses sessions at every look, as `counts` says; the last one
// stays.
class Drain : public Command {
protected:
    Answer draining(std::vector<std::uint64_t> counts) {
        return [this, counts](Request request) -> boost::asio::awaitable<Response> {
            Response response;
            if (request.has_drain()) {
                auto& change = *response.mutable_backend_changed();
                *change.mutable_backend() = canned_drained();
                co_return response;
            }
            auto& backends = *response.mutable_backends();
            Backend& backend = *backends.add_backends() = canned_drained();
            backend.set_sessions(counts[std::min(looks_.load(), counts.size() - 1)]);
            if (looks_ >= taken_back_) backend.clear_word();
            if (++looks_ > uncounted_) backend.set_drained_sessions(backend.sessions());
            co_return response;
        };
    }

    std::atomic<std::size_t> looks_ = 0;
    std::size_t taken_back_ = 1000;
    std::size_t uncounted_ = 0;  // looks before the daemon has counted since the drain
};

TEST_F(Drain, WaitEndsWithTheLastSession) {
    RunningServer server(options(), draining({5, 0}));
    const Ended result = run({"drain", "web2", "--wait"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(has(result.out, "web/web2: drained, 5 sessions left\n")) << result.out;
    EXPECT_TRUE(has(result.out, "web/web2: drained, empty after ")) << result.out;
    EXPECT_FALSE(has(result.out, "\x1b"));
}

TEST_F(Drain, ACountFromBeforeTheDrainIsNotBelieved) {
    uncounted_ = 1;
    RunningServer server(options(), draining({0}));
    const json document = run_json({"drain", "web2", "--wait"}, 0);
    EXPECT_EQ(document["outcome"], "empty");
    EXPECT_EQ(looks_, 2);
}

TEST_F(Drain, WaitEndsWhenItsTimeIsOver) {
    RunningServer server(options(), draining({5}));
    const Ended result = run({"drain", "web2", "--wait", "--timeout", "1s"});
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(has(result.err, "5 sessions left after ")) << result.err;
    EXPECT_TRUE(has(result.err, "it stays drained")) << result.err;
    const json document = run_json({"drain", "web2", "--wait", "--timeout", "1s"}, 1);
    EXPECT_EQ(document["outcome"], "timeout");
    EXPECT_EQ(document["ok"], false);
    EXPECT_EQ(document["backend"]["sessions"], 5);
}

TEST_F(Drain, WaitEndsWhenTheDrainIsTakenBack) {
    taken_back_ = 1;
    RunningServer server(options(), draining({5}));
    const Ended result = run({"drain", "web2", "--wait"});
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(has(result.err, "web/web2: the drain was taken back")) << result.err;
}

TEST_F(Drain, OnATerminalOneLineIsRewritten) {
    RunningServer server(options(), draining({5, 4, 0}));
    const Ended result = run_on_terminal({"drain", "web2", "--wait"}, 100);
    EXPECT_EQ(result.code, 0);
    EXPECT_TRUE(has(result.out, "\r\x1b[Kweb/web2: drained, 5 sessions left\r\x1b[K"))
        << result.out;
}

TEST_F(Drain, InterruptedItSaysThatTheDrainStands) {
    RunningServer server(options(), draining({5}));
    const pid_t child =
        start({"drain", "web2", "--wait", "--runtime-dir", directory_.path()}, program_);
    for (int i = 0; i < 500 && looks_ == 0; ++i)
        ::usleep(10'000);
    ::kill(child, SIGINT);
    const Ended result = ended(child);
    EXPECT_EQ(result.code, -SIGINT) << "so that a loop of the shell ends too";
    EXPECT_TRUE(has(result.err, "no longer waiting: web/web2 stays drained, 5 sessions left"))
        << result.err;
}

TEST_F(Drain, ARefusedDrainIsNotWaitedFor) {
    RunningServer server(options(), canned(false));
    const Ended result = run({"drain", "none", "--wait"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.err, "bascule: no backend 'none'\n");
}

}  // namespace
}  // namespace bascule::control
