// SPDX-License-Identifier: Apache-2.0
// What a node offers, how long it is found by what it has, and when it announces it again.
#include "tests/unit/sync/takeover_bed.h"

namespace bascule::sync::test {
namespace {

class TakeoverOffer : public TakeoverAlone {};

// ---- 6: offers ----

TEST_F(TakeoverOffer, OffersItWhenItLeaves) {
    begin_holding();
    lb2().say(VipRole::fit);
    fitness.leaving = true;
    look();
    EXPECT_EQ(role(), VipRole::offering);
    EXPECT_EQ(offered(), "this node leaves");
    EXPECT_FALSE(duty().parting);
    EXPECT_EQ(found(), 85ms) << "who has said good-bye is not probed";
    pass(10s);
    EXPECT_TRUE(held()) << "it stays until it is taken";
    lb2().say(VipRole::holding, 2);
    look();
    EXPECT_EQ(duty().what, VipDuty::What::lingering);
    pass(10s);
    EXPECT_EQ(role(), VipRole::unfit);
}

TEST_F(TakeoverOffer, WhoLeavesAloneKeepsItForAMinute) {
    begin_holding();
    lb2().die();
    fitness.leaving = true;
    look();
    EXPECT_TRUE(held());
    EXPECT_EQ(role(), VipRole::holding);
    EXPECT_TRUE(duty().parting);
    EXPECT_EQ(found(), parting_deadline);
    EXPECT_EQ(offered(), "nothing");
    EXPECT_EQ(view().next, "");
    // One comes in the last moment.
    lb2().live();
    look();
    EXPECT_FALSE(duty().parting);
    EXPECT_EQ(role(), VipRole::offering);
}

TEST_F(TakeoverOffer, WhoLeavesDoesNotOfferItToThoseThatCannotOrDoNotHearIt) {
    begin_holding(3);
    for (ScriptedPeer& peer : peers)
        peer.say(VipRole::unfit);
    fitness.leaving = true;
    look();
    EXPECT_EQ(role(), VipRole::holding);
    EXPECT_TRUE(duty().parting);
    lb2().say(VipRole::ready);
    lb2().hears_us = false;
    lb3().say(VipRole::ready);
    lb3().incompatible = true;
    look();
    EXPECT_EQ(role(), VipRole::holding);
    EXPECT_FALSE(duty().parting) << "lb2 takes it for itself";
    EXPECT_LE(found(), 100ms);
}

TEST_F(TakeoverOffer, OffersItWithoutAProgram) {
    begin_holding();
    fitness.attached = false;
    look();
    EXPECT_EQ(role(), VipRole::offering);
    EXPECT_EQ(offered(), "no program is attached");
    lb2().say(VipRole::unfit);
    look();
    EXPECT_EQ(role(), VipRole::holding) << "better than nobody";
    fitness.attached = true;
    lb2().say(VipRole::ready);
    look();
    EXPECT_EQ(role(), VipRole::holding);
}

TEST_F(TakeoverOffer, GivesItAwayByTheOperatorsWord) {
    begin_holding();
    takeover->move(vip);
    look();
    EXPECT_EQ(role(), VipRole::offering);
    EXPECT_TRUE(claim().moved) << "who takes it has it by the operator's word";
    EXPECT_EQ(offered(), "the operator's word");
    lb2().say(VipRole::holding, 2, 100, true);
    look();
    EXPECT_FALSE(held());
    EXPECT_FALSE(claim().moved);
    pass(1min);
    EXPECT_FALSE(held()) << "moved: priority does not count";
    EXPECT_EQ(view().waits, "lb2 has it by the operator's word");
}

TEST_F(TakeoverOffer, AnOfferThatNobodyTakesIsForgotten) {
    begin_holding();
    takeover->move(vip);
    look();
    pass(offer_time - beat);
    EXPECT_EQ(role(), VipRole::offering);
    pass(beat);
    EXPECT_EQ(role(), VipRole::holding);
    EXPECT_FALSE(claim().moved);
    EXPECT_EQ(claim().epoch, 1U);
}

TEST_F(TakeoverOffer, ByTheOperatorsWordItIsOfferedOnlyToTheReady) {
    begin_holding();
    lb2().say(VipRole::fit);
    takeover->move(vip);
    pass(offer_time / 2);
    EXPECT_EQ(role(), VipRole::holding);
    EXPECT_EQ(offered(), "nothing");
    lb2().say(VipRole::ready);
    look();
    EXPECT_EQ(role(), VipRole::offering);
}

// ---- how long it is found ----

TEST_F(TakeoverOffer, IsFoundAsLongAsAPeerWaitsBeforeItTakes) {
    begin_holding();
    EXPECT_EQ(found(), 100ms);
    lb2().say(VipRole::fit);
    look();
    EXPECT_EQ(found(), 100ms);
    lb2().liveness = Liveness::suspect;
    look();
    EXPECT_EQ(found(), 100ms);
    lb2().say(VipRole::unfit);
    look();
    EXPECT_EQ(found(), lone_deadline);
    lb2().say(VipRole::ready);
    lb2().incompatible = true;
    look();
    EXPECT_EQ(found(), 100ms) << "a newer release takes as any other does";
    lb2().die();
    look();
    EXPECT_EQ(found(), lone_deadline);
}

TEST_F(TakeoverOffer, IsFoundWhileItIsBeingTaken) {
    begin();
    hands = false;
    look();
    EXPECT_EQ(found(), 100ms) << "the first to be told may ask at once";
}

// ---- the last word on the wire ----

TEST_F(TakeoverOffer, AnnouncesAgainAfterAPeerLetGo) {
    begin_holding();
    const std::uint64_t before = duty().announcements;
    lb2().say(VipRole::holding, 0);
    pass(200ms);
    EXPECT_EQ(duty().announcements, before);
    lb2().say(VipRole::ready);
    const TakeoverOutput out = look();
    EXPECT_TRUE(out.duties_changed);
    EXPECT_EQ(duty().announcements, before + 1);
    pass(1s);
    EXPECT_EQ(duty().announcements, before + 1);
}

// Who does not hear the holder may take the VIP, announce it, and find out before it says so.
TEST_F(TakeoverOffer, AnnouncesAgainWhenAPeerHearsItAtLast) {
    begin_holding();
    const std::uint64_t before = duty().announcements;
    lb2().claims[0].heard = true;
    look();
    EXPECT_EQ(duty().announcements, before + 1);
    pass(1s);
    EXPECT_EQ(duty().announcements, before + 1);
}

// It may have begun to take what was offered, announced it, and lost its carrier before it said so.
TEST_F(TakeoverOffer, AnnouncesAgainWhenAPeerCannotTakeItAnyMore) {
    begin_holding();
    fitness.attached = false;
    pass(200ms);
    ASSERT_EQ(role(), VipRole::offering);
    const std::uint64_t before = duty().announcements;
    lb2().say(VipRole::unfit);
    const TakeoverOutput out = look();
    EXPECT_TRUE(out.duties_changed);
    EXPECT_TRUE(held());
    EXPECT_EQ(duty().announcements, before + 1);
    lb2().say(VipRole::fit);
    pass(200ms);
    lb2().say(VipRole::ready);
    pass(1s);
    EXPECT_EQ(duty().announcements, before + 1) << "who could not take it has not announced it";
}

// It may have had the VIP while they did not hear each other.
TEST_F(TakeoverOffer, AnnouncesAgainWhenAPeerComesToLife) {
    begin_holding();
    const std::uint64_t before = duty().announcements;
    lb2().die();
    pass(1s);
    EXPECT_EQ(duty().announcements, before);
    lb2().live();
    look();
    EXPECT_EQ(duty().announcements, before + 1);
    lb2().liveness = Liveness::suspect;
    pass(1s);
    lb2().liveness = Liveness::alive;
    pass(1s);
    EXPECT_EQ(duty().announcements, before + 1) << "a suspect has not been away";
}

// It may have taken the VIP, and died before it was found dead.
TEST_F(TakeoverOffer, AnnouncesAgainWhenAPeerWasStartedAnew) {
    begin_holding();
    const std::uint64_t before = duty().announcements;
    ++lb2().incarnation;
    look();
    EXPECT_EQ(duty().announcements, before + 1);
    pass(1s);
    EXPECT_EQ(duty().announcements, before + 1);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverOffer, AnnouncesAgainAfterTheOldHolderLetGo) {
    fitness.vips[0].carrier = false;
    begin_beside(4, 100);
    fitness.vips[0].carrier = true;
    pass(3s);
    ASSERT_EQ(role(), VipRole::holding);
    const std::uint64_t before = duty().announcements;
    lb2().say(VipRole::ready, 5);
    look();
    EXPECT_EQ(duty().announcements, before + 1);
}

TEST_F(TakeoverOffer, WhoDoesNotHaveItAnnouncesNothing) {
    begin_beside(4, 200);
    pass(1s);
    lb2().die();
    hands = false;
    fitness.vips[0].carrier = false;
    pass(1s);
    lb2().live();
    lb2().say(VipRole::ready, 4, 200);
    pass(1s);
    EXPECT_EQ(duty().announcements, 0U);
}

// Its backends cannot be reached from here: an interface has lost its address, say.
TEST_F(TakeoverOffer, WithoutARouteItIsOfferedToWhoIsReady) {
    begin_holding();
    lb2().say(VipRole::fit);
    fitness.vips[0].routed = false;
    pass(5s);
    EXPECT_EQ(role(), VipRole::holding) << "nobody would do better";
    lb2().say(VipRole::ready);
    look();
    EXPECT_EQ(role(), VipRole::offering);
    EXPECT_EQ(offered(), "no route to any backend");
    lb2().say(VipRole::holding, 2);
    look();
    EXPECT_FALSE(held());
    lb2().say(VipRole::holding, 2, 100);
    pass(1min);
    EXPECT_FALSE(held());
    EXPECT_EQ(role(), VipRole::fit);
    EXPECT_EQ(view().waits, "no route to any backend");
    fitness.vips[0].routed = true;
    pass(2s);
    EXPECT_TRUE(held());
}

}  // namespace
}  // namespace bascule::sync::test
