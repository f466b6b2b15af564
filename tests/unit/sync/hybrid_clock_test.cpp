// SPDX-License-Identifier: Apache-2.0
#include "sync/hybrid_clock.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace bascule::sync {
namespace {

constexpr WallMilliseconds hour = 3600 * 1000;
constexpr WallMilliseconds today = 1'763'000'000'000;

TEST(HybridClock, FollowsTheWallClock) {
    HybridClock clock;
    EXPECT_EQ(milliseconds_of(clock.next(today)), today);
    EXPECT_EQ(clock.next(today + 5), hybrid_from(today + 5));
}

TEST(HybridClock, CountsWithinAMillisecond) {
    HybridClock clock;
    const HybridTime first = clock.next(today);
    EXPECT_EQ(clock.next(today), first + 1);
    EXPECT_EQ(clock.next(today), first + 2);
    EXPECT_EQ(clock.next(today + 1), hybrid_from(today + 1)) << "and begins anew in the next";
}

TEST(HybridClock, DoesNotGoBackWithTheWallClock) {
    HybridClock clock;
    const HybridTime before = clock.next(today);
    EXPECT_EQ(clock.next(today - hour), before + 1);
    EXPECT_EQ(clock.next(0), before + 2);
}

TEST(HybridClock, IsLaterThanWhatItSaw) {
    HybridClock clock;
    clock.next(today);
    clock.saw(hybrid_from(today + hour) + 7);
    EXPECT_EQ(clock.next(today + 1), hybrid_from(today + hour) + 8);
    clock.saw(hybrid_from(today));
    EXPECT_EQ(clock.last(), hybrid_from(today + hour) + 8) << "what is older changes nothing";
}

TEST(HybridClock, GoesOnWhereAnEarlierRunEnded) {
    HybridClock clock(hybrid_from(today) + 3);
    EXPECT_EQ(clock.last(), hybrid_from(today) + 3);
    EXPECT_EQ(clock.next(today - hour), hybrid_from(today) + 4);
}

TEST(HybridClock, AFullCounterCarriesIntoTheMilliseconds) {
    HybridClock clock;
    HybridTime before = clock.next(today);
    for (int i = 0; i < 70'000; i++) {
        const HybridTime now = clock.next(today);
        ASSERT_GT(now, before);
        before = now;
    }
    EXPECT_EQ(milliseconds_of(before), today + 1);
}

TEST(HybridClock, AWallClockBeyondAllReasonCannotEndIt) {
    HybridClock clock;
    HybridTime before = clock.next(std::numeric_limits<WallMilliseconds>::max());
    EXPECT_LT(before, latest_time);
    for (int i = 0; i < 1000; i++) {
        const HybridTime now = clock.next(std::numeric_limits<WallMilliseconds>::max());
        ASSERT_GT(now, before);
        before = now;
    }
    // Nor can the latest of all that is believed.
    clock.saw(latest_time - 1);
    EXPECT_GT(clock.next(today), latest_time - 1);
}

TEST(HybridClock, AlwaysRises) {
    std::mt19937_64 random(7);
    HybridClock clock;
    HybridTime before = 0;
    for (int i = 0; i < 20'000; i++) {
        const WallMilliseconds wall = today + random() % (4 * hour) - 2 * hour;
        if (random() % 4 == 0) clock.saw(hybrid_from(wall) + random() % 70'000);
        const HybridTime now = clock.next(wall);
        ASSERT_GT(now, before);
        ASSERT_GE(milliseconds_of(now), wall);
        before = now;
    }
}

}  // namespace
}  // namespace bascule::sync
