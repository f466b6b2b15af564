// SPDX-License-Identifier: Apache-2.0
// What is measured and shown of peers and paths, and what is said to them.
#include <limits>

#include "membership_bed.h"

namespace bascule::sync::test {
namespace {

TEST_F(Membership1, MeasuresLossOfTheLast256) {
    begin();
    for (int i = 0; i < 1000; ++i) {
        pass(interval);
        const Heartbeat heartbeat = made();
        if (i % 4 != 0) hear(heartbeat);
    }
    EXPECT_NEAR(view().paths[0].loss, 0.25, 0.02);
    talk(256);
    EXPECT_EQ(view().paths[0].loss, 0);
}

TEST_F(Membership1, MeasuresRoundTripsWithoutTheTimeThatThePeerHeldThem) {
    begin();
    for (int i = 0; i < 100; ++i) {
        pass(interval / 2);
        Heartbeat heartbeat = made();
        heartbeat.echoes[0].held = 7'000'000;
        hear(heartbeat);
        pass(interval / 2);
    }
    // Sent at a multiple of the interval, echoed 10 ms later, of which 7 at the peer.
    EXPECT_NEAR(static_cast<double>(view().paths[0].rtt.count()), 3e6, 1e4);
    EXPECT_NEAR(static_cast<double>(view().paths[0].rtt_least.count()), 3e6, 1e4);
    const Nanoseconds before = view().paths[0].rtt;
    pass(interval / 2);
    Heartbeat senseless = made();
    senseless.echoes[0].held = std::numeric_limits<std::uint64_t>::max();
    hear(senseless);
    EXPECT_EQ(view().paths[0].rtt, before);
}

TEST_F(Membership1, WhatWaitedWhileThisNodeSleptIsNoMeasure) {
    become_alive();
    const Nanoseconds before = view().paths[0].rtt;
    pass(interval);
    const Heartbeat waited = made();
    pass(interval);
    const auto echoes_of_before = made().echoes;
    now += 1s;
    hear(waited);  // read before the tick, as a thread does that wakes up
    EXPECT_EQ(view().paths[0].rtt, before);
    Heartbeat probe = made();
    probe.probe = true;
    probe.echoes.clear();
    hear(probe);
    ASSERT_EQ(output.send.size(), 1U);
    ASSERT_FALSE(output.send[0].heartbeat.echoes.empty());
    EXPECT_EQ(output.send[0].heartbeat.echoes[0].held, std::numeric_limits<std::uint64_t>::max())
        << "nor for the peer: nobody knows how long it waited";
    tick();
    Heartbeat after = made();
    after.echoes = echoes_of_before;
    hear(after);
    EXPECT_EQ(view().paths[0].rtt, before) << "what it echoes was sent before";
    pass(interval / 2);
    hear();
    EXPECT_NE(view().paths[0].rtt, before);
}

TEST_F(Membership1, WallClocksAreShownAndDecideNothing) {
    become_alive();
    for (const std::int64_t off : {3'600'000LL, -3'600'000LL, 0LL}) {
        pass(interval);
        Heartbeat heartbeat = made();
        heartbeat.wall = wall + static_cast<WallMilliseconds>(off);
        hear(heartbeat);
        ASSERT_TRUE(view().wall_skew);
        EXPECT_NEAR(static_cast<double>(view().wall_skew->count()), static_cast<double>(off) * 1e6,
                    1e8);
    }
    pass(interval);
    Heartbeat absurd = made();
    absurd.wall = std::numeric_limits<WallMilliseconds>::max() / 2;
    hear(absurd);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    EXPECT_TRUE(changes.empty());
}

TEST_F(Membership1, ShowsWhoIsHeardButDoesNotHear) {
    become_alive();
    EXPECT_TRUE(view().paths[0].hears_us);
    const auto stuck = made().echoes;  // from now on it hears nothing more
    for (int i = 0; i < 20; ++i) {
        pass(interval);
        Heartbeat heartbeat = made();
        heartbeat.echoes = stuck;
        heartbeat.hears = false;
        hear(heartbeat);
    }
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    EXPECT_TRUE(view().paths[0].heard);
    EXPECT_FALSE(view().paths[0].hears_us);
    EXPECT_FALSE(view().hears_us);
}

TEST_F(Membership1, ALaterReleaseIsShownAndItsFactsAreNotRead) {
    become_alive();
    pass(interval);
    Heartbeat later = made();
    later.version = 9;
    later.needs = 8;
    later.facts.release = "7.0.0";
    later.facts.config_hash = 77;
    later.facts.leaving = true;
    hear(later);
    EXPECT_TRUE(view().incompatible);
    EXPECT_EQ(view().version, 9U);
    EXPECT_EQ(view().facts.release, "7.0.0");
    EXPECT_EQ(view().facts.config_hash, 0U);
    EXPECT_FALSE(view().facts.leaving);
    EXPECT_EQ(membership->liveness(0), Liveness::alive) << "it lives";
    hear();
    EXPECT_FALSE(view().incompatible) << "until it was downgraded";
}

TEST_F(Membership1, SaysItsFactsFromTheNextHeartbeatOn) {
    become_alive();
    NodeFacts facts;
    facts.attached = true;
    facts.config_hash = 5;
    facts.release = "something else";
    membership->set_facts(facts);
    pass(interval);
    EXPECT_TRUE(last[0].facts.attached);
    EXPECT_EQ(last[0].facts.config_hash, 5U);
    EXPECT_EQ(last[0].facts.release, "0.1.0");
    EXPECT_TRUE(last[0].hears);
}

}  // namespace
}  // namespace bascule::sync::test
