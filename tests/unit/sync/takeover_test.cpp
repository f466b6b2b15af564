// SPDX-License-Identifier: Apache-2.0
// Start, other configurations, strange claims, what is told.
#include <stdexcept>

#include "tests/unit/sync/takeover_bed.h"

namespace bascule::sync::test {
namespace {

class TakeoverWhole : public TakeoverAlone {};

// ---- claims ----

TEST(VipClaims, NamesOfRoles) {
    EXPECT_STREQ(name_of(VipRole::unfit), "unfit");
    EXPECT_STREQ(name_of(VipRole::fit), "fit");
    EXPECT_STREQ(name_of(VipRole::ready), "ready");
    EXPECT_STREQ(name_of(VipRole::holding), "holding");
    EXPECT_STREQ(name_of(VipRole::offering), "offering");
    EXPECT_STREQ(name_of(static_cast<VipRole>(99)), "?");
}

TEST(VipClaims, WhoHasIt) {
    EXPECT_FALSE(has_it(VipRole::unfit));
    EXPECT_FALSE(has_it(VipRole::fit));
    EXPECT_FALSE(has_it(VipRole::ready));
    EXPECT_TRUE(has_it(VipRole::holding));
    EXPECT_TRUE(has_it(VipRole::offering));
}

// ---- start ----

TEST_F(TakeoverWhole, ListensFirst) {
    options.listen = 1s;
    begin();
    lb2().liveness = Liveness::unknown;
    lb2().claims.clear();
    now += 3 * beat;
    look();  // whether it could hear before the first one nobody knows
    pass(980ms);
    EXPECT_TRUE(takeover->duties().empty()) << "what an earlier run has left stays";
    EXPECT_TRUE(takeover->deadlines(now).empty());
    EXPECT_EQ(role(), VipRole::ready) << "others have to know who comes first";
    EXPECT_EQ(view().waits, "listens who is there");
    pass(beat);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverWhole, ListensNoLongerThanUntilAllWereHeard) {
    options.listen = 1h;
    begin(2);
    lb2().liveness = Liveness::unknown;
    pass(100ms);
    EXPECT_TRUE(takeover->duties().empty());
    lb2().live();
    lb2().claims.clear();
    look();
    EXPECT_TRUE(takeover->duties().empty()) << "it has said nothing yet";
    lb2().say(VipRole::unfit);
    look();
    EXPECT_FALSE(takeover->duties().empty());
}

// A host that has just booted: nobody can be heard before a link is up.
TEST_F(TakeoverWhole, ListensFromTheMomentItCanHear) {
    options.listen = 1s;
    fitness.hears = false;
    begin();
    lb2().liveness = Liveness::unknown;
    lb2().claims.clear();
    pass(3s);
    EXPECT_TRUE(takeover->duties().empty());
    EXPECT_EQ(view().waits, "listens who is there");
    fitness.hears = true;
    look();
    pass(980ms);
    EXPECT_TRUE(takeover->duties().empty());
    EXPECT_EQ(takeover->next(), now + beat);
    pass(beat);
    EXPECT_TRUE(held());
    fitness.hears = false;
    pass(20s);
    EXPECT_TRUE(held()) << "who has listened does not begin anew";
}

TEST_F(TakeoverWhole, WhoseLinksNeverComeUpListensForSoLong) {
    options.listen = 1s;
    fitness.hears = false;
    begin();
    lb2().liveness = Liveness::unknown;
    lb2().claims.clear();
    pass(longest_deafness + 980ms);
    EXPECT_TRUE(takeover->duties().empty());
    pass(beat);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverWhole, DropsAtOnceWhatAPeerHas) {
    options.listen = 1h;
    options.vips.push_back({other_vip, 10});
    begin(2);
    lb3().liveness = Liveness::unknown;
    lb2().say(VipRole::holding, 3, 10);
    look();
    const auto duties = takeover->duties();
    ASSERT_EQ(duties.size(), 1U);
    EXPECT_EQ(duties[0].vip, vip);
    EXPECT_EQ(duties[0].what, VipDuty::What::absent);
    ASSERT_EQ(takeover->deadlines(now).size(), 1U);
    EXPECT_EQ(takeover->deadlines(now)[0].until, Moment::min());
    EXPECT_EQ(takeover->view().size(), 2U) << "told of all";
    pass(10s);
    EXPECT_FALSE(held()) << "it listens still";
}

TEST_F(TakeoverWhole, ListensUntilItIsKnownWhatThisNodeCan) {
    std::vector<PeerStanding> standings(1);
    standings[0].liveness = Liveness::dead;
    Takeover fresh(options, {"lb2"}, now);
    for (int i = 0; i < 100; ++i)
        fresh.look(standings, 0ns, now += beat);
    EXPECT_TRUE(fresh.duties().empty());
    EXPECT_TRUE(fresh.claims().empty()) << "peers would take it for unfit";
    EXPECT_EQ(fresh.view()[0].unfit, "this node has not said yet what it can");
    fresh.set_fitness(fitness);
    fresh.look(standings, 0ns, now += beat);
    ASSERT_EQ(fresh.duties().size(), 1U);
    EXPECT_EQ(fresh.duties()[0].what, VipDuty::What::held);
}

TEST_F(TakeoverWhole, WhatItDoesNotTakeAfterListeningIsAbsent) {
    options.listen = 100ms;
    fitness.vips[0].carrier = false;
    begin();
    lb2().liveness = Liveness::unknown;
    look();
    pass(100ms);
    EXPECT_EQ(duty().what, VipDuty::What::absent);
    ASSERT_EQ(takeover->duties().size(), 1U);
}

TEST_F(TakeoverWhole, OptionsThatMakeNoSense) {
    TakeoverOptions bad = options;
    bad.interval = 0ns;
    EXPECT_THROW(Takeover(bad, {}, now), std::invalid_argument);
    bad = options;
    bad.dead_after = 1;
    EXPECT_THROW(Takeover(bad, {}, now), std::invalid_argument);
    bad = options;
    bad.vips.resize(most_vips + 1);
    EXPECT_THROW(Takeover(bad, {}, now), std::invalid_argument);
    begin();
    EXPECT_THROW(takeover->set_options(bad), std::invalid_argument);
    EXPECT_THROW(takeover->look({}, 0ns, now), std::invalid_argument);
}

// ---- another configuration ----

TEST_F(TakeoverWhole, AVipThatStaysKeepsItsRole) {
    begin_holding();
    options.vips = {{other_vip, 10}, {vip, 50}};
    options.failback = false;
    takeover->set_options(options);
    EXPECT_EQ(takeover->claims().size(), 1U) << "until the next look";
    const TakeoverOutput out = look();
    EXPECT_TRUE(out.claims_changed);
    const auto claims = takeover->claims();
    ASSERT_EQ(claims.size(), 2U);
    EXPECT_EQ(claims[1].vip, vip);
    EXPECT_EQ(claims[1].role, VipRole::holding);
    EXPECT_EQ(claims[1].epoch, 1U);
    EXPECT_EQ(claims[1].priority, 50U);
    look();
    EXPECT_EQ(takeover->claims()[0].role, VipRole::holding) << "nobody had the new one";
}

TEST_F(TakeoverWhole, AVipThatGoesIsLetGoAtOnce) {
    begin_holding();
    options.vips = {{other_vip, 10}};
    takeover->set_options(options);
    const TakeoverOutput out = look();
    EXPECT_TRUE(out.duties_changed);
    EXPECT_EQ(released(), "it is not configured any more");
    for (const VipDuty& duty : takeover->duties())
        EXPECT_NE(duty.vip, vip);
    for (const VipDeadline& deadline : takeover->deadlines(now))
        EXPECT_NE(deadline.vip, vip);
}

TEST_F(TakeoverWhole, ADelayThatIsShortenedCounts) {
    options.failback_delay = 1h;
    begin_beside(4, 100);
    pass(10s);
    options.failback_delay = 0ns;
    takeover->set_options(options);
    look();
    EXPECT_TRUE(held());
}

TEST_F(TakeoverWhole, EachVipForItself) {
    options.vips = {{vip, 150}, {other_vip, 50}};
    begin();
    lb2().claims = {{other_vip, VipRole::fit, 0, 100, false}, {vip, VipRole::fit, 0, 100, false}};
    look();
    lb2().claims[0].role = VipRole::holding;
    lb2().claims[0].epoch = 1;
    pass(5s);
    const auto claims = takeover->claims();
    EXPECT_EQ(claims[0].role, VipRole::holding);
    EXPECT_EQ(claims[1].role, VipRole::ready);
    EXPECT_EQ(takeover->view()[1].holder, "lb2");
}

// ---- strange claims ----

TEST_F(TakeoverWhole, AClaimBeyondTheHighestEpochCountsForNothing) {
    begin_holding();
    lb2().say(VipRole::holding, most_epoch + 1, 200);
    pass(1s);
    EXPECT_TRUE(held());
    EXPECT_EQ(takeover->highest(), 1U);
    lb2().say(VipRole::ready, ~Epoch{0}, 200);
    pass(1s);
    EXPECT_EQ(takeover->highest(), 1U);
    EXPECT_EQ(found(), lone_deadline) << "nor as one that could take";
}

// Or two would take it from each other for ever.
TEST_F(TakeoverWhole, AtTheHighestEpochWhoHasItKeepsIt) {
    begin_beside(most_epoch, 200);
    lb2().say(VipRole::offering, most_epoch, 200);
    pass(5s);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "epochs are used up");
    lb2().die();
    look();
    EXPECT_TRUE(held());
    look();
    EXPECT_EQ(claim().epoch, most_epoch);
}

TEST_F(TakeoverWhole, OfTwoClaimsForOneVipTheFirstCounts) {
    begin_holding();
    lb2().claims = {{vip, VipRole::ready, 0, 100, false}, {vip, VipRole::holding, 9, 100, false}};
    pass(1s);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverWhole, ClaimsForOtherVipsAreIgnored) {
    begin_holding();
    lb2().claims = {{7, VipRole::holding, 9, 200, false}, {8, VipRole::offering, 9, 200, true}};
    pass(1s);
    EXPECT_TRUE(held());
    EXPECT_EQ(takeover->highest(), 1U);
    EXPECT_EQ(view().next, "");
    EXPECT_EQ(view().nodes.size(), 1U);
}

TEST_F(TakeoverWhole, APeerWithItsClaimsInAnotherOrder) {
    options.vips = {{vip, 150}, {other_vip, 150}};
    begin();
    lb2().claims = {{other_vip, VipRole::holding, 4, 200, false},
                    {vip, VipRole::holding, 5, 200, false}};
    pass(1s);
    EXPECT_EQ(takeover->claims()[0].epoch, 5U);
    EXPECT_EQ(takeover->claims()[1].epoch, 4U);
}

// ---- what is said at once ----

TEST_F(TakeoverWhole, WhatPeersDecideByIsSaidAtOnce) {
    begin_holding();
    said = 0;
    pass(1s);
    EXPECT_EQ(said, 0);
    lb2().say(VipRole::ready, 7);
    pass(1s);
    EXPECT_EQ(said, 0) << "an epoch that it only knows of can wait";
    takeover->move(vip);
    look();
    EXPECT_EQ(said, 1);
    fitness.vips[0].carrier = false;
    look();
    EXPECT_EQ(said, 2);
}

TEST_F(TakeoverWhole, SaysWhenItHasSomethingToDo) {
    options.listen = 1s;
    begin();
    lb2().liveness = Liveness::unknown;
    const Moment began = now;
    look();
    EXPECT_EQ(takeover->next(), began + 1s);
    hands = false;
    pass(1s);
    ASSERT_TRUE(held());
    EXPECT_EQ(takeover->next(), now + longest_taking);
    lb2().live();
    refuse("no");
    look();
    EXPECT_EQ(takeover->next(), now + settle_time) << "lb2 has just been heard";
    pass(settle_time);
    EXPECT_EQ(takeover->next(), now + failed_time - settle_time);
    hands = true;
    pass(failed_time + 1s);
    ASSERT_EQ(role(), VipRole::holding);
    EXPECT_EQ(takeover->next(), Moment::max());
    lb2().say(VipRole::holding, 50, 200);
    look();
    EXPECT_EQ(takeover->next(), now + linger_time);
}

// Whatever is due, it is not due in the past: the thread would spin.
TEST_F(TakeoverWhole, NextIsNeverPast) {
    begin_beside(4, 100);
    for (int i = 0; i < 2000; ++i) {
        if (i % 97 == 0) takeover->move(vip);
        if (i % 131 == 0) fitness.vips[0].carrier = !fitness.vips[0].carrier;
        if (i % 61 == 0) lb2().liveness = i % 2 == 0 ? Liveness::dead : Liveness::alive;
        if (i % 83 == 0) lb2().say(i % 2 == 0 ? VipRole::offering : VipRole::ready, 4);
        if (i % 400 == 0) now += 1s;
        pass(beat);
        ASSERT_GT(takeover->next(), now) << i;
    }
}

// ---- what is told ----

TEST_F(TakeoverWhole, TellsOfTheHolderAndTheNext) {
    begin_holding(3);
    lb2().say(VipRole::fit, 1, 120);
    lb3().say(VipRole::ready, 1, 110);
    peers[2].say(VipRole::unfit, 1, 140);
    look();
    VipView told = view();
    EXPECT_EQ(told.vip, vip);
    EXPECT_EQ(told.role, VipRole::holding);
    EXPECT_EQ(told.priority, 150U);
    EXPECT_EQ(told.holder, "lb1");
    EXPECT_EQ(told.holder_epoch, 1U);
    EXPECT_EQ(told.holders, std::vector<std::string>{"lb1"});
    EXPECT_EQ(told.next, "lb3");
    EXPECT_TRUE(told.next_ready);
    EXPECT_EQ(told.waits, "");
    EXPECT_EQ(told.unfit, "");
    ASSERT_EQ(told.nodes.size(), 4U);
    EXPECT_EQ(told.nodes[0].name, "lb1");
    EXPECT_EQ(told.nodes[0].role, VipRole::holding);
    EXPECT_EQ(told.nodes[3].name, "lb4");
    EXPECT_EQ(told.nodes[3].role, VipRole::unfit);
    EXPECT_EQ(told.nodes[3].priority, 140U);
    lb3().die();
    look();
    told = view();
    EXPECT_EQ(told.next, "lb2");
    EXPECT_FALSE(told.next_ready);
    lb2().die();
    look();
    EXPECT_EQ(view().next, "");
}

TEST_F(TakeoverWhole, TellsOfAHolderThatIsAPeer) {
    begin_beside(4, 200, true);
    pass(2s);
    VipView told = view();
    EXPECT_EQ(told.role, VipRole::ready);
    EXPECT_EQ(told.holder, "lb2");
    EXPECT_EQ(told.holder_epoch, 4U);
    EXPECT_TRUE(told.moved);
    EXPECT_EQ(told.next, "lb1");
    EXPECT_TRUE(told.next_ready);
    EXPECT_EQ(told.waits, "");
    fitness.synced = false;
    look();
    EXPECT_FALSE(view().next_ready);
}

TEST_F(TakeoverWhole, TellsSinceWhen) {
    begin_holding();
    const Moment since = view().since;
    pass(10s);
    EXPECT_EQ(view().since, since);
    fitness.vips[0].carrier = false;
    look();
    EXPECT_EQ(view().since, now);
}

TEST_F(TakeoverWhole, TellsHowLongItWaits) {
    options.failback_delay = 3h;
    begin_beside(4, 100);
    pass(2s);
    EXPECT_EQ(view().waits, "takes it back in 3 h");
    now += 100min;
    look();
    now += 1s;
    look();
    pass(2s);
    EXPECT_EQ(view().waits, "takes it back in 3 h") << "it slept, and is ready anew";
}

}  // namespace
}  // namespace bascule::sync::test
