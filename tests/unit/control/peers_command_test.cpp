// SPDX-License-Identifier: Apache-2.0
// What the command shows of the cluster: `show peers`, and what status says of it.
#include <algorithm>

#include "command.h"

namespace bascule::control {
namespace {

std::string line_with(const std::string& text, const std::string& part) {
    for (const auto& line : plain_lines(text))
        if (has(line, part)) return line;
    return "";
}

TEST_F(Command, PeersAreInStepOrNot) {
    RunningServer server(options(), canned(false));
    const Ended result = run({"show", "peers"});
    EXPECT_EQ(result.code, 0);
    EXPECT_TRUE(result.out.starts_with("lb1 of edge  in step with lb2\n")) << result.out;
    EXPECT_EQ(line_with(result.out, "lb2   alive"),
              "lb2   alive  3d 4h  in step   2.40ms   3d 4h  -3ms  same    same  same    0.1.0");
    EXPECT_TRUE(has(line_with(result.out, "10.9.0.12:7400"), "0.21ms")) << result.out;
    EXPECT_EQ(line_with(result.out, "Heartbeats"),
              "Heartbeats     every 20ms, dead after 5 silent ones; SCHED_FIFO 20");
    EXPECT_EQ(line_with(result.out, "Key  "), "Key            4f3a9c01, no other is accepted");
}

TEST_F(Command, PeersOfABadNightSayWhatIsWrong) {
    RunningServer server(options(), canned(true));
    const std::string text = run({"show", "peers"}).out;
    EXPECT_TRUE(
        text.starts_with("lb1 of edge  NOT IN STEP with lb2, lb4; DEAD: "
                         "a-node-with-a-long-name; NOT HEARD: lb5\n"))
        << text;
    EXPECT_TRUE(has(text, "resync 30.4%"));
    EXPECT_TRUE(has(text, "\n    resync: 311 of 1024 partitions\n"));
    EXPECT_TRUE(has(text, "\n    stream: 10.9.0.13:7400: Connection refused\n"));
    EXPECT_FALSE(has(text, "\n    not connected\n")) << "the reason is told once";
    EXPECT_FALSE(has(text, "+7ms")) << "what a dead node said last is no news";
    EXPECT_TRUE(has(text,
                    "\n    its release 2.0.0 needs a newer one here: heard, and not "
                    "connected\n    it does not hear this node\n"));
    EXPECT_TRUE(has(line_with(text, "lb2                      alive"), "OTHER")) << text;
    EXPECT_TRUE(has(text, "+1h 0m"));
    EXPECT_TRUE(has(line_with(text, "[2001:db8:1234:5678::12]:7400"), "NO     yes")) << text;
    EXPECT_TRUE(has(text, "2 are accepted: a rotation is under way"));
    EXPECT_TRUE(has(text, "11]:7400: Cannot assign requested address"));
    EXPECT_TRUE(has(text, "Strangers      12.3k datagrams at "));
    EXPECT_TRUE(has(text, "Not opened     14 at [2001:db8:1234:5678::11]:7400: not_authentic ("));
    EXPECT_FALSE(has(text, "too_short")) << "what did not happen is no news";
    EXPECT_TRUE(has(text, "the heartbeat thread, 3 times, at most 141ms"));
    EXPECT_FALSE(has(text, "\x1b")) << "what a daemon says harms no terminal";
}

TEST_F(Command, PeersKeepToAHundredColumns) {
    for (const bool degraded : {false, true}) {
        RunningServer server(options(), canned(degraded));
        for (const Words& words : {Words{"show", "peers"}, Words{"show", "peers", "--detail"}}) {
            const std::string text = run_on_terminal(words, 100).out;
            for (const auto& line : plain_lines(text))
                EXPECT_LE(line.size(), 100U) << line;
            for (const char* column : {"SESSIONS", "LAG", "SKEW", "CONFIG", "RING", "SHARED",
                                       "HEARD", "HEARS US", "RTT", "LOSS"})
                EXPECT_TRUE(has(text, column)) << column << "\n" << text;
        }
    }
}

TEST_F(Command, PeersInDetailAreAllThatIsKnown) {
    RunningServer server(options(), canned(false));
    const std::string text = run({"show", "peers", "--detail"}).out;
    EXPECT_TRUE(has(text, "\nlb2\nHeard          yes, and it hears this node\n")) << text;
    EXPECT_TRUE(has(text,
                    "Stream         10.9.0.11:7400 to 10.9.0.12:7400; 118 MiB sent, 94.2 MiB "
                    "received\n"));
    EXPECT_TRUE(has(text, "Counted        12.3M  sent (session records sent)\n"));
    EXPECT_TRUE(has(text, "Shared         3 items, digest fcde2b2edba56bf4\n"));
}

TEST_F(Command, ANodeByItselfHasNoPeers) {
    RunningServer server(options(), [](Request request) -> boost::asio::awaitable<Response> {
        Response response = canned_response(request, false);
        if (response.has_peers()) response.mutable_peers()->Clear();
        if (response.has_status()) response.mutable_status()->clear_peers();
        co_return response;
    });
    EXPECT_EQ(run({"show", "peers"}).out,
              "this node is by itself: its configuration has no [cluster]\n");
    EXPECT_EQ(run_json({"show", "peers"}, 0)["in_cluster"], false);
    EXPECT_FALSE(has(run({"status"}).out, "Cluster"));
    EXPECT_EQ(run_json({"status"}, 0)["cluster"], nullptr);
}

TEST_F(Command, PeersAsJsonAreExact) {
    RunningServer server(options(), canned(true));
    const json document = run_json({"show", "peers"}, 0);
    EXPECT_EQ(document["cluster"], "edge");
    EXPECT_EQ(document["synced"], false);
    EXPECT_EQ(document["accepted_keys"], 2);
    EXPECT_EQ(document["paths"][1]["from_strangers"], 12'345);
    EXPECT_EQ(document["paths"][1]["unopened"][0]["count"], 14);
    EXPECT_EQ(document["paths"][0]["problem"], nullptr);
    ASSERT_EQ(document["peers"].size(), 4u);
    const json& lb2 = document["peers"][0];
    EXPECT_EQ(lb2["state"], "alive");
    EXPECT_EQ(lb2["resync_done"], 311);
    EXPECT_EQ(lb2["lag_ms"], 2.4);
    EXPECT_EQ(lb2["config_equal"], false);
    EXPECT_EQ(lb2["skew_ms"], 3'600'000.0);
    EXPECT_EQ(lb2["paths"][0]["rtt_ms"], 0.214);
    EXPECT_EQ(lb2["paths"][1]["rtt_ms"], nullptr);
    EXPECT_EQ(lb2["paths"][1]["heard"], false);
    EXPECT_EQ(lb2["counters"][0]["name"], "sent");
    EXPECT_EQ(document["peers"][1]["state"], "dead");
    EXPECT_EQ(document["peers"][1]["config_equal"], nullptr);
    EXPECT_EQ(document["peers"][1]["stream_problem"], "10.9.0.13:7400: Connection refused");
    EXPECT_EQ(document["peers"][2]["incompatible"], true);
    EXPECT_EQ(document["peers"][3]["state"], "unknown");
}

TEST_F(Command, StatusHasALineForEachPeer) {
    {
        RunningServer server(options(), canned(false));
        const std::string text = run({"status"}).out;
        EXPECT_TRUE(has(text,
                        "\nPeer           lb2 alive for 3d 4h, in step, lag 2.40ms, 2 of 2 "
                        "paths, same config and rings\n"))
            << text;
        EXPECT_EQ(run_json({"status"}, 0)["cluster"]["peers"][0]["name"], "lb2");
    }
    RunningServer server(options(), canned(true));
    const std::string text = run({"status"}).out;
    EXPECT_TRUE(has(text,
                    "lb2 alive for 3d 4h, resync 30.4%, lag 2.40ms, 1 of 2 paths, OTHER CONFIG AND "
                    "RINGS\n"))
        << text;
    EXPECT_TRUE(has(text, "               a-node-with-a-long-name DEAD for 12s\n")) << text;
}

TEST_F(Command, ManyPeersAreCountedInTheVerdict) {
    RunningServer server(options(), [](Request request) -> boost::asio::awaitable<Response> {
        Response response = canned_response(request, false);
        for (int number = 3; number < 10; ++number) {
            Peer peer = canned_peer("lb" + std::to_string(number), number);
            peer.set_synced(number % 2 == 0);
            *response.mutable_peers()->add_peers() = peer;
        }
        co_return response;
    });
    EXPECT_TRUE(run({"show", "peers"})
                    .out.starts_with("lb1 of edge  NOT IN STEP with lb3, lb5, lb7 and 1 other\n"));
}

TEST_F(Command, AloneIsSaidFirst) {
    RunningServer server(options(), [](Request request) -> boost::asio::awaitable<Response> {
        Response response = canned_response(request, false);
        response.mutable_peers()->set_alone(true);
        *response.mutable_peers()->mutable_peers(0) = canned_dead();
        co_return response;
    });
    EXPECT_TRUE(run({"show", "peers"}).out.starts_with("lb1 of edge  ALONE: no peer is alive\n"));
}

}  // namespace
}  // namespace bascule::control
