// SPDX-License-Identifier: Apache-2.0
// What counts of what is heard: recordings, replays, restarts, clocks that stood still.
#include <limits>

#include "membership_bed.h"

namespace bascule::sync::test {
namespace {

TEST_F(Membership1, CountsAfterAnEchoOfThisRun) {
    begin();
    Heartbeat first = made();
    first.echoes.clear();
    hear(first);
    EXPECT_EQ(membership->liveness(0), Liveness::unknown);
    EXPECT_EQ(view().unverified, 1U);
    pass(interval);
    ASSERT_EQ(last[0].echoes.size(), 1U) << "it is told that it was heard, to be able to prove it";
    EXPECT_EQ(last[0].echoes[0].incarnation, incarnation);
    EXPECT_EQ(last[0].echoes[0].sequence, 1U);
    EXPECT_EQ(last[0].echoes[0].sent, first.sent);
    EXPECT_EQ(last[0].echoes[0].held, 20'000'000U);
    hear();
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].from, Liveness::unknown);
    EXPECT_FALSE(changes[0].restarted);
    EXPECT_FALSE(membership->alone());
    EXPECT_EQ(view().incarnation, incarnation);
}

TEST_F(Membership1, AnEchoOfAnotherRunOrOfLongAgoProvesNothing) {
    begin();
    Heartbeat other = made();
    other.echoes[0].incarnation = 6;
    hear(other);
    Heartbeat future = made();
    future.echoes[0].sequence = 99;
    hear(future);
    Heartbeat ahead = made();
    ahead.echoes[0].sent += 1'000'000'000;
    hear(ahead);
    const Heartbeat old = made();
    pass(3s);
    hear(old);
    EXPECT_EQ(membership->liveness(0), Liveness::unknown);
    EXPECT_EQ(view().unverified, 4U);
    Heartbeat nobody = made();
    nobody.incarnation = 0;
    hear(nobody);
    EXPECT_EQ(membership->liveness(0), Liveness::unknown) << "0 is no incarnation";
}

TEST_F(Membership1, WhatWasHeardBeforeCountsOnce) {
    become_alive();
    const Heartbeat heard = made();
    hear(heard);
    const std::uint64_t received = view().paths[0].received;
    for (int i = 0; i < 100; ++i)
        hear(heard);
    EXPECT_EQ(view().paths[0].replayed, 100U);
    EXPECT_EQ(view().paths[0].received, received);
    pass(80ms);
    hear(heard);
    pass(30ms);
    EXPECT_EQ(membership->liveness(0), Liveness::dead) << "a replay keeps nobody alive";
    hear(heard);
    EXPECT_EQ(membership->liveness(0), Liveness::dead) << "and wakes nobody";
}

TEST_F(Membership1, OvertakenOnesCountOnceAndTellNothingOld) {
    become_alive();
    Heartbeat early = made();
    early.facts.config_hash = 1;
    pass(10ms);
    Heartbeat later = made();
    later.facts.config_hash = 2;
    hear(later);
    hear(early);
    EXPECT_EQ(view().facts.config_hash, 2U);
    EXPECT_EQ(view().paths[0].replayed, 0U);
    EXPECT_EQ(view().paths[0].loss, 0);
    hear(early);
    EXPECT_EQ(view().paths[0].replayed, 1U);
}

TEST_F(Membership1, LedToAnotherPathItCountsForNothing) {
    begin(options(2));
    for (int i = 0; i < 50; ++i) {
        pass(interval);
        hear(made(0), 0);
    }
    Heartbeat astray = made(0);
    hear(astray, 1);
    EXPECT_FALSE(view().paths[1].heard);
    EXPECT_EQ(view().paths[1].replayed, 1U);
    hear(made(1), 1);
    EXPECT_TRUE(view().paths[1].heard) << "its own numbers are not behind those of the other path";
}

TEST_F(Membership1, WhatWasHeldBackOnItsWayDoesNotCount) {
    become_alive();
    // A recorder that sits on the wire takes these away, and plays them when lb2 is long dead.
    std::vector<Heartbeat> held_back;
    for (int i = 0; i < 5; ++i) {
        pass(interval);
        held_back.push_back(made());
    }
    pass(5s);
    ASSERT_EQ(membership->liveness(0), Liveness::dead);
    for (const Heartbeat& heartbeat : held_back)
        hear(heartbeat);
    EXPECT_EQ(membership->liveness(0), Liveness::dead);
    EXPECT_EQ(view().paths[0].late, 5U);
    hear();
    EXPECT_EQ(membership->liveness(0), Liveness::alive) << "what it says now counts";
}

TEST_F(Membership1, APeerWhoseClockStoodStillProvesItselfAnew) {
    become_alive();
    pass(10s);
    origin += 10s;  // its host was suspended: its clock did not go on
    Heartbeat deaf = made();
    deaf.echoes.clear();
    hear(deaf);
    EXPECT_EQ(membership->liveness(0), Liveness::dead);
    hear();
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    talk(5);
    Heartbeat now_deaf = made();
    now_deaf.echoes.clear();
    hear(now_deaf);
    EXPECT_EQ(view().paths[0].late, 1U) << "from then on its new pace counts";
}

