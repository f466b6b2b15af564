// SPDX-License-Identifier: Apache-2.0
// When a node takes a VIP that nobody has: rules 7 and 8 of takeover.h.
#include "tests/unit/sync/takeover_bed.h"

namespace bascule::sync::test {
namespace {

class TakeoverTaking : public TakeoverAlone {};

// ---- how it is taken ----

TEST_F(TakeoverTaking, FirstTheAddressThenTheWord) {
    begin();
    hands = false;
    const TakeoverOutput out = look();
    EXPECT_TRUE(out.duties_changed);
    EXPECT_TRUE(held());
    EXPECT_EQ(duty().epoch, 1U);
    EXPECT_FALSE(has_it(role()));
    EXPECT_EQ(taken(), "nothing");
    work();
    const TakeoverOutput then = look();
    EXPECT_TRUE(then.claims_changed);
    EXPECT_FALSE(then.duties_changed);
    EXPECT_EQ(role(), VipRole::holding);
    EXPECT_EQ(claim().epoch, 1U);
    EXPECT_EQ(taken(), "nobody has it");
}

TEST_F(TakeoverTaking, AnAnswerToAnEarlierDutyIsNone) {
    begin();
    hands = false;
    look();
    takeover->set_holdings({{.vip = vip, .epoch = 0, .here = true, .problem = {}}});
    look();
    EXPECT_FALSE(has_it(role()));
    takeover->set_holdings({{.vip = vip, .epoch = 0, .here = false, .problem = "eth0 is down"}});
    look();
    EXPECT_TRUE(held());
    takeover->set_holdings({});
    look();
    EXPECT_TRUE(held());
}

TEST_F(TakeoverTaking, ATakingThatFailsMakesUnfitForAWhile) {
    begin();
    hands = false;
    look();
    refuse("eth0: permission denied");
    look();
    EXPECT_FALSE(held());
    EXPECT_EQ(role(), VipRole::unfit);
    EXPECT_EQ(failed(), "eth0: permission denied");
    EXPECT_EQ(view().waits, "eth0: permission denied");
    pass(failed_time - beat);
    EXPECT_FALSE(held());
    pass(beat);
    EXPECT_TRUE(held());
    EXPECT_EQ(duty().epoch, 2U);
}

TEST_F(TakeoverTaking, ATakingThatHangsFails) {
    begin();
    hands = false;
    look();
    pass(longest_taking - beat);
    EXPECT_TRUE(held());
    pass(beat);
    EXPECT_FALSE(held());
    EXPECT_EQ(role(), VipRole::unfit);
    EXPECT_EQ(failed(), "the address was not there after a second");
}

// Whoever holds the host's address table up holds it up for the next taking as well.
TEST_F(TakeoverTaking, ATakingGoesOnWhereNobodyElseCan) {
    begin();
    lb2().die();
    hands = false;
    look();
    pass(4s);
    EXPECT_TRUE(held());
    EXPECT_EQ(failed(), "the address was not there after a second");
    refuse("eth0: device or resource busy");
    pass(1s);
    EXPECT_TRUE(held());
    EXPECT_EQ(moves.size(), 1U) << "told once";
    EXPECT_EQ(view().problem, "eth0: device or resource busy");
    EXPECT_FALSE(has_it(role()));
    work();
    look();
    EXPECT_EQ(role(), VipRole::holding);

    begin();
    lb2().die();
    look();
    pass(4s);
    lb2().live();
    look();
    EXPECT_FALSE(held()) << "as soon as another one can";
    EXPECT_EQ(role(), VipRole::unfit);
}

TEST_F(TakeoverTaking, ATakingIsBrokenOffByWhatMakesUnfit) {
    begin();
    hands = false;
    look();
    fitness.attached = false;
    look();
    EXPECT_FALSE(held());
    EXPECT_EQ(failed(), "no program is attached");
    fitness.attached = true;
    look();
    EXPECT_FALSE(held()) << "not more often than once an interval";
    pass(beat);
    EXPECT_TRUE(held()) << "the hands were not at fault";
}

TEST_F(TakeoverTaking, RaisesTheEpochAboveAllThatWasHeard) {
    begin(2);
    fitness.vips[0].carrier = false;
    lb2().say(VipRole::holding, 41);
    lb3().say(VipRole::ready, 77);
    look();
    lb2().die();
    lb3().die();
    fitness.vips[0].carrier = true;
    look();
    EXPECT_EQ(duty().epoch, 78U);
    EXPECT_EQ(takeover->highest(), 78U);
}

TEST_F(TakeoverTaking, RaisesTheEpochAboveWhatItsDiskRemembers) {
    options.epoch_floor = 1000;
    begin();
    look();
    EXPECT_EQ(duty().epoch, 1001U);
    EXPECT_EQ(takeover->highest(), 1001U);
}

// ---- 7: not while ----

TEST_F(TakeoverTaking, NotWhileUnfit) {
    for (int reason = 0; reason < 5; ++reason) {
        OwnFitness unfit = fitness;
        unfit.vips[0].carrier = reason != 0;
        unfit.vips[0].wanted = reason != 1;
        unfit.attached = reason != 2;
        unfit.leaving = reason == 3;
        if (reason == 4) unfit.vips.clear();
        const OwnFitness well = std::exchange(fitness, unfit);
        begin();
        pass(5s);
        EXPECT_FALSE(held()) << reason;
        EXPECT_EQ(role(), VipRole::unfit) << reason;
        EXPECT_NE(view().unfit, "") << reason;
        fitness = well;
        look();
        EXPECT_TRUE(held()) << reason;
    }
}

TEST_F(TakeoverTaking, NotWithoutAWitnessThatOthersSee) {
    fitness.witness = false;
    begin();
    pass(3s);
    EXPECT_FALSE(held());
    lb2().witness = false;
    look();
    EXPECT_TRUE(held());
}

TEST_F(TakeoverTaking, NotWithoutAWitnessAndAlone) {
    fitness.witness = false;
    begin();
    lb2().die();
    pass(3s);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().unfit, "no witness answers");
}

// ---- 8: nobody has it ----

TEST_F(TakeoverTaking, WhoIsBestTakesIt) {
    begin();
    lb2().say(VipRole::fit, 0, 149);
    look();
    EXPECT_TRUE(held());

    begin();
    lb2().say(VipRole::ready, 0, 151);
    pass(1s);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "lb2 comes first");
    lb2().say(VipRole::unfit, 0, 151);
    look();
    EXPECT_TRUE(held());
}

