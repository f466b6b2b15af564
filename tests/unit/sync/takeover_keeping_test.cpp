// SPDX-License-Identifier: Apache-2.0
// When a node lets go of a VIP that it has: rules 1 to 5 of takeover.h.
#include "tests/unit/sync/takeover_bed.h"

namespace bascule::sync::test {
namespace {

class TakeoverKeeping : public TakeoverAlone {};

// ---- 1: a higher claim ----

TEST_F(TakeoverKeeping, LetsGoOfWhatAPeerHasWithAHigherClaim) {
    begin_holding();
    lb2().say(VipRole::holding, 2);
    const TakeoverOutput out = look();
    EXPECT_TRUE(out.duties_changed);
    EXPECT_TRUE(out.claims_changed);
    EXPECT_EQ(duty().what, VipDuty::What::lingering);
    EXPECT_LT(found(), 0ns);
    EXPECT_EQ(released(), "lb2 has it with epoch 2");
    EXPECT_EQ(role(), VipRole::ready);
    EXPECT_EQ(claim().epoch, 2U) << "the highest that it knows of";
}

TEST_F(TakeoverKeeping, LingersForASecond) {
    begin_holding();
    lb2().say(VipRole::holding, 2, 200);
    look();
    pass(980ms);
    EXPECT_EQ(duty().what, VipDuty::What::lingering);
    pass(20ms);
    EXPECT_EQ(duty().what, VipDuty::What::absent);
}

TEST_F(TakeoverKeeping, LingersNoLongerThanAProgramIsAttached) {
    begin_holding();
    lb2().say(VipRole::holding, 2, 200);
    pass(100ms);
    ASSERT_EQ(duty().what, VipDuty::What::lingering);
    fitness.attached = false;
    look();
    EXPECT_EQ(duty().what, VipDuty::What::absent);
}

// Nothing keeps the host from answering for it.
TEST_F(TakeoverKeeping, DoesNotLingerWhereNoProgramIsAttached) {
    begin_holding();
    fitness.attached = false;
    lb2().say(VipRole::holding, 2);
    look();
    EXPECT_EQ(duty().what, VipDuty::What::absent);
}

TEST_F(TakeoverKeeping, KeepsWhatAPeerHasWithALowerClaim) {
    begin_holding();
    lb2().say(VipRole::holding, 0, 200);
    pass(2s);
    EXPECT_TRUE(held());
    EXPECT_EQ(view().holders, (std::vector<std::string>{"lb1", "lb2"}));
}

TEST_F(TakeoverKeeping, OfEqualEpochsThePriorityCounts) {
    begin_holding();
    lb2().say(VipRole::holding, 1, 149);
    look();
    EXPECT_TRUE(held());
    lb2().say(VipRole::holding, 1, 151);
    look();
    EXPECT_FALSE(held());
}

TEST_F(TakeoverKeeping, OfEqualPrioritiesTheFirstByName) {
    begin_holding(2);
    lb3().say(VipRole::offering, 1, 150);
    look();
    EXPECT_TRUE(held());

    options.self = "lb4";
    begin_holding();
    lb2().say(VipRole::holding, 1, 150);
    look();
    EXPECT_FALSE(held());
}

// It has not heard that this one is there, and goes on for ever.
TEST_F(TakeoverKeeping, LetsGoToOneThatDoesNotHearItForTooLong) {
    begin_holding();
    lb2().hears_us = false;
    lb2().say(VipRole::holding, 0);
    pass(80ms);
    EXPECT_TRUE(held()) << "right after a split nobody hears anybody";
    pass(40ms);
    EXPECT_FALSE(held());
    EXPECT_EQ(released(), "lb2 has it and does not hear this node");
    // And does not take it back while that is so.
    pass(30s);
    EXPECT_FALSE(held());
}

// That one does not hear this node, nor this node it; the third one hears both.
TEST_F(TakeoverKeeping, LetsGoToOneThatOnlyAPeerHears) {
    begin_holding();
    lb2().claims[0].heard = true;
    pass(1s);
    EXPECT_TRUE(held()) << "this very node";
    lb2().claims[0].epoch = 2;
    look();
    EXPECT_EQ(duty().what, VipDuty::What::lingering);
    EXPECT_EQ(released(), "lb2 hears one that has it with a higher epoch");
    pass(10s);
    EXPECT_FALSE(held());
    lb2().claims[0].heard = false;
    look();
    EXPECT_TRUE(held());
}

TEST_F(TakeoverKeeping, BreaksOffATakingForAHigherClaim) {
    begin();
    hands = false;
    look();
    ASSERT_TRUE(held());
    lb2().say(VipRole::holding, 1, 200);
    look();
    EXPECT_EQ(duty().what, VipDuty::What::absent);
    EXPECT_EQ(failed(), "lb2 has it with epoch 1");
    pass(1s);
    EXPECT_EQ(role(), VipRole::ready) << "the hands were not at fault";
}

// ---- 2: not here ----

TEST_F(TakeoverKeeping, LetsGoAtOnceWithoutCarrier) {
    begin_holding();
    fitness.vips[0].carrier = false;
    look();
    EXPECT_EQ(duty().what, VipDuty::What::absent);
    EXPECT_EQ(role(), VipRole::unfit);
    EXPECT_EQ(released(), "no carrier");
}

TEST_F(TakeoverKeeping, LetsGoAtOnceThoughNobodyElseLives) {
    begin_holding();
    lb2().die();
    pass(1s);
    fitness.vips[0].carrier = false;
    look();
    EXPECT_FALSE(held());
    fitness.vips[0].carrier = true;
    look();
    EXPECT_TRUE(held());
    EXPECT_EQ(duty().epoch, 2U);
}

TEST_F(TakeoverKeeping, LetsGoOfWhatItsServicesDoNotWant) {
    begin_holding();
    fitness.vips[0].wanted = false;
    look();
    EXPECT_FALSE(held());
    EXPECT_EQ(released(), "given up for the sake of its services");
}

TEST_F(TakeoverKeeping, LetsGoOfAVipWhoseInterfaceIsNotKnown) {
    begin_holding();
    fitness.vips.clear();
    look();
    EXPECT_FALSE(held());
    EXPECT_EQ(view().unfit, "this node knows no interface for it");
}

// ---- 3: witnesses ----

TEST_F(TakeoverKeeping, LetsGoWhenNeitherWitnessNorPeerIsHeard) {
    begin_holding();
    fitness.witness = false;
    lb2().witness = false;
    pass(1s);
    EXPECT_TRUE(held()) << "the witness may be what died";
    lb2().die();
    look();
    EXPECT_FALSE(held());
    EXPECT_EQ(released(), "no witness answers");
    pass(10s);
    EXPECT_FALSE(held());
    fitness.witness = true;
    look();
    EXPECT_TRUE(held());
}

TEST_F(TakeoverKeeping, OffersItToAPeerThatSeesAWitness) {
    begin_holding();
    fitness.witness = false;
    look();
    EXPECT_TRUE(held());
    EXPECT_EQ(role(), VipRole::offering);
    EXPECT_EQ(offered(), "no witness answers");
    EXPECT_FALSE(claim().moved);
    lb2().say(VipRole::holding, 2);
    look();
    EXPECT_FALSE(held());
    EXPECT_EQ(role(), VipRole::unfit);
}

TEST_F(TakeoverKeeping, WithoutAWitnessAnOfferThatNobodyTakesEnds) {
    begin_holding();
    fitness.witness = false;
    look();
    pass(offer_time - beat);
    EXPECT_TRUE(held());
    pass(beat);
    EXPECT_FALSE(held());
}

TEST_F(TakeoverKeeping, LetsGoWhenAPeerSeesAWitnessAndNobodyCanTake) {
    begin_holding();
    lb2().say(VipRole::unfit);
    fitness.witness = false;
    look();
    EXPECT_FALSE(held());
    EXPECT_EQ(released(), "no witness answers");
}

TEST_F(TakeoverKeeping, AnIncompatiblePeerIsNoWitnessOfAWitness) {
    begin_holding();
    lb2().incompatible = true;
    fitness.witness = false;
    pass(1s);
    EXPECT_TRUE(held());
}

// ---- 4: a long sleep ----

TEST_F(TakeoverKeeping, LetsGoAfterALongSleep) {
    begin_holding();
    lb2().speaks = false;
    sleep(140ms);
    EXPECT_EQ(duty().what, VipDuty::What::lingering);
    EXPECT_EQ(released(), "this node stood still for 140 ms");
    EXPECT_LT(found(), 0ns);
}

TEST_F(TakeoverKeeping, FindsOutByItselfThatItSlept) {
    begin_holding();
    now += 101ms;
    lb2().speaks = false;
    look(0ns);
    EXPECT_FALSE(held());
}

TEST_F(TakeoverKeeping, KeepsItAfterAShortSleep) {
    begin_holding();
    sleep(100ms);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverKeeping, ASurvivorKeepsItAfterALongSleep) {
    begin_holding();
    lb2().die();
    pass(1s);
    const std::uint64_t before = duty().announcements;
    sleep(100ms);
    EXPECT_EQ(duty().announcements, before);
    sleep(2s);
    EXPECT_TRUE(held());
    EXPECT_EQ(duty().announcements, before + 1) << "somebody may have had it meanwhile";
    sleep(10s);
    EXPECT_TRUE(held());
    EXPECT_EQ(duty().announcements, before + 2) << "its address had gone";
}

TEST_F(TakeoverKeeping, KeepsItAfterALongSleepWhereNobodyCouldTake) {
    begin_holding();
    lb2().say(VipRole::unfit);
    look();
    lb2().say(VipRole::ready);  // since then
    sleep(2s);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverKeeping, TakesAgainOnlyAfterEveryPeerWasHeard) {
    begin_holding(2);
    lb2().speaks = false;
    lb3().speaks = false;
    lb2().say(VipRole::fit);
    lb3().say(VipRole::fit);
    look();
    sleep(500ms);
    ASSERT_FALSE(held());
    pass(100ms);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "waits for a word of lb2");
    lb2().speaks = true;
    pass(100ms);
    EXPECT_FALSE(held());
    lb3().speaks = true;
    look();
    EXPECT_TRUE(held());
    EXPECT_EQ(duty().epoch, 2U);
}

TEST_F(TakeoverKeeping, AfterASleepItDoesNotTakeFromWhoHasItMeanwhile) {
    begin_holding();
    lb2().speaks = false;
    sleep(500ms);
    lb2().speaks = true;
    lb2().say(VipRole::holding, 2);
    pass(900ms);
    EXPECT_FALSE(held());
    EXPECT_EQ(role(), VipRole::fit) << "in step counts for nothing yet";
    fitness.synced = false;
    pass(10s);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "not in step yet");
    fitness.synced = true;
    pass(980ms);
    EXPECT_FALSE(held());
    pass(40ms);
    EXPECT_TRUE(held());
}

