// SPDX-License-Identifier: Apache-2.0
#include "health/durations.h"

#include <gtest/gtest.h>

namespace bascule::health {
namespace {

using namespace std::chrono_literals;

TEST(Durations, EachFallsIntoTheFirstBucketThatHoldsIt) {
    Durations durations;
    for (const auto took : {0us, 1000us, 1001us, 5'000'000us, 5'000'001us})
        durations.add(took);
    EXPECT_EQ(durations.counts()[0], 2u);
    EXPECT_EQ(durations.counts()[1], 1u);
    EXPECT_EQ(durations.counts()[Durations::bounds.size() - 1], 1u);
    EXPECT_EQ(durations.counts()[Durations::bounds.size()], 1u);
    EXPECT_EQ(durations.sum(), 10'002'002us);
}

}  // namespace
}  // namespace bascule::health
