// SPDX-License-Identifier: Apache-2.0
#include "sync/refresh_turns.h"

#include <gtest/gtest.h>

#include "sync/messages.h"

namespace bascule::sync {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

int turns_of(std::uint32_t partition, std::uint32_t limit, milliseconds pass, seconds span) {
    RefreshTurns turns;
    int count = 0;
    for (Moment now{seconds(777)}; now < Moment{seconds(777)} + span; now += pass) {
        turns.on_pass(now);
        if (turns.due(partition, 0, limit)) ++count;
    }
    return count;
}

TEST(RefreshTurns, FourInALimit) {
    for (const std::uint32_t partition : {0u, 1u, 500u, 1023u})
        for (const std::uint32_t limit : {60u, 600u, 3600u})
            EXPECT_NEAR(turns_of(partition, limit, milliseconds(1100), seconds(10 * limit)), 40, 1);
}

TEST(RefreshTurns, EveryPassIfThatIsLessOften) {
    EXPECT_NEAR(turns_of(5, 4, seconds(2), seconds(100)), 49, 1);
}

TEST(RefreshTurns, AreSpreadEvenly) {
    RefreshTurns turns;
    turns.on_pass(Moment{seconds(1000)});
    turns.on_pass(Moment{seconds(1001)});
    int due = 0;
    for (std::uint32_t i = 0; i < partitions; ++i)
        due += turns.due(i, 0, 400) ? 1 : 0;
    EXPECT_NEAR(due, partitions / 100, 1);
}

TEST(RefreshTurns, OnlyWhatWasSeenSinceTheLastTurn) {
    RefreshTurns turns;
    turns.on_pass(Moment{seconds(0)});
    turns.on_pass(Moment{seconds(1'000)});
    EXPECT_TRUE(turns.due(3, 0, 400));
    EXPECT_TRUE(turns.due(3, 1'100, 400));
    EXPECT_FALSE(turns.due(3, 1'103, 400));
    EXPECT_FALSE(turns.due(3, 0, 0));
}

TEST(RefreshTurns, NoneBeforeTwoPasses) {
    RefreshTurns turns;
    EXPECT_FALSE(turns.due(3, 0, 4));
    turns.on_pass(Moment{seconds(1)});
    EXPECT_FALSE(turns.due(3, 0, 4));
}

}  // namespace
}  // namespace bascule::sync
