// SPDX-License-Identifier: Apache-2.0
#include "health/steady_weight.h"

#include <gtest/gtest.h>

namespace bascule::health {
namespace {

using namespace std::chrono_literals;

const SteadyWeight::Time start{1000s};

TEST(SteadyWeight, TheFirstWordCountsAtOnce) {
    SteadyWeight weight;
    EXPECT_EQ(weight.percent(), 100U);
    weight.say(30, start);
    EXPECT_EQ(weight.percent(), 30U);
    EXPECT_EQ(weight.next(), std::nullopt);
}

TEST(SteadyWeight, AnotherWordWaitsForItsTime) {
    SteadyWeight weight;
    weight.say(30, start);
    weight.say(50, start + 1s);
    weight.say(0, start + 2s);
    EXPECT_EQ(weight.percent(), 30U);
    EXPECT_EQ(weight.next(), start + 10s);
    weight.settle(start + 10s - 1ns);
    EXPECT_EQ(weight.percent(), 30U);
    weight.settle(start + 10s);
    EXPECT_EQ(weight.percent(), 0U) << "the last word";
    EXPECT_EQ(weight.next(), std::nullopt);
}

TEST(SteadyWeight, AWordTakenBackChangesNothing) {
    SteadyWeight weight;
    weight.say(30, start);
    weight.say(50, start + 1s);
    weight.say(30, start + 2s);
    EXPECT_EQ(weight.next(), std::nullopt);
    weight.say(50, start + 20s);
    EXPECT_EQ(weight.percent(), 50U) << "the last change is long ago";
}

TEST(SteadyWeight, AMinuteHasFewChanges) {
    SteadyWeight weight;
    int changes = 0;
    for (auto now = start; now < start + 60s; now += 100ms) {
        const auto before = weight.percent();
        weight.say(before == 10 ? 90 : 10, now);
        if (weight.percent() != before) ++changes;
    }
    EXPECT_EQ(changes, 6);
}

}  // namespace
}  // namespace bascule::health
