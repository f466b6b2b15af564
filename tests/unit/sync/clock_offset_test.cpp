// SPDX-License-Identifier: Apache-2.0
#include "sync/clock_offset.h"

#include <gtest/gtest.h>

namespace bascule::sync {
namespace {

using std::chrono::seconds;

constexpr Moment start{seconds(1000)};

TEST(ClockOffset, IsWhatTheHelloShowed) {
    ClockOffset offset;
    offset.begin(5'000, 100, start);
    EXPECT_EQ(offset.to_own(90), 4'990u);
}

TEST(ClockOffset, TheOtherClockMayBeAheadOrTurnOver) {
    ClockOffset offset;
    offset.begin(100, 5'000, start);
    EXPECT_EQ(offset.to_own(4'990), 90u);
    offset.begin(3, 0xffff'fff0, start);
    EXPECT_EQ(offset.to_own(0xffff'ffff), 18u);
}

TEST(ClockOffset, AMessageThatTookLongDoesNotMakeYounger) {
    ClockOffset offset;
    offset.begin(5'000, 100, start);
    offset.sample(5'300, 110, start + seconds(300));
    EXPECT_LE(offset.to_own(110), 5'011u);
}

TEST(ClockOffset, AHelloThatTookLongIsMended) {
    ClockOffset offset;
    offset.begin(5'002, 100, start);
    offset.sample(5'010, 110, start + seconds(8));
    EXPECT_EQ(offset.to_own(110), 5'010u);
}

// Ten minutes of a queue that is always two minutes long.
TEST(ClockOffset, RisesByASecondAMinute) {
    ClockOffset offset;
    offset.begin(5'000, 0, start);
    for (Seconds32 i = 1; i <= 600; ++i)
        offset.sample(5'000 + i + 120, i, start + seconds(i));
    EXPECT_GE(offset.to_own(0), 5'005u);
    EXPECT_LE(offset.to_own(0), 5'011u);
    // And is right at once when the queue is empty.
    offset.sample(5'601, 601, start + seconds(601));
    EXPECT_EQ(offset.to_own(0), 5'000u);
}

}  // namespace
}  // namespace bascule::sync