// One that only answers in other ways is suspect for ever.
TEST_F(TakeoverKeeping, IsNotKeptWaitingForAWordWithoutEnd) {
    begin_holding();
    lb2().say(VipRole::fit);
    lb2().speaks = false;
    lb2().liveness = Liveness::suspect;
    look();
    sleep(500ms);
    pass(1s);
    EXPECT_FALSE(held());
    pass(140ms);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverKeeping, BreaksOffATakingThatSlept) {
    begin();
    hands = false;
    look();
    lb2().speaks = false;
    sleep(500ms);
    EXPECT_FALSE(held());
}

// ---- 5: the address ----

TEST_F(TakeoverKeeping, LetsGoOfAnAddressThatIsNotToBeHad) {
    begin_holding();
    hands = false;
    refuse("eth0: no such device");
    look();
    EXPECT_FALSE(held());
    EXPECT_EQ(role(), VipRole::unfit);
    EXPECT_EQ(released(), "eth0: no such device");
    EXPECT_EQ(view().unfit, "eth0: no such device");
}

TEST_F(TakeoverKeeping, GoesOnTryingWhereNobodyElseCan) {
    begin_holding();
    lb2().say(VipRole::unfit);
    hands = false;
    refuse("eth0: no such device");
    pass(5s);
    EXPECT_TRUE(held());
    EXPECT_EQ(view().problem, "eth0: no such device");
    lb2().say(VipRole::fit);
    look();
    EXPECT_FALSE(held());
}

