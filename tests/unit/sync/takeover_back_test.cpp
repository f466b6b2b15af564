// SPDX-License-Identifier: Apache-2.0
// When a node takes a VIP from one that has it: rules 9 to 11 of takeover.h.
#include "tests/unit/sync/takeover_bed.h"

namespace bascule::sync::test {
namespace {

class TakeoverBack : public TakeoverAlone {};

// ---- 9: offers ----

TEST_F(TakeoverBack, TakesWhatIsOffered) {
    options.failback = false;
    begin_beside(4, 200);
    fitness.synced = false;
    look();
    lb2().say(VipRole::offering, 4, 200);
    look();
    EXPECT_TRUE(held());
    EXPECT_EQ(duty().epoch, 5U);
    look();
    EXPECT_EQ(taken(), "lb2 offers it");
    EXPECT_FALSE(claim().moved);
}

TEST_F(TakeoverBack, WhatIsOfferedByTheOperatorsWordIsHadByIt) {
    begin_beside(4, 200);
    fitness.synced = false;
    look();
    lb2().say(VipRole::offering, 4, 200, true);
    pass(1s);
    EXPECT_FALSE(held()) << "for the operator's word one has to be ready";
    fitness.synced = true;
    pass(1s);
    EXPECT_TRUE(held());
    look();
    EXPECT_TRUE(claim().moved);
    EXPECT_TRUE(view().moved);
}

TEST_F(TakeoverBack, TheBestOfTheOthersTakesWhatIsOffered) {
    begin(2);
    lb2().say(VipRole::offering, 4, 200);
    lb3().say(VipRole::ready, 4, 200);
    pass(1s);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "lb3 comes first");
    lb3().say(VipRole::ready, 4, 149);
    pass(20ms);
    EXPECT_TRUE(held());
}

// Two would have it.
TEST_F(TakeoverBack, DoesNotTakeFromOneThatDoesNotHearIt) {
    begin();
    lb2().hears_us = false;
    lb2().say(VipRole::offering, 4);
    pass(5s);
    EXPECT_FALSE(held());
    lb2().say(VipRole::holding, 4);
    takeover->move(vip);
    pass(5s);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "lb2 does not hear this node");
    lb2().hears_us = true;
    look();
    EXPECT_TRUE(held());
}

// ---- 10: by priority ----

TEST_F(TakeoverBack, TakesItBackWhenItIsReady) {
    begin_beside(4, 100);
    fitness.synced = false;
    pass(10s);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "not in step yet");
    fitness.synced = true;
    look();
    EXPECT_EQ(view().waits, "takes it back in 1 s");
    pass(settle_time - beat);
    EXPECT_FALSE(held());
    pass(beat);
    EXPECT_TRUE(held());
    look();
    EXPECT_EQ(taken(), "priority 150, over 100 of lb2");
    EXPECT_FALSE(claim().moved);
}

TEST_F(TakeoverBack, TakesItBackAfterTheDelay) {
    options.failback_delay = 30s;
    begin_beside(4, 100);
    pass(20s);
    fitness.synced = false;
    look();
    fitness.synced = true;
    look();
    pass(29s + 980ms);
    EXPECT_FALSE(held()) << "ready all the time";
    pass(beat);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverBack, NeverTakesItBackWhereThatIsNotWanted) {
    options.failback = false;
    begin_beside(4, 100);
    pass(1min);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "failback is never");
}

TEST_F(TakeoverBack, OfEqualPrioritiesNobodyTakesItBack) {
    begin_beside(4, 150);
    pass(1min);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "");
}

TEST_F(TakeoverBack, LeavesItToAnotherThatComesFirst) {
    begin(2);
    lb2().say(VipRole::holding, 4, 100);
    lb3().say(VipRole::ready, 4, 200);
    pass(10s);
    EXPECT_FALSE(held());
    EXPECT_EQ(view().waits, "lb3 comes first");
    lb3().say(VipRole::fit, 4, 200);
    look();
    EXPECT_TRUE(held());
}

// What this node says of being in step is of before they found each other.
TEST_F(TakeoverBack, TakesNothingBackRightAfterASplit) {
    begin(2);
    lb2().die();
    pass(10s);
    ASSERT_EQ(role(), VipRole::holding);
    lb2().live();
    lb2().say(VipRole::holding, 9, 100);
    pass(980ms);
    EXPECT_FALSE(held());
    pass(60ms);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverBack, WhoWasAloneIsNotReadyForASecond) {
    begin();
    lb2().say(VipRole::holding, 4, 200);
    look();
    EXPECT_EQ(role(), VipRole::fit);
    pass(1s);
    EXPECT_EQ(role(), VipRole::ready);
    lb2().die();
    fitness.vips[0].carrier = false;
    pass(1s);
    fitness.vips[0].carrier = true;
    lb2().live();
    look();
    EXPECT_EQ(role(), VipRole::fit);
}

TEST_F(TakeoverBack, WhoWasNotAloneStaysReady) {
    begin(2);
    lb2().say(VipRole::holding, 4, 200);
    pass(2s);
    lb3().die();
    pass(1s);
    lb3().live();
    look();
    EXPECT_EQ(role(), VipRole::ready);
}

TEST_F(TakeoverBack, AFlappingLinkTakesNothingBack) {
    begin_beside(4, 100);
    for (int i = 0; i < 100; ++i) {
        fitness.vips[0].carrier = i % 2 == 0;
        pass(100ms);
        ASSERT_FALSE(held());
    }
}

// ---- 11: by the operator's word ----

TEST_F(TakeoverBack, TakesItByTheOperatorsWord) {
    begin_beside(4, 200);
    pass(3s);
    ASSERT_FALSE(held());
    takeover->move(vip);
    look();
    EXPECT_TRUE(held());
    look();
    EXPECT_EQ(taken(), "the operator's word");
    EXPECT_TRUE(claim().moved);
    EXPECT_EQ(claim().epoch, 5U);
}

TEST_F(TakeoverBack, TheOperatorsWordWaitsALittle) {
    begin_beside(4, 200);
    pass(500ms);
    takeover->move(vip);
    look();
    EXPECT_FALSE(held());
    pass(offer_time - beat);
    EXPECT_TRUE(held());
}

TEST_F(TakeoverBack, TheOperatorsWordIsForgotten) {
    begin_beside(4, 200);
    fitness.synced = false;
    pass(3s);
    takeover->move(vip);
    pass(offer_time);
    fitness.synced = true;
    pass(10s);
    EXPECT_FALSE(held());
}

TEST_F(TakeoverBack, AWordOfAVipThatIsNotConfiguredIsNone) {
    begin_beside(4, 200);
    takeover->move(vip + 1);
    pass(3s);
    EXPECT_FALSE(held());
}

}  // namespace
}  // namespace bascule::sync::test
