// SPDX-License-Identifier: Apache-2.0
#include "cli/drain_progress.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cli/duration.h"

namespace bascule::cli {
namespace {

TEST(DrainProgress, EstimatesFromHowTheSessionsEnd) {
    DrainProgress progress;
    EXPECT_EQ(progress.estimate(), std::nullopt);
    // A mean life of 60 seconds.
    for (int t = 0; t <= 60; ++t) {
        const auto left = static_cast<std::uint64_t>(100'000 * std::exp(-t / 60.0));
        progress.take(t, left);
    }
    ASSERT_TRUE(progress.estimate());
    EXPECT_NEAR(*progress.estimate(), 60 * (std::log(36'787) + 0.577), 2);
}

TEST(DrainProgress, WithoutAnyThatEndsThereIsNoEstimate) {
    DrainProgress progress;
    for (int t = 0; t < 60; ++t)
        progress.take(t, 10);
    EXPECT_EQ(progress.estimate(), std::nullopt);
    progress.take(61, 12);
    EXPECT_EQ(progress.estimate(), std::nullopt);
}

TEST(DrainProgress, WhatEndedLongAgoDoesNotCount) {
    DrainProgress progress;
    progress.take(0, 1000);
    for (int t = 10; t < 400; ++t)
        progress.take(t, 10);
    EXPECT_EQ(progress.estimate(), std::nullopt);
}

TEST(Duration, WithAndWithoutUnit) {
    EXPECT_EQ(parse_duration("90"), std::chrono::seconds(90));
    EXPECT_EQ(parse_duration("90s"), std::chrono::seconds(90));
    EXPECT_EQ(parse_duration("10m"), std::chrono::seconds(600));
    EXPECT_EQ(parse_duration("2h"), std::chrono::seconds(7200));
    EXPECT_EQ(parse_duration("1d"), std::chrono::seconds(86'400));
    for (const char* wrong : {"", "m", "-5", "1.5h", "10 m", "10M", "1h30m", "99999999999999999999",
                              "9223372036854775807d", "36501d"})
        EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace bascule::cli
