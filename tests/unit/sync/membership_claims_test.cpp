// SPDX-License-Identifier: Apache-2.0
// What nodes say of VIPs, as Membership carries it; and heartbeats out of turn.
#include "tests/unit/sync/membership_bed.h"

namespace bascule::sync::test {
namespace {

class MembershipClaims : public Membership1 {
protected:
    Heartbeat claiming(VipRole role, Epoch epoch, std::size_t path = 0) {
        Heartbeat heartbeat = made(path);
        heartbeat.claims = {{.vip = 5, .role = role, .epoch = epoch, .priority = 100}};
        return heartbeat;
    }
    Epoch epoch() const {
        const auto claims = membership->claims(0);
        return claims.empty() ? 0 : claims[0].epoch;
    }
    bool speak() {
        const auto out = membership->speak(now, wall);
        EXPECT_EQ(out.round, !out.send.empty());
        take(out);
        return out.round;
    }
    // The next time that something is to be sent, and what; without the peer's word meanwhile.
    void next() {
        now = membership->next_tick();
        tick();
    }
};

TEST_F(MembershipClaims, AreSaidInEveryHeartbeatFromTheNextOn) {
    become_alive();
    const std::vector<VipClaim> claims = {{.vip = 5, .role = VipRole::holding, .epoch = 9},
                                          {.vip = 6, .role = VipRole::ready}};
    membership->set_claims(claims);
    EXPECT_TRUE(last[0].claims.empty());
    pass(interval);
    EXPECT_EQ(last[0].claims, claims);
    hear();
    pass(interval);
    EXPECT_EQ(last[0].claims, claims);
}

TEST_F(MembershipClaims, OfAPeerAreThoseOfItsNewestHeartbeat) {
    begin(options(2));
    EXPECT_TRUE(membership->claims(0).empty());
    EXPECT_EQ(membership->claims_heard(0), Moment{});
    talk(2);
    const Heartbeat overtaken = claiming(VipRole::ready, 1, 1);
    now += 1ms;
    hear(claiming(VipRole::holding, 2));
    EXPECT_EQ(epoch(), 2u);
    EXPECT_EQ(membership->claims_heard(0), now);
    EXPECT_EQ(view().claims.at(0).epoch, 2u);
    const Moment then = now;
    now += 1ms;
    hear(overtaken, 1);
    EXPECT_EQ(epoch(), 2u);
    EXPECT_EQ(membership->claims_heard(0), then);
    // One without any has none any more.
    now += 1ms;
    hear();
    EXPECT_TRUE(membership->claims(0).empty());
}

TEST_F(MembershipClaims, OfWhoIsNotProvenToBeOfNowCountForNothing) {
    begin();
    Heartbeat recorded = claiming(VipRole::holding, 99);
    recorded.echoes.clear();
    hear(recorded);
    EXPECT_TRUE(membership->claims(0).empty());
    EXPECT_EQ(membership->claims_heard(0), Moment{});
    // Nor what was said before, a second time.
    EXPECT_FALSE(output.counted);
    talk(3);
    const Heartbeat first = claiming(VipRole::holding, 3);
    hear(first);
    pass(interval);
    hear(claiming(VipRole::ready, 4));
    EXPECT_TRUE(output.counted);
    hear(first);
    EXPECT_FALSE(output.counted);
    EXPECT_EQ(epoch(), 4u);
}

TEST_F(MembershipClaims, OfAPeerThatWasStartedAnew) {
    become_alive();
    hear(claiming(VipRole::holding, 7));
    incarnation = 2000;
    origin = now - 1s;  // its clock begins anew, too
    sequence[0] = 0;
    pass(interval);
    hear(claiming(VipRole::unfit, 1));
    EXPECT_EQ(epoch(), 1u);
    EXPECT_EQ(membership->claims_heard(0), now);
}

// What has waited in our socket while this node slept was said before that.
TEST_F(MembershipClaims, AreHeardWhenTheyWereSaid) {
    become_alive();
    std::vector<Heartbeat> waiting;
    const Moment asleep = now;
    for (int i = 1; i <= 20; ++i) {
        now = asleep + i * interval;
        waiting.push_back(claiming(VipRole::ready, static_cast<Epoch>(i)));
    }
    now += 100ms;
    for (const Heartbeat& heartbeat : waiting)
        hear(heartbeat);
    EXPECT_EQ(epoch(), 20u);
    EXPECT_LT(membership->claims_heard(0), now - 50ms);
    EXPECT_GE(membership->claims_heard(0), asleep);
    tick();
    hear(claiming(VipRole::ready, 30));
    EXPECT_EQ(membership->claims_heard(0), now);
}

// It never goes back, whatever a peer's clock says.
TEST_F(MembershipClaims, AreNeverHeardEarlierThanBefore) {
    become_alive();
    Moment before = membership->claims_heard(0);
    for (const auto shift : {-1500ms, 1ms, 10'000ms, -300ms, 0ms}) {
        pass(interval);
        origin -= shift;
        hear(claiming(VipRole::ready, 1));
        EXPECT_GE(membership->claims_heard(0), before);
        EXPECT_LE(membership->claims_heard(0), now);
        before = membership->claims_heard(0);
    }
}

TEST_F(MembershipClaims, OfWhoNeedsANewerReleaseOnlyWhatItHasCounts) {
    become_alive();
    EXPECT_FALSE(membership->incompatible(0));
    EXPECT_TRUE(membership->sees_witness(0));
    EXPECT_TRUE(membership->hears_us(0));
    Heartbeat newer = claiming(VipRole::holding, 9);
    newer.version = newer.needs = protocol_version + 1;
    hear(newer);
    ASSERT_EQ(membership->claims(0).size(), 1U);
    EXPECT_EQ(membership->claims(0)[0],
              (VipClaim{.vip = newer.claims[0].vip, .role = VipRole::holding}));
    EXPECT_TRUE(membership->incompatible(0));
    EXPECT_FALSE(membership->sees_witness(0));
    EXPECT_TRUE(view().incompatible);
    pass(interval);
    Heartbeat blind = made();
    blind.facts.witness = false;
    blind.hears = false;
    hear(blind);
    EXPECT_FALSE(membership->incompatible(0));
    EXPECT_FALSE(membership->sees_witness(0));
    EXPECT_FALSE(membership->hears_us(0));
}

// ---- out of turn ----

// Names are counted differently where there are others.
TEST_F(MembershipClaims, WhomItHearsCountsOnlyByTheSameConfiguration) {
    become_alive();
    NodeFacts own;
    own.config_hash = 3;
    membership->set_facts(own);
    for (const std::uint64_t theirs : {3, 4, 3}) {
        pass(interval);
        Heartbeat said = claiming(VipRole::ready, 7);
        said.facts.config_hash = theirs;
        said.claims[0].heard = true;
        said.claims[0].holder = 2;
        hear(said);
        ASSERT_EQ(membership->claims(0).size(), 1U);
        EXPECT_TRUE(membership->claims(0)[0].heard);
        EXPECT_EQ(membership->claims(0)[0].holder, theirs == 3 ? 2 : 0);
    }
}

TEST_F(MembershipClaims, SpeakSaysItAtOnceByEveryPath) {
    begin(options(2));
    talk(3);
    pass(7ms);
    sent = 0;
    membership->set_claims({{.vip = 5, .role = VipRole::holding, .epoch = 9}});
    EXPECT_TRUE(speak());
    EXPECT_EQ(sent, 2u);
    for (const Heartbeat& heartbeat : last) {
        EXPECT_EQ(heartbeat.claims.at(0).epoch, 9u);
        EXPECT_FALSE(heartbeat.probe);
    }
}

// What is said of one moment may come in any order.
TEST_F(MembershipClaims, OtherClaimsAreLaterThoughNoTimeHasPassed) {
    become_alive();
    membership->set_claims({{.vip = 5, .role = VipRole::holding, .epoch = 9}});
    pass(interval);
    const Heartbeat before = last[0];
    membership->set_claims({{.vip = 5, .role = VipRole::unfit, .epoch = 9}});
    ASSERT_TRUE(speak());
    EXPECT_GT(last[0].sent, before.sent);
    const auto later = last[0].sent;
    membership->set_claims(last[0].claims);
    pass(interval);
    EXPECT_EQ(last[0].sent, later - 1 + static_cast<std::uint64_t>(Nanoseconds(interval).count()));
}

TEST_F(MembershipClaims, SpeakLeavesRoundsWhereTheyAre) {
    become_alive();
    const Moment round = membership->next_tick();
    pass(7ms);
    EXPECT_TRUE(speak());
    EXPECT_EQ(membership->next_tick(), round);
    const std::uint64_t number = last[0].sequence;
    next();
    EXPECT_EQ(now, round);
    EXPECT_EQ(last[0].sequence, number + 1);
    EXPECT_EQ(output.slept, 0ns);
    EXPECT_TRUE(output.round);
}

// However often it is asked: four times in an interval, and what was asked last is said.
TEST_F(MembershipClaims, SpeakIsBounded) {
    become_alive();
    talk(1);
    sent = 0;
    constexpr int intervals = 50;
    Epoch newest = 0;
    Moment said = now;
    for (int i = 0; i < intervals * 200; ++i) {
        if (i % 200 == 0) hear();
        now += 100us;
        const std::uint64_t before = sent;
        if (now >= membership->next_tick()) tick();
        membership->set_claims({{.vip = 5, .role = VipRole::holding, .epoch = ++newest}});
        speak();
        if (sent > before) said = now;
        ASSERT_LE(now - said, interval / 4 + 200us);
    }
    EXPECT_LE(sent, intervals * 6u);
    EXPECT_GT(sent, intervals * 3u);
    EXPECT_EQ(probes, 0u);
    const std::uint64_t before = sent;
    pass(interval / 4 + 1ms);
    EXPECT_GT(sent, before);
    EXPECT_EQ(last[0].claims.at(0).epoch, newest);
}

// What was asked for and is not yet due is said by the next tick, which comes in time for it; a
// round that comes first says it, too.
TEST_F(MembershipClaims, WhatIsAskedTooSoonIsSaidAsSoonAsMayBe) {
    become_alive();
    pass(1ms);
    EXPECT_TRUE(speak());
    pass(1ms);
    membership->set_claims({{.vip = 5, .epoch = 2}});
    EXPECT_FALSE(speak());
    EXPECT_EQ(membership->next_tick(), now + interval / 4 - 1ms);
    next();
    EXPECT_TRUE(output.round);
    EXPECT_EQ(last[0].claims.at(0).epoch, 2u);
    // Said once.
    sent = 0;
    pass(5ms);
    EXPECT_EQ(sent, 0u);
    now = membership->next_tick() - 1ms;
    EXPECT_TRUE(speak());
    EXPECT_FALSE(speak());
    pass(1ms);  // the round
    sent = 0;
    pass(interval - 1ms);
    EXPECT_EQ(sent, 0u);
}

// At the other end nothing is missing and nothing is too much.
TEST_F(MembershipClaims, AChattyPeerLosesNothing) {
    become_alive();
    for (int i = 0; i < 400; ++i) {
        pass(interval / 4);
        hear();
    }
    EXPECT_EQ(view().paths[0].loss, 0);
    EXPECT_EQ(view().paths[0].replayed, 0u);
    EXPECT_EQ(view().paths[0].late, 0u);
    // One half of it is lost: so it is shown.
    for (int i = 0; i < 400; ++i) {
        pass(interval / 4);
        const Heartbeat heartbeat = made();
        if (i % 2 == 0) hear(heartbeat);
    }
    EXPECT_NEAR(view().paths[0].loss, 0.5, 0.02);
    // And that it falls silent: by rounds that do not come.
    const double before = view().paths[0].loss;
    pass(3 * interval);
    EXPECT_GE(view().paths[0].loss, before);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
}

TEST_F(MembershipClaims, WhoSleepsIsToldBeforeItSpeaks) {
    become_alive();
    EXPECT_EQ(membership->overslept(now), 0ns);
    now = membership->next_tick() + 200ms;
    EXPECT_EQ(membership->overslept(now), 200ms);
    const std::uint64_t before = sent;
    EXPECT_EQ(membership->overslept(now), 200ms);
    EXPECT_EQ(sent, before);
    tick();
    EXPECT_EQ(output.slept, 200ms);
    EXPECT_EQ(membership->overslept(now), 0ns);
}

// Spoken late itself: who was asked while it slept says it with the tick.
TEST_F(MembershipClaims, SpeakDoesNotHideThatThisNodeSlept) {
    become_alive();
    now = membership->next_tick() + 200ms;
    EXPECT_TRUE(speak());
    EXPECT_EQ(membership->overslept(now), 200ms);
    tick();
    EXPECT_EQ(output.slept, 200ms);
}

}  // namespace
}  // namespace bascule::sync::test
