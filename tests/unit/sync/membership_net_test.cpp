// SPDX-License-Identifier: Apache-2.0
// Whole nodes' memberships over paths that misbehave, in simulated time.
#include "membership_net.h"

#include <gtest/gtest.h>

namespace bascule::sync::test {
namespace {

TEST(MembershipNet, TwoNodesFindEachOther) {
    MembershipNet net({});
    net.run(100ms);
    EXPECT_EQ(net.story(0, 1), "unknown>alive");
    EXPECT_EQ(net.story(1, 0), "unknown>alive");
    EXPECT_TRUE(net.view(0, 1).hears_us);
    EXPECT_NEAR(static_cast<double>(net.view(0, 1).paths[0].rtt.count()), 100'000, 1000);
}

TEST(MembershipNet, TenPerCentLossForHoursKillsNobody) {
    MembershipNet net({});
    net.every_way([](Way& way) { way.loss = 0.1; });
    net.run(std::chrono::hours(4));
    EXPECT_EQ(net.view(0, 1).died + net.view(1, 0).died, 0U);
    EXPECT_GT(net.view(0, 1).suspected, 10U) << "silence alone would have";
    EXPECT_NEAR(net.view(0, 1).paths[0].loss, 0.1, 0.08);
}

TEST(MembershipNet, ThirtyPerCentLossKillsNobody) {
    for (const std::size_t paths : {1U, 2U}) {
        MembershipNet net({.paths = paths});
        net.every_way([](Way& way) { way.loss = 0.3; });
        net.run(std::chrono::minutes(30));
        EXPECT_EQ(net.view(0, 1).died + net.view(1, 0).died, 0U);
    }
}

TEST(MembershipNet, JitterLongerThanTheSilenceKillsNobody) {
    MembershipNet net({});
    net.every_way([](Way& way) {
        way.jitter = 100ms;
        way.twice = 0.1;
    });
    net.run(std::chrono::minutes(20));
    EXPECT_EQ(net.view(0, 1).died + net.view(1, 0).died, 0U);
    EXPECT_GT(net.view(0, 1).paths[0].replayed, 1000U) << "the doubled ones";
    EXPECT_NEAR(net.view(0, 1).paths[0].loss, 0, 0.05);
}

TEST(MembershipNet, JitterWithLossKillsNobody) {
    MembershipNet net({});
    net.every_way([](Way& way) {
        way.jitter = 100ms;
        way.loss = 0.1;
    });
    net.run(std::chrono::minutes(20));
    EXPECT_EQ(net.view(0, 1).died + net.view(1, 0).died, 0U);
}

TEST(MembershipNet, TheDeadAreFoundInTimeWhateverTheirNumbers) {
    for (const std::uint32_t dead_after : {2U, 3U, 5U, 20U}) {
        for (const auto interval : {10ms, 20ms, 1000ms}) {
            for (std::uint64_t seed = 0; seed < 10; ++seed) {
                MembershipNet net({.interval = interval, .dead_after = dead_after, .seed = seed});
                net.run(interval * 10 + interval * seed / 10);
                ASSERT_EQ(net.liveness(0, 1), Liveness::alive);
                net.forget_said();
                const Nanoseconds died = net.now();
                net.stop(1);
                net.run(interval * (dead_after + 1));
                ASSERT_EQ(net.liveness(0, 1), Liveness::dead);
                EXPECT_GE(net.said().back().at - died, interval * (dead_after - 1));
            }
        }
    }
}

TEST(MembershipNet, OnePathCutIsShownAndKillsNobody) {
    MembershipNet net({.paths = 2});
    net.run(1s);
    net.way(0, 1, 0).cut = net.way(1, 0, 0).cut = true;
    net.run(10s);
    EXPECT_EQ(net.story(0, 1), "unknown>alive");
    EXPECT_FALSE(net.view(0, 1).paths[0].heard);
    EXPECT_TRUE(net.view(0, 1).paths[1].heard);
}

TEST(MembershipNet, OneDirectionLost) {
    MembershipNet net({});
    net.run(1s);
    net.way(0, 1, 0).cut = true;
    net.run(10s);
    EXPECT_EQ(net.story(0, 1), "unknown>alive") << "it is heard";
    EXPECT_EQ(net.story(1, 0), "unknown>alive alive>suspect suspect>dead");
    EXPECT_FALSE(net.view(0, 1).hears_us);
    EXPECT_FALSE(net.view(0, 1).paths[0].hears_us);
    net.way(0, 1, 0).cut = false;
    net.run(200ms);
    EXPECT_EQ(net.liveness(1, 0), Liveness::alive);
    EXPECT_TRUE(net.view(0, 1).hears_us);
}

TEST(MembershipNet, AllCutAndHealed) {
    MembershipNet net({.nodes = 3, .paths = 2});
    net.run(1s);
    net.every_way([](Way& way) { way.cut = true; });
    net.run(std::chrono::minutes(10));
    for (std::size_t node = 0; node < 3; ++node)
        EXPECT_TRUE(net.at(node).alone());
    net.every_way([](Way& way) { way.cut = false; });
    net.run(200ms);
    for (std::size_t node = 0; node < 3; ++node)
        EXPECT_EQ(net.story(node, (node + 1) % 3),
                  "unknown>alive alive>suspect suspect>dead dead>alive");
}

TEST(MembershipNet, HeartbeatsAreCutAndTheStreamAnswers) {
    MembershipNet net({});
    net.set_streams(true);
    net.run(1s);
    net.forget_said();
    net.every_way([](Way& way) { way.cut = true; });
    net.run(10s);
    EXPECT_EQ(net.story(0, 1), "alive>suspect");
    net.every_way([](Way& way) { way.cut = false; });
    net.run(100ms);
    EXPECT_EQ(net.liveness(0, 1), Liveness::alive);
}

// A firewall that lets TCP through and nothing else.
TEST(MembershipNet, HeartbeatsNeverPassAndTheStreamAnswers) {
    MembershipNet net({});
    net.every_way([](Way& way) { way.cut = true; });
    net.run(1s);
    EXPECT_EQ(net.story(0, 1), "");
    net.set_streams(true);
    net.at(1).set_claims({{1, VipRole::holding, 7, 100, false}});
    net.run(10s);
    EXPECT_EQ(net.story(0, 1), "unknown>suspect");
    EXPECT_EQ(net.story(1, 0), "unknown>suspect");
    EXPECT_TRUE(net.view(0, 1).hears_us);
    ASSERT_EQ(net.view(0, 1).claims.size(), 1U);
    net.at(1).set_claims({{1, VipRole::unfit, 7, 100, false}});
    net.run(60ms);
    EXPECT_EQ(net.view(0, 1).claims.at(0).role, VipRole::unfit);
    net.set_streams(false);
    net.run(100ms);
    EXPECT_EQ(net.liveness(0, 1), Liveness::dead);
}

// The same between two houses: its answers take longer than an interval.
TEST(MembershipNet, WhoAnswersByASlowStreamAloneIsNotFoundDead) {
    for (const Nanoseconds there : {10ms, 15ms, 30ms, 45ms}) {
        MembershipNet net({});
        net.every_way([](Way& way) { way.cut = true; });
        net.set_streams(true, there);
        net.run(10s);
        EXPECT_EQ(net.story(0, 1), "unknown>suspect") << there.count();
        EXPECT_EQ(net.story(1, 0), "unknown>suspect") << there.count();
        net.set_streams(false);
        net.run(2 * 190ms);
        EXPECT_EQ(net.liveness(0, 1), Liveness::dead) << there.count();
    }
}

// Longer than a death takes to be found: it is dead, and stays so.
TEST(MembershipNet, WhoAnswersByAStreamTooSlowIsDead) {
    MembershipNet net({});
    net.run(1s);
    net.forget_said();
    net.every_way([](Way& way) { way.cut = true; });
    net.set_streams(true, 60ms);
    net.run(10s);
    EXPECT_EQ(net.liveness(0, 1), Liveness::dead);
    EXPECT_EQ(net.story(0, 1), "alive>suspect suspect>dead");
}

TEST(MembershipNet, APausedNodeIsDeadToOthersAndBlamesNobody) {
    MembershipNet net({});
    net.run(1s);
    net.pause(0, 10s);
    net.run(9s);
    EXPECT_EQ(net.liveness(1, 0), Liveness::dead);
    net.run(2s);
    EXPECT_EQ(net.liveness(1, 0), Liveness::alive);
    EXPECT_GT(net.slept_longest(), 9s);
    EXPECT_EQ(net.view(0, 1).died, 0U);
    EXPECT_EQ(net.view(1, 0).died, 1U);
    EXPECT_FALSE(net.view(1, 0).paths[0].replayed);
}

TEST(MembershipNet, ASuspendedHostIsTakenBack) {
    MembershipNet net({});
    net.run(1s);
    net.pause(0, 60s);
    net.suspend_clock(0, 60s);
    net.run(61s);
    EXPECT_EQ(net.liveness(1, 0), Liveness::alive);
    EXPECT_EQ(net.liveness(0, 1), Liveness::alive);
}

TEST(MembershipNet, AQuickRestartIsTold) {
    MembershipNet net({.paths = 2});
    net.run(1s);
    net.stop(1);
    net.start(1);
    net.run(200ms);
    EXPECT_EQ(net.story(0, 1), "unknown>alive alive=>alive");
    EXPECT_EQ(net.view(0, 1).suspected, 0U);
}

TEST(MembershipNet, EveryRestartOfManyIsTold) {
    MembershipNet net({});
    net.run(1s);
    for (int restart = 0; restart < 50; ++restart) {
        net.stop(1);
        net.run(30ms * restart);
        net.start(1);
        net.run(300ms);
        ASSERT_EQ(net.liveness(0, 1), Liveness::alive) << restart;
        ASSERT_EQ(net.liveness(1, 0), Liveness::alive) << restart;
    }
}

TEST(MembershipNet, WallClocksJump) {
    MembershipNet net({});
    net.run(1s);
    for (int jump = 0; jump < 20; ++jump) {
        net.step_wall(jump % 2, std::chrono::hours(jump % 4 < 2 ? 1 : -1));
        net.run(300ms);
    }
    EXPECT_EQ(net.story(0, 1), "unknown>alive");
    EXPECT_EQ(net.story(1, 0), "unknown>alive");
    net.step_wall(1, std::chrono::hours(1));
    net.run(100ms);
    EXPECT_GT(*net.view(0, 1).wall_skew, std::chrono::minutes(59));
}

TEST(MembershipNet, AWholeRecordingPlayedAgainChangesNothing) {
    MembershipNet net({.paths = 2});
    std::vector<HeartbeatToSend> recording;
    net.on_sent = [&](std::size_t from, std::size_t, const HeartbeatToSend& sent) {
        if (from == 1) recording.push_back(sent);
    };
    net.run(20s);
    net.on_sent = {};
    net.stop(1);
    net.run(1s);
    ASSERT_EQ(net.liveness(0, 1), Liveness::dead);
    const auto play = [&](std::size_t paths) {
        for (const HeartbeatToSend& sent : recording) {
            const auto out =
                net.at(0).on_heartbeat(0, sent.path % paths, sent.heartbeat, net.local(0), 0);
            EXPECT_TRUE(out.changes.empty());
            EXPECT_TRUE(out.send.empty());
        }
    };
    play(2);
    EXPECT_EQ(net.liveness(0, 1), Liveness::dead);
    net.start(0);  // and at a node that has no memory of them
    play(2);
    net.run(1s);
    EXPECT_EQ(net.liveness(0, 1), Liveness::unknown);
    net.start(1);  // nor does it keep the real one out
    play(2);
    net.run(200ms);
    EXPECT_EQ(net.liveness(0, 1), Liveness::alive);
}

TEST(MembershipNet, SixteenNodesOnFourPaths) {
    MembershipNet net({.nodes = 16, .paths = 4});
    net.every_way([](Way& way) {
        way.loss = 0.3;
        way.jitter = 5ms;
    });
    net.run(3s);
    for (std::size_t node = 0; node < 16; ++node)
        for (std::size_t peer = 0; peer < 16; ++peer)
            if (node != peer) {
                EXPECT_EQ(net.story(node, peer), "unknown>alive");
            }
    // A heartbeat an interval for each peer and path, and nothing else.
    EXPECT_NEAR(static_cast<double>(net.sent()), 16 * 15 * 4 * 151, 2000);
    net.stop(15);
    net.run(120ms);
    for (std::size_t node = 0; node < 15; ++node)
        EXPECT_EQ(net.liveness(node, 15), Liveness::dead);
}

}  // namespace
}  // namespace bascule::sync::test