TEST_F(TakeoverKeeping, AnAddressThatIsBeingMendedIsWaitedFor) {
    begin_holding();
    hands = false;
    refuse("");
    pass(900ms);
    EXPECT_TRUE(held());
    work();
    pass(900ms);
    refuse("");
    pass(900ms);
    EXPECT_TRUE(held());
    pass(200ms);
    EXPECT_FALSE(held());
    EXPECT_EQ(released(), "the address is gone");
}

// Whoever sets addresses hangs: what it said last stands, and the kernel's lease does not.
TEST_F(TakeoverKeeping, LetsGoOfAnAddressThatNobodyRenews) {
    begin_holding();
    hands = false;
    takeover->set_holdings({{vip, duty().epoch, true, {}, now}});
    pass(vip_lease - beat);
    EXPECT_TRUE(held());
    EXPECT_EQ(takeover->next(), now + beat);
    pass(beat);
    EXPECT_FALSE(held());
    EXPECT_EQ(role(), VipRole::unfit);
    EXPECT_EQ(released(), "its address was not renewed for as long as its lease");
}

TEST_F(TakeoverKeeping, KeepsWhatIsRenewedOrNobodyElseCanTake) {
    begin_holding();
    hands = false;
    for (int second = 0; second < 10; ++second) {
        takeover->set_holdings({{vip, duty().epoch, true, {}, now}});
        pass(1s);
    }
    EXPECT_TRUE(held());
    lb2().say(VipRole::unfit);
    pass(10s);
    EXPECT_TRUE(held()) << "the hands may come back, and nobody else has it";
    lb2().say(VipRole::ready);
    look();
    EXPECT_FALSE(held());
}

}  // namespace
}  // namespace bascule::sync::test
