// SPDX-License-Identifier: Apache-2.0
#include "sync/pace.h"

#include <gtest/gtest.h>

namespace bascule::sync {
namespace {

TEST(Pace, SoManyAtOnceAndSoManyASecond) {
    Pace pace(1'000, 100);
    Moment now{std::chrono::seconds(50)};
    int taken = 0;
    while (pace.allows(now)) {
        pace.take(1);
        ++taken;
    }
    EXPECT_EQ(taken, 100);
    for (int i = 0; i < 1'000; ++i) {
        now += std::chrono::milliseconds(1);
        while (pace.allows(now)) {
            pace.take(1);
            ++taken;
        }
    }
    EXPECT_NEAR(taken, 1'100, 2);
    now += std::chrono::hours(1);
    taken = 0;
    while (pace.allows(now)) {
        pace.take(1);
        ++taken;
    }
    EXPECT_EQ(taken, 100);
}

TEST(Pace, TooMuchIsPaidBack) {
    Pace pace(1'000, 100);
    const Moment now{std::chrono::seconds(50)};
    EXPECT_TRUE(pace.allows(now));
    pace.take(1'000);
    EXPECT_FALSE(pace.allows(now + std::chrono::milliseconds(899)));
    EXPECT_TRUE(pace.allows(now + std::chrono::milliseconds(902)));
}

}  // namespace
}  // namespace bascule::sync
