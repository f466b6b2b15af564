// SPDX-License-Identifier: Apache-2.0
#include "sync/sequence_window.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

namespace bascule::sync {
namespace {

TEST(SequenceWindow, TakesEachNumberOnce) {
    SequenceWindow window;
    EXPECT_TRUE(window.take(10));
    EXPECT_FALSE(window.take(10));
    EXPECT_TRUE(window.take(12));
    EXPECT_TRUE(window.take(11));
    EXPECT_FALSE(window.take(11));
    EXPECT_FALSE(window.take(12));
}

TEST(SequenceWindow, WhatIsOlderThanTheFirstCountsAsSeen) {
    SequenceWindow window;
    EXPECT_TRUE(window.take(100));
    EXPECT_FALSE(window.take(99));
    EXPECT_TRUE(window.take(101));
    EXPECT_FALSE(window.take(1));
}

TEST(SequenceWindow, WhatIsOlderThanTheWindowCountsAsSeen) {
    SequenceWindow window;
    window.take(1);
    window.take(1000);
    EXPECT_FALSE(window.take(1000 - 256));
    EXPECT_TRUE(window.take(1000 - 255));
}

TEST(SequenceWindow, AgreesWithAMemoryOfAllNumbers) {
    std::mt19937_64 random(5);
    for (int history = 0; history < 50; ++history) {
        SequenceWindow window;
        std::set<std::uint64_t> taken;
        // Also across the end of all numbers.
        const std::uint64_t first =
            history % 2 == 0 ? 1000 : std::numeric_limits<std::uint64_t>::max() - 200;
        std::uint64_t newest = 0;
        window.take(first);
        taken.insert(0);
        for (int i = 0; i < 500; ++i) {
            const std::uint64_t offset =
                newest + random() % 8 - std::min<std::uint64_t>(newest, random() % 300);
            const bool fresh = !taken.contains(offset) && newest < offset + SequenceWindow::size;
            EXPECT_EQ(window.take(first + offset), fresh);
            taken.insert(offset);
            newest = std::max(newest, offset);
        }
    }
}

TEST(SequenceWindow, AJumpAheadLeavesNothingBehind) {
    SequenceWindow window;
    window.take(1);
    EXPECT_TRUE(window.take(std::uint64_t{1} << 62));
    EXPECT_FALSE(window.take(2));
    EXPECT_NEAR(window.loss(0), 255.0 / 256, 1e-9);
}

TEST(SequenceWindow, LossIsOfWhatShouldHaveCome) {
    SequenceWindow window;
    EXPECT_EQ(window.loss(100), 0) << "nothing was expected yet";
    window.take(1);
    EXPECT_EQ(window.loss(0), 0);
    EXPECT_NEAR(window.loss(1), 0.5, 1e-9);
    window.take(4);
    EXPECT_NEAR(window.loss(0), 0.5, 1e-9);
    EXPECT_EQ(window.loss(1000), 1);
}

}  // namespace
}  // namespace bascule::sync