TEST_F(Membership1, ARestartIsTold) {
    become_alive();
    incarnation = 2000;
    sequence[0] = 0;
    Heartbeat first = made();
    first.echoes.clear();
    hear(first);
    EXPECT_TRUE(changes.empty());
    pass(interval);
    EXPECT_EQ(last[0].echoes.size(), 2U) << "of both that are heard";
    hear();
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_TRUE(changes[0].restarted);
    EXPECT_EQ(changes[0].from, Liveness::alive);
    EXPECT_EQ(changes[0].to, Liveness::alive);
    EXPECT_EQ(view().incarnation, 2000U);
}

TEST_F(Membership1, WhatWasReplacedNeverComesBack) {
    become_alive();
    const Heartbeat old_but_unheard = made();
    const std::uint64_t old_sequence = sequence[0];
    incarnation = 2000;
    sequence[0] = 0;
    talk(3);
    ASSERT_EQ(view().incarnation, 2000U);
    changes.clear();
    hear(old_but_unheard);
    // Even with an echo of now: one that runs twice does not take turns.
    incarnation = 1000;
    sequence[0] = old_sequence + 100;
    hear();
    EXPECT_EQ(view().incarnation, 2000U);
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(view().paths[0].replayed, 2U);
}

// What an earlier run said, and the network held back until the next one was heard: this node has
// just started, and had not heard the earlier one.
TEST_F(Membership1, AnEarlierRunThatIsOvertakenDoesNotBegin) {
    begin();
    Heartbeat earlier = made();
    pass(interval);
    incarnation = 2000;
    sequence[0] = 0;
    hear();
    ASSERT_EQ(view().incarnation, 2000U);
    hear(earlier);
    EXPECT_EQ(view().incarnation, 2000U);
    EXPECT_EQ(view().unverified, 1U);
    changes.clear();
    talk(10);
    EXPECT_EQ(view().incarnation, 2000U);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    EXPECT_TRUE(changes.empty());
}

TEST_F(Membership1, TheDeadAreNotBroughtBackByWhatTellsOfATimeBefore) {
    become_alive();
    Heartbeat held_back = made();
    held_back.echoes.clear();
    pass(120ms);
    ASSERT_EQ(membership->liveness(0), Liveness::dead);
    hear(held_back);
    EXPECT_EQ(membership->liveness(0), Liveness::dead);
    EXPECT_EQ(view().paths[0].late, 1U);
    // Who does not hear this node any more is heard all the same.
    Heartbeat deaf = made();
    deaf.echoes.clear();
    hear(deaf);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
}

TEST_F(Membership1, ARestartAfterDeathIsToldAsBoth) {
    become_alive();
    pass(1s);
    incarnation = 2000;
    sequence[0] = 0;
    hear();
    EXPECT_EQ(changes.back().from, Liveness::dead);
    EXPECT_EQ(changes.back().to, Liveness::alive);
    EXPECT_TRUE(changes.back().restarted);
}

TEST_F(Membership1, RecordingsDoNotKeepARestartedPeerOut) {
    become_alive();
    std::vector<Heartbeat> recordings;  // of forty runs of lb2
    for (Incarnation other = 1; other <= 40; ++other) {
        incarnation = 100 + other;
        recordings.push_back(made());
        recordings.back().echoes.clear();
    }
    incarnation = 3000;
    sequence[0] = 0;
    for (int i = 0; i < 20 && view().incarnation != 3000; ++i) {
        pass(interval / 2);
        Heartbeat honest = made();
        // It can echo only what told it that it was heard.
        const auto told = std::ranges::find(last[0].echoes, 3000U, &Echo::incarnation);
        if (told == last[0].echoes.end()) honest.echoes.clear();
        hear(honest);
        for (std::size_t j = 0; j < 3; ++j)
            hear(recordings[(i * 3 + j) % recordings.size()]);
        pass(interval / 2);
    }
    EXPECT_EQ(view().incarnation, 3000U);
}

TEST_F(Membership1, ADaysOldRecordingDoesNothingToANodeThatJustStarted) {
    // What lb2 once said to an earlier run of lb1.
    begin();
    talk(2);
    std::vector<Heartbeat> recorded;
    for (int i = 0; i < 500; ++i) {
        pass(interval);
        recorded.push_back(made());
        hear(recorded.back());
    }
    MembershipOptions anew = options();
    anew.incarnation = 8;
    now += 24h;
    membership = std::make_unique<Membership>(anew, now);
    changes.clear();
    tick();
    for (const Heartbeat& heartbeat : recorded) {
        pass(interval);
        hear(heartbeat);
    }
    EXPECT_EQ(membership->liveness(0), Liveness::unknown);
    EXPECT_TRUE(changes.empty());
    EXPECT_TRUE(membership->alone());
    EXPECT_EQ(view().facts, NodeFacts{});
    EXPECT_EQ(view().unverified, 500U);
}

TEST_F(Membership1, SequenceNumbersWrapAround) {
    begin();
    sequence[0] = std::numeric_limits<std::uint64_t>::max() - 10;
    talk(30);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    EXPECT_EQ(view().paths[0].received, 30U);
    EXPECT_EQ(view().paths[0].replayed, 0U);
    EXPECT_EQ(view().paths[0].loss, 0);
}

}  // namespace
}  // namespace bascule::sync::test
