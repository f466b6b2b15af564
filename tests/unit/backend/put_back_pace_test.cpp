// SPDX-License-Identifier: Apache-2.0
#include "backend/put_back_pace.h"

#include <gtest/gtest.h>

namespace bascule::backend {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(PutBackPace, EachAtMostOnceASecond) {
    const Address one = Address::parse("10.9.0.100").value();
    const Address other = Address::parse("fd00:9::100").value();
    const PutBackPace::Clock::time_point start{};
    PutBackPace pace;
    EXPECT_TRUE(pace.may(one, start));
    EXPECT_EQ(pace.due(start), -1);
    EXPECT_FALSE(pace.may(one, start + milliseconds(999)));
    EXPECT_TRUE(pace.may(other, start + milliseconds(999)));
    EXPECT_TRUE(pace.may(one, start + milliseconds(1000)));
    EXPECT_FALSE(pace.may(one, start + milliseconds(1999)));
}

TEST(PutBackPace, WhoWasTooEarlyIsDueLater) {
    const Address one = Address::parse("10.9.0.100").value();
    const Address other = Address::parse("10.9.0.101").value();
    const PutBackPace::Clock::time_point start{};
    PutBackPace pace;
    EXPECT_TRUE(pace.may(one, start));
    EXPECT_TRUE(pace.may(other, start + milliseconds(200)));
    EXPECT_FALSE(pace.may(other, start + milliseconds(400)));
    EXPECT_FALSE(pace.may(one, start + milliseconds(400)));
    EXPECT_EQ(pace.due(start + milliseconds(400)), 600);
    // Never too early, so that nobody turns in circles.
    EXPECT_EQ(pace.due(start + microseconds(999'999)), 1);
    EXPECT_EQ(pace.due(start + milliseconds(1500)), 0);
    pace.begin();
    EXPECT_EQ(pace.due(start + milliseconds(1500)), -1);
}

}  // namespace
}  // namespace bascule::backend