TEST_F(TakeoverTaking, OfEqualsTheFirstByName) {
    begin();
    lb2().say(VipRole::fit, 0, 150);
    look();
    EXPECT_TRUE(held());

    options.self = "lb4";
    begin();
    lb2().say(VipRole::fit, 0, 150);
    look();
    EXPECT_FALSE(held());
}

TEST_F(TakeoverTaking, ReadyOnesComeFirst) {
    fitness.synced = false;
    begin();
    lb2().say(VipRole::ready, 0, 1);
    pass(500ms);
    EXPECT_FALSE(held());
    lb2().say(VipRole::fit, 0, 1);
    look();
    EXPECT_TRUE(held());
}

TEST_F(TakeoverTaking, TakesItAtOnceFromTheDead) {
    begin_beside(4, 100, true);
    fitness.synced = false;
    pass(5s);
    ASSERT_FALSE(held());
    lb2().liveness = Liveness::suspect;
    lb2().speaks = false;
    pass(5s);
    ASSERT_FALSE(held()) << "a suspect still has it";
    lb2().die();
    look();
    EXPECT_TRUE(held());
    EXPECT_EQ(duty().epoch, 5U);
    look();
    EXPECT_EQ(taken(), "lb2 is dead");
    EXPECT_FALSE(claim().moved) << "the operator's word died with it";
}

TEST_F(TakeoverTaking, OneThatDoesNotHearItComesFirst) {
    begin();
    lb2().say(VipRole::fit, 0, 1);
    lb2().hears_us = false;
    pass(1s);
    EXPECT_FALSE(held());
    lb2().hears_us = true;
    look();
    EXPECT_TRUE(held());
}

// lb2 offers it, lb3 has it as well, and hears neither of them.
TEST_F(TakeoverTaking, DoesNotTakeWhileOneHasItThatDoesNotHearIt) {
    begin(2);
    lb2().say(VipRole::offering, 9);
    lb3().say(VipRole::holding, 4);
    lb3().hears_us = false;
    look();
    pass(10s);
    EXPECT_FALSE(held());
    EXPECT_LE(moves.size(), 2U) << "taken before it was known, if at all";
    EXPECT_EQ(view().waits, "lb3 does not hear this node");
}

TEST_F(TakeoverTaking, WaitsForOneThatComesFirstNoLongerThanATakingMayLast) {
    begin();
    lb2().say(VipRole::ready, 0, 200);
    look();
    pass(longest_taking + 100ms);
    EXPECT_FALSE(held());
    pass(beat);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverTaking, TheWaitBeginsAnewWhenSomebodyHadItMeanwhile) {
    begin();
    lb2().say(VipRole::ready, 0, 200);
    pass(1s);
    lb2().say(VipRole::holding, 1, 200);
    look();
    lb2().say(VipRole::ready, 1, 200);
    pass(1s);
    EXPECT_FALSE(held());
}

// Of three, two of which do not hear each other.
TEST_F(TakeoverTaking, DoesNotTakeWhatAPeerHearsAnotherHave) {
    begin(2);
    lb3().die();
    lb2().say(VipRole::fit, 7, 50);
    lb2().claims[0].heard = true;
    pass(1min);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "lb2 hears one that has it");
    EXPECT_FALSE(claim().heard) << "only what it hears itself";
    lb2().speaks = false;  // and what it said is old
    pass(100ms);
    EXPECT_FALSE(held());
    pass(20ms);
    EXPECT_TRUE(held());
    EXPECT_EQ(duty().epoch, 8U);
}

TEST_F(TakeoverTaking, SaysThatItHearsOne) {
    begin_beside(4, 200);
    EXPECT_TRUE(claim().heard);
    EXPECT_EQ(claim().epoch, 4U);
    said = 0;
    lb2().say(VipRole::unfit, 9);
    fitness.vips[0].carrier = false;
    look();
    EXPECT_FALSE(claim().heard);
    EXPECT_EQ(claim().epoch, 9U);
    EXPECT_EQ(said, 1);
}

// What it says is not believed; that it may have the VIP is.
TEST_F(TakeoverTaking, BesideAnIncompatiblePeerNothingIsTaken) {
    begin();
    lb2().say(VipRole::holding, 9, 200);
    lb2().incompatible = true;
    pass(1s);
    EXPECT_EQ(role(), VipRole::unfit);
    EXPECT_EQ(duty().what, VipDuty::What::absent);
    EXPECT_EQ(view().holder, "");
    EXPECT_EQ(view().next, "");
}

}  // namespace
}  // namespace bascule::sync::test
