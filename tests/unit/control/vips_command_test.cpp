// SPDX-License-Identifier: Apache-2.0
// What the command shows of VIPs: `show vips`, `failover`, and whether the cluster would survive.
#include "command.h"

namespace bascule::control {
namespace {

std::string line_with(const std::string& text, const std::string& part) {
    for (const auto& line : plain_lines(text))
        if (has(line, part)) return line;
    return "";
}

class VipCommand : public Command {
protected:
    // The daemon's status after `change`.
    Answer changed(std::function<void(Status&)> change) const {
        return [change = std::move(change)](Request request) -> boost::asio::awaitable<Response> {
            Response response = canned_response(request, false);
            if (response.has_status()) change(*response.mutable_status());
            co_return response;
        };
    }
};

TEST_F(VipCommand, VipsAreRowsWithWhatIsWrongBelow) {
    {
        RunningServer server(options(), canned(false));
        EXPECT_EQ(run({"show", "vips"}).out,
                  "VIP                                     INTERFACE  HELD BY       FOR  EPOCH  IF "
                  "IT DIES\n"
                  "10.9.0.100                              eth0       lb1 (here)  3d 4h     17  "
                  "lb2, in step\n"
                  "2001:db8:1234:5678:9abc:def0:1234:5678  eth0       lb2             -     17  "
                  "lb1, in step\n"
                  "\n"
                  "Failback       when-synced, after 10s\n"
                  "Witness        10.9.0.1 answers for 3d 4h, 0.31ms\n");
    }
    RunningServer server(options(), canned(true));
    const Ended result = run({"show", "vips"});
    EXPECT_EQ(result.code, 0);
    EXPECT_TRUE(has(line_with(result.out, "10.9.0.100"), "lb2, NOT IN STEP")) << result.out;
    EXPECT_TRUE(has(line_with(result.out, long_vip), "lb1, a-node-with-a-long-name"));
    EXPECT_TRUE(has(result.out,
                    "\n    two nodes hold it at the same time\n"
                    "    52:54:00:12:34:56 on eth0 says that it has it: 12 frames, "
                    "the last 3s ago\n"));
    EXPECT_TRUE(has(line_with(result.out, "10.9.0.103"), "NOBODY"));
    EXPECT_TRUE(has(result.out, "\n    there is no interface eth7\n"));
    EXPECT_TRUE(has(result.out, "\n    by the operator's word: it stays there until it is moved "));
    EXPECT_TRUE(has(result.out, "\n    lb1 waits: not in step yet\n"));
    EXPECT_TRUE(has(result.out, "Witness        10.9.0.1 IS SILENT for 12s\n"));
}

TEST_F(VipCommand, VipsInDetailAreWhatEachNodeSays) {
    RunningServer server(options(), canned(true));
    const std::string text = run({"show", "vips", "--detail"}).out;
    EXPECT_TRUE(has(text,
                    "\n10.9.0.100\n"
                    "Interface      eth0, 02:00:00:00:00:11\n"
                    "Announced      9126 frames by this node\n"
                    "NODE             ROLE              PRIORITY  EPOCH\n"
                    "lb1 (this node)  holding                150     17\n"
                    "lb2              fit, not in step       100     17\n"))
        << text;
    EXPECT_TRUE(has(text, "Restored       2 times: a stranger had taken it off this host\n"));
    EXPECT_TRUE(has(text, "a-node-with-a-long-name  NOT HEARD       100      -\n"));
    EXPECT_TRUE(has(text, "lb1 (this node)  UNFIT       150     17\n    there is no interface "));
}

TEST_F(VipCommand, ANodeByItselfHoldsItsVips) {
    RunningServer server(options(), [](Request request) -> boost::asio::awaitable<Response> {
        Response response = canned_response(request, true);
        auto& vips = *response.mutable_vips();
        vips.Clear();
        vips.set_node("lb1");
        for (const bool held : {true, false}) {
            auto& vip = *vips.add_vips();
            vip.set_address(held ? "10.9.0.100" : "10.9.0.101");
            vip.set_interface("eth0");
            vip.set_held(held);
            if (!held) vip.set_problem("52:54:00:12:34:56 answers for it on eth0");
        }
        co_return response;
    });
    EXPECT_EQ(run({"show", "vips"}).out,
              "VIP         INTERFACE  HELD BY\n"
              "10.9.0.100  eth0       here\n"
              "10.9.0.101  eth0       NOT HELD\n"
              "    52:54:00:12:34:56 answers for it on eth0\n");
    EXPECT_EQ(run_json({"show", "vips"}, 0)["vips"][0]["holder"], nullptr);
}

TEST_F(VipCommand, VipsAsJsonAreExact) {
    RunningServer server(options(), canned(true));
    const json document = run_json({"show", "vips"}, 0);
    EXPECT_EQ(document["in_cluster"], true);
    EXPECT_EQ(document["node"], "lb1");
    EXPECT_EQ(document["failback"], "when-synced");
    EXPECT_EQ(document["failback_delay_ms"], 10'000.0);
    EXPECT_EQ(document["witnesses"][0], (json{{"address", "10.9.0.1"},
                                              {"answers", false},
                                              {"rtt_ms", nullptr},
                                              {"since_seconds", 12}}));
    ASSERT_EQ(document["vips"].size(), 5u);
    const json& first = document["vips"][0];
    EXPECT_EQ(first["address"], "10.9.0.100");
    EXPECT_EQ(first["held"], true);
    EXPECT_EQ(first["holder"], "lb1");
    EXPECT_EQ(first["next"], "lb2");
    EXPECT_EQ(first["next_ready"], false);
    EXPECT_EQ(first["epoch"], 17);
    EXPECT_EQ(first["held_seconds"], 273'600);
    EXPECT_EQ(first["service_mac"], "02:00:00:00:00:11");
    EXPECT_EQ(first["announced"], 9126);
    EXPECT_EQ(first["nodes"][1]["role"], "fit");
    EXPECT_EQ(first["nodes"][1]["priority"], 100);
    EXPECT_EQ(document["vips"][1]["holders"].size(), 2u);
    EXPECT_EQ(document["vips"][1]["next"], nullptr);
    EXPECT_EQ(document["vips"][1]["restored"], 2);
    EXPECT_EQ(document["vips"][1]["rivals"][0]["mac"], "52:54:00:12:34:56");
    EXPECT_EQ(document["vips"][2]["holder"], nullptr);
    EXPECT_EQ(document["vips"][2]["nodes"][0]["why"], "there is no interface eth7");
    EXPECT_EQ(document["vips"][3]["moved"], true);
    EXPECT_EQ(document["vips"][4]["waits"], "not in step yet");
}

TEST_F(VipCommand, FailoverSaysWhatMovedAndWhatNot) {
    {
        RunningServer server(options(), canned(false));
        const Ended result = run({"failover", "2001:db8::1"});
        EXPECT_EQ(result.code, 0);
        EXPECT_EQ(result.out, "2001:db8::1: lb1 → lb2 in 34 ms\n") << "it was asked for that one";
        EXPECT_EQ(run({"failover", "a", "b"}).code, 2);
    }
    RunningServer server(options(), canned(true));
    const Ended result = run({"failover"});
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.out,
              "10.9.0.100: lb1 → lb2 in 34 ms\n"
              "not moved: 2001:db8:1234:5678:9abc:def0:1234:5678: no other node can take it: lb2 "
              "is not in step\n");
    const json document = run_json({"failover"}, 1);
    EXPECT_EQ(document["ok"], false);
    EXPECT_EQ(document["moved"][0]["milliseconds"], 34.4);
    EXPECT_EQ(document["moved"][0]["to"], "lb2");
    EXPECT_EQ(document["failed"].size(), 1u);
}

// Ten lines: so much a tired eye takes in.
TEST_F(VipCommand, StatusTellsFirstWhetherTheClusterWouldSurvive) {
    RunningServer server(options(), canned(false));
    const std::string text = run({"status"}).out;
    EXPECT_TRUE(
        has(text,
            "\n\nCluster        edge  survives the loss of any node\n"
            "VIPs           2 of 2 held: 1 by lb1 (this node), 1 by lb2\n"
            "Takeover       if lb1 dies, lb2 takes 10.9.0.100, in step\n"
            "               if lb2 dies, lb1 takes 2001:db8:1234:5678:9abc:def0:1234:5678, in "
            "step\n"
            "Peer           lb2 alive for 3d 4h, in step, lag 2.40ms, 2 of 2 paths, same config "
            "and rings\n"
            "Witness        10.9.0.1 answers for 3d 4h, 0.31ms\n\nServices"))
        << text;
    const json document = run_json({"status"}, 0);
    EXPECT_EQ(document["survival"]["survives"], true);
    EXPECT_EQ(document["survival"]["reasons"].size(), 0u);
    EXPECT_EQ(document["survival"]["takeovers"][0],
              (json{{"from", "lb1"}, {"to", "lb2"}, {"ready", true}, {"vips", {"10.9.0.100"}}}));
    EXPECT_EQ(document["witnesses"][0]["rtt_ms"], 0.31);
}

TEST_F(VipCommand, StatusOfABadNightSaysWhyItWouldNot) {
    RunningServer server(options(), canned(true));
    const std::string text = run({"status"}).out;
    EXPECT_TRUE(
        has(text,
            "\nCluster        edge  WOULD NOT SURVIVE the loss of a node:\n"
            "               - nobody holds 10.9.0.103\n"
            "               - lb1 and a-node-with-a-long-name hold "
            "2001:db8:1234:5678:9abc:def0:1234:5678 at the same time\n"
            "               - if lb1 dies, nobody takes 2001:db8:1234:5678:9abc:def0:1234:5678\n"
            "               - if lb1 dies, lb2 takes 10.9.0.100 without being in step: connections "
            "break\n"
            "               - lb2 has another configuration\n"
            "               - no witness answers lb1: without a peer it would give up its VIPs\n"
            "VIPs           4 of 5 held: 2 by lb1 (this node), 2 by lb2\n"
            "               2001:db8:1234:5678:9abc:def0:1234:5678: 52:54:00:12:34:56 on eth0 says "
            "that it has it\n"
            "               10.9.0.103: there is no interface eth7\n"
            "               10.9.0.104: on lb2 by the operator's word\n"
            "               10.9.0.105: lb1 waits: not in step yet\n"
            "Takeover       if lb2 dies, lb1 takes 10.9.0.104 and 10.9.0.105, in step\n"))
        << text;
    EXPECT_TRUE(has(text, "a-node-with-a-long-name DEAD for 12s\n"));
    EXPECT_EQ(run_json({"status"}, 4)["survival"]["reasons"].size(), 6u);
}

// What nothing else calls a problem: it is well, and one step from the edge.
TEST_F(VipCommand, StatusIsFourWhenTheLossOfANodeWouldBeFelt) {
    const auto expect_reason = [&](std::function<void(Status&)> change, const std::string& why) {
        RunningServer server(options(), changed(std::move(change)));
        const Ended result = run({"status"});
        EXPECT_EQ(result.code, 4) << why;
        EXPECT_TRUE(result.out.starts_with("lb1  DEGRADED: not redundant  ")) << result.out;
        EXPECT_TRUE(has(result.out, "- " + why + "\n")) << why << "\n" << result.out;
        const json document = run_json({"status"}, 4);
        EXPECT_EQ(document["ok"], true);
        EXPECT_EQ(document["degraded"], true);
        EXPECT_EQ(document["survival"]["reasons"], (json{why}));
    };
    expect_reason([](Status& status) { status.mutable_vips(0)->clear_next(); },
                  "if lb1 dies, nobody takes 10.9.0.100");
    expect_reason([](Status& status) { status.mutable_vips(0)->set_next_ready(false); },
                  "if lb1 dies, lb2 takes 10.9.0.100 without being in step: connections break");
    expect_reason(
        [](Status& status) {
            status.mutable_vips(0)->clear_holder();
            status.mutable_vips(0)->set_held(false);
        },
        "nobody holds 10.9.0.100");
    expect_reason(
        [](Status& status) {
            status.mutable_vips(0)->add_holders("lb1");
            status.mutable_vips(0)->add_holders("lb2");
        },
        "lb1 and lb2 hold 10.9.0.100 at the same time");
    expect_reason(
        [](Status& status) { status.mutable_peers()->mutable_peers(0)->set_config_equal(false); },
        "lb2 has another configuration");
    expect_reason([](Status& status) { status.mutable_witnesses(0)->set_answers(false); },
                  "no witness answers lb1: without a peer it would give up its VIPs");
    expect_reason(
        [](Status& status) {
            status.clear_vips();
            status.mutable_peers()->set_alone(true);
        },
        "no other node is alive");
}

TEST_F(VipCommand, OneWitnessOfTwoIsEnough) {
    RunningServer server(options(), changed([](Status& status) {
                             add_witness(*status.add_witnesses(), "10.9.0.2", false);
                         }));
    const Ended result = run({"status"});
    EXPECT_EQ(result.code, 0);
    EXPECT_TRUE(has(result.out, "               10.9.0.2 IS SILENT for 12s\n"));
}

// Sixteen nodes with 64 VIPs: what is well is counted, what is not is named.
TEST_F(VipCommand, StatusOfALargeClusterStaysShort) {
    const auto many = [](Status& status) {
        status.clear_vips();
        for (int n = 0; n < 64; ++n) {
            Vip& vip = *status.add_vips() = canned_vip("10.9.1." + std::to_string(n), true);
            vip.set_holder("lb" + std::to_string(1 + n % 16));
            vip.set_held(n % 16 == 0);
            vip.set_next("lb" + std::to_string(1 + (n + 1) % 16));
        }
        status.mutable_peers()->clear_peers();
        for (int n = 2; n <= 16; ++n)
            *status.mutable_peers()->add_peers() = canned_peer("lb" + std::to_string(n), n);
    };
    {
        RunningServer server(options(), changed(many));
        const std::string text = run_on_terminal({"status"}, 100).out;
        const auto lines = plain_lines(text);
        const auto end = std::find(lines.begin() + 5, lines.end(), "");
        EXPECT_LE(end - lines.begin() - 4, 12) << text;
        EXPECT_TRUE(has(text, "if lb1 dies, lb2 takes 10.9.1.0, 10.9.1.16, 10.9.1.32 and 1 more"));
        EXPECT_TRUE(has(text, "48 VIPs of other nodes in step, too: bascule show vips"));
        EXPECT_TRUE(has(text, "15 alive and in step, lag at most 2.40ms, by all paths"));
    }
    RunningServer server(options(), changed([&](Status& status) {
                             many(status);
                             status.mutable_vips(40)->clear_next();
                             *status.mutable_peers()->mutable_peers(7) = canned_dead();
                             for (int n = 0; n < 6; ++n)
                                 status.mutable_vips(n)->set_moved(true);
                         }));
    const std::string text = run({"status"}).out;
    EXPECT_TRUE(has(text, "- if lb9 dies, nobody takes 10.9.1.40\n")) << text;
    EXPECT_TRUE(has(text,
                    "Peer           a-node-with-a-long-name DEAD for 12s\n"
                    "               14 alive and in step"));
    EXPECT_TRUE(has(text,
                    "10.9.1.3: on lb4 by the operator's word\n"
                    "               and 2 more to be told of: bascule show vips\n"))
        << text;
    EXPECT_FALSE(has(text, "10.9.1.4: on lb5"));
}

TEST_F(VipCommand, StatusTellsTheSameOfSeveralVipsOnce) {
    RunningServer server(options(), changed([](Status& status) {
                             *status.add_vips() = canned_vip("10.9.0.107", true);
                             for (auto& vip : *status.mutable_vips())
                                 if (vip.held()) vip.set_moved(true);
                         }));
    EXPECT_TRUE(has(run({"status"}).out,
                    "\n               10.9.0.100 and 10.9.0.107: on lb1 by the operator's word\n"));
}

TEST_F(VipCommand, ManyVipsOfANodeByItselfAreCounted) {
    RunningServer server(options(), changed([](Status& status) {
                             status.clear_peers();
                             status.clear_vips();
                             for (int n = 0; n < 40; ++n) {
                                 Vip& vip = *status.add_vips();
                                 vip.set_address("10.9.1." + std::to_string(n));
                                 vip.set_interface("eth0");
                                 vip.set_held(n != 7);
                             }
                         }));
    const Ended result = run({"status"});
    EXPECT_EQ(result.code, 0) << "what is a problem the daemon says";
    EXPECT_TRUE(has(result.out,
                    "VIP            10.9.1.7 on eth0  NOT HELD\n"
                    "               39 of 40 are held here and well: bascule show "
                    "vips\n"))
        << result.out;
    EXPECT_EQ(run_json({"status"}, 0)["survival"], nullptr);
}

}  // namespace
}  // namespace bascule::control
