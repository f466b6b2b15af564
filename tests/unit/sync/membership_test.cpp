// SPDX-License-Identifier: Apache-2.0
// Alive, suspect, dead: by lists of events made by hand. What happens between whole nodes is in
// membership_net_test.cpp.
#include <stdexcept>

#include "membership_bed.h"

namespace bascule::sync::test {
namespace {

TEST_F(Membership1, BeginsAloneAndSpeaksAtOnce) {
    begin(options(2));
    EXPECT_EQ(membership->liveness(0), Liveness::unknown);
    EXPECT_TRUE(membership->alone());
    ASSERT_EQ(output.send.size(), 2U) << "one by each path";
    const Heartbeat& first = output.send[1].heartbeat;
    EXPECT_EQ(output.send[1].path, 1U);
    EXPECT_EQ(first.path, 1U);
    EXPECT_EQ(first.node, "lb1");
    EXPECT_EQ(first.to, "lb2");
    EXPECT_EQ(first.incarnation, 7U);
    EXPECT_EQ(first.sequence, 1U);
    EXPECT_EQ(first.wall, wall);
    EXPECT_EQ(first.facts.release, "0.1.0");
    EXPECT_FALSE(first.hears);
    EXPECT_TRUE(first.echoes.empty());
    pass(1s);
    EXPECT_EQ(sent, 2U * 51);
    EXPECT_EQ(membership->liveness(0), Liveness::unknown) << "never heard of is not dead";
}

TEST_F(Membership1, SuspectsThenProbesThenJudges) {
    become_alive();
    const Moment heard = now;
    pass(89ms);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    EXPECT_EQ(probes, 0U);
    pass(1ms);
    EXPECT_EQ(membership->liveness(0), Liveness::suspect);
    EXPECT_TRUE(last[0].probe);
    EXPECT_TRUE(last[0].hears) << "suspect is not dead";
    EXPECT_EQ(asked_streams, 1U);
    pass(19ms);
    EXPECT_EQ(membership->liveness(0), Liveness::suspect);
    EXPECT_GE(probes, 16U);
    pass(1ms);
    EXPECT_EQ(membership->liveness(0), Liveness::dead);
    EXPECT_LE(now - heard, interval * 6) << "within dead_after + 1 intervals";
    EXPECT_TRUE(membership->alone());
    ASSERT_EQ(changes.size(), 2U);
    EXPECT_EQ(changes[1].from, Liveness::suspect);
    EXPECT_EQ(changes[1].to, Liveness::dead);
    EXPECT_NE(changes[1].why.find("no heartbeat on 1 path for 110 ms"), std::string::npos)
        << changes[1].why;
    EXPECT_NE(changes[1].why.find("16 probes"), std::string::npos) << changes[1].why;
    const std::uint64_t before = probes;
    pass(1s);
    EXPECT_EQ(probes, before) << "a dead one is sent heartbeats, no probes";
    EXPECT_FALSE(last[0].hears);
    EXPECT_EQ(view().died, 1U);
    EXPECT_EQ(view().suspected, 1U);
}

TEST_F(Membership1, OneProbeThatIsAnsweredIsEnough) {
    become_alive();
    pass(95ms);
    ASSERT_EQ(membership->liveness(0), Liveness::suspect);
    hear();
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    pass(80ms);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    EXPECT_EQ(changes.size(), 2U);
}

TEST_F(Membership1, AnswersProbesAtOnceAndNotWithoutEnd) {
    become_alive();
    pass(5ms);
    Heartbeat probe = made();
    probe.probe = true;
    hear(probe);
    ASSERT_EQ(output.send.size(), 1U);
    EXPECT_FALSE(output.send[0].heartbeat.probe) << "or the two would never stop";
    ASSERT_EQ(output.send[0].heartbeat.echoes.size(), 1U);
    EXPECT_EQ(output.send[0].heartbeat.echoes[0].sequence, probe.sequence);
    EXPECT_EQ(output.send[0].heartbeat.echoes[0].held, 0U);
    hear(probe);
    EXPECT_TRUE(output.send.empty()) << "a replayed one is not answered";
    const std::uint64_t before = sent;
    for (int i = 0; i < 1000; ++i) {
        probe = made();
        probe.probe = true;
        hear(probe);
    }
    EXPECT_LE(sent - before, 32U);
}

// As an earlier release answers.
TEST_F(Membership1, WhoAnswersByTheStreamAloneStaysSuspect) {
    become_alive();
    const auto answer = [this] {
        take(membership->on_stream_answer(0, std::nullopt, now, now, wall));
    };
    for (int round = 0; round < 50; ++round) {
        pass(20ms);
        answer();
    }
    EXPECT_EQ(membership->liveness(0), Liveness::suspect);
    EXPECT_EQ(view().suspected, 1U);
    EXPECT_GE(asked_streams, 40U) << "asked in every round";
    pass(40ms);
    EXPECT_EQ(membership->liveness(0), Liveness::dead);
    answer();
    EXPECT_EQ(membership->liveness(0), Liveness::dead) << "it has said nothing";
    hear();
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    EXPECT_FALSE(changes.back().restarted);
}

TEST_F(Membership1, WhatItClaimsComesByTheStreamToo) {
    become_alive();
    pass(120ms);
    ASSERT_EQ(membership->liveness(0), Liveness::dead);
    const std::uint64_t asked_before = asked_streams;
    pass(1s);
    EXPECT_EQ(asked_streams - asked_before, 10U) << "the dead, once in dead_after intervals";
    Heartbeat said = made();
    said.echoes.clear();
    said.claims = {{1, VipRole::holding, 7, 100, false}};
    take(membership->on_stream_answer(0, said, now - 1ms, now, wall));
    EXPECT_EQ(membership->liveness(0), Liveness::suspect);
    EXPECT_EQ(changes.back().why, "it answers by its stream");
    ASSERT_EQ(membership->claims(0).size(), 1U);
    EXPECT_EQ(membership->claims_heard(0), now);
    pass(20ms);
    said = made();
    said.claims = {{1, VipRole::unfit, 7, 100, false}};
    take(membership->on_stream_answer(0, said, now - 1ms, now, wall));
    EXPECT_EQ(membership->claims(0)[0].role, VipRole::unfit);
    pass(40ms);
    EXPECT_EQ(membership->liveness(0), Liveness::dead) << "nothing has answered";
}

TEST_F(Membership1, ByTheStreamNobodyIsBroughtBackWhoGoesOrAnswersLateOrIsAnother) {
    become_alive();
    pass(120ms);
    const auto expect_nothing = [this](const Heartbeat& said, Nanoseconds ago) {
        take(membership->on_stream_answer(0, said, now - ago, now, wall));
        EXPECT_EQ(membership->liveness(0), Liveness::dead);
        EXPECT_FALSE(output.counted);
    };
    expect_nothing(made(), 101ms);
    Heartbeat said = made();
    said.facts.leaving = true;
    expect_nothing(said, 1ms);
    said = made();
    said.node = "lb3";
    expect_nothing(said, 1ms);
    said = made();
    said.to = "lb3";
    expect_nothing(said, 1ms);
}

TEST_F(Membership1, AnswersByTheStreamWhatItSaysByHeartbeats) {
    become_alive();
    membership->set_claims({{1, VipRole::holding, 7, 100, false}});
    const Heartbeat said = membership->for_stream(0, now, wall);
    EXPECT_EQ(said.node, "lb1");
    EXPECT_EQ(said.to, "lb2");
    EXPECT_TRUE(said.hears);
    ASSERT_EQ(said.claims.size(), 1U);
    EXPECT_GE(said.sent, last[0].sent);
}

TEST_F(Membership1, WhoDoesNotUnderstandThisNodeDoesNotHearIt) {
    MembershipOptions newer = options();
    newer.version = newer.needs = 2;
    begin(newer);
    talk(3);
    EXPECT_EQ(last[0].needs, 2U);
    EXPECT_FALSE(membership->incompatible(0)) << "this node understands it";
    EXPECT_FALSE(membership->hears_us(0));
    Heartbeat said = made();
    said.version = 2;
    hear(said);
    EXPECT_TRUE(membership->hears_us(0));
}

TEST_F(Membership1, AnotherPathKeepsItAlive) {
    begin(options(2));
    for (int i = 0; i < 100; ++i) {
        pass(interval);
        if (i < 3) hear(made(0), 0);
        hear(made(1), 1);
    }
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    EXPECT_EQ(probes, 0U);
    EXPECT_FALSE(view().paths[0].heard);
    EXPECT_TRUE(view().paths[1].heard);
    EXPECT_TRUE(view().paths[1].hears_us);
    EXPECT_GT(view().paths[0].loss, 0.95) << "silence is loss, too";
    EXPECT_LT(view().paths[1].loss, 0.01);
}

TEST_F(Membership1, WhoSleptGivesItsPeersAnotherRound) {
    become_alive();
    now += 10s;  // no tick: SIGSTOP
    tick();
    EXPECT_GT(output.slept, 9s);
    EXPECT_EQ(membership->liveness(0), Liveness::suspect);
    pass(10ms);
    hear();
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    EXPECT_EQ(view().died, 0U);
}

TEST_F(Membership1, WhoSleepsInTheLastRoundBeginsItAnew) {
    become_alive();
    pass(95ms);
    ASSERT_EQ(membership->liveness(0), Liveness::suspect);
    now += 1s;
    tick();
    EXPECT_EQ(membership->liveness(0), Liveness::suspect);
    EXPECT_TRUE(last[0].probe);
    pass(19ms);
    EXPECT_EQ(membership->liveness(0), Liveness::suspect);
    pass(1ms);
    EXPECT_EQ(membership->liveness(0), Liveness::dead) << "nothing has come: it is dead";
}

TEST_F(Membership1, WhoIsLateEveryTimeStillFindsTheDead) {
    become_alive();
    for (int i = 0; i < 10; ++i) {
        now += 100ms;
        tick();
    }
    EXPECT_EQ(membership->liveness(0), Liveness::dead);
}

TEST_F(Membership1, LongRoundTripsGetTimeToBeAnswered) {
    begin();
    // Round trips of 60 ms: an answer to a probe cannot come within an interval.
    for (int i = 0; i < 50; ++i) {
        pass(interval);
        Heartbeat heartbeat = made();
        heartbeat.echoes[0].sequence = std::max<std::uint64_t>(last[0].sequence, 4) - 3;
        heartbeat.echoes[0].sent -= 60'000'000;
        hear(heartbeat);
    }
    ASSERT_EQ(membership->liveness(0), Liveness::alive);
    pass(90ms + 55ms);
    EXPECT_EQ(membership->liveness(0), Liveness::suspect);
    pass(100ms);
    EXPECT_EQ(membership->liveness(0), Liveness::dead) << "but not for ever";
}

// What a takeover relies on, and no longer, however long answers were measured to take.
TEST_F(Membership1, TheDeadAreFoundWithinTheirBoundsWhateverWasMeasured) {
    for (const auto& round_trip : {1ms, 15ms, 30ms, 60ms, 90ms, 400ms, 1900ms}) {
        for (const std::uint32_t dead_after : {2U, 3U, 5U}) {
            begin(options(1, dead_after));
            for (int i = 0; i < 120; ++i) {
                pass(interval);
                Heartbeat heartbeat = made();
                const auto behind = static_cast<std::uint64_t>(round_trip / interval);
                heartbeat.echoes[0].sequence -= std::min(behind, last[0].sequence - 1);
                heartbeat.echoes[0].sent -=
                    static_cast<std::uint64_t>(Nanoseconds(round_trip).count());
                hear(heartbeat);
            }
            ASSERT_EQ(membership->liveness(0), Liveness::alive);
            const Moment heard = now;
            changes.clear();
            while (membership->liveness(0) != Liveness::dead && now - heard < 10s)
                pass(1ms);
            const Nanoseconds took = now - heard;
            EXPECT_GE(took, interval * dead_after + interval / 2);
            EXPECT_LE(took, interval * (2 * dead_after) - interval / 2 + 1ms);
            const bool quick = round_trip < interval / 2;
            EXPECT_TRUE(!quick || took <= interval * dead_after + interval / 2 + 1ms);
        }
    }
}

TEST_F(Membership1, WhoSaidGoodByeIsNotAsked) {
    become_alive();
    for (int i = 0; i < 3; ++i) {
        pass(interval);
        Heartbeat heartbeat = made();
        heartbeat.facts.leaving = true;
        hear(heartbeat);
    }
    EXPECT_EQ(membership->liveness(0), Liveness::alive) << "while it speaks";
    EXPECT_TRUE(view().facts.leaving);
    pass(90ms);
    EXPECT_EQ(membership->liveness(0), Liveness::dead);
    EXPECT_EQ(probes, 0U);
    EXPECT_EQ(view().suspected, 0U);
    EXPECT_NE(changes.back().why.find("leaves"), std::string::npos);
}

TEST_F(Membership1, RefusesOptionsWithoutSense) {
    MembershipOptions no_incarnation = options();
    no_incarnation.incarnation = 0;
    EXPECT_THROW(Membership(no_incarnation, now), std::invalid_argument);
    EXPECT_THROW(Membership(options(0), now), std::invalid_argument);
    EXPECT_THROW(Membership(options(1, 1), now), std::invalid_argument);
    MembershipOptions no_interval = options();
    no_interval.interval = Nanoseconds(0);
    EXPECT_THROW(Membership(no_interval, now), std::invalid_argument);
    begin();
    EXPECT_THROW(membership->on_heartbeat(1, 0, made(), now, wall), std::out_of_range);
    EXPECT_THROW(membership->on_heartbeat(0, 1, made(), now, wall), std::out_of_range);
}

}  // namespace
}  // namespace bascule::sync::test
