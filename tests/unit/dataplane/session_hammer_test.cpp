// SPDX-License-Identifier: Apache-2.0
// The table's protocol under contention. That this test can fail is shown by its twin,
// session_hammer_mutant.cpp, over a header without the second look. BASCULE_LONG=1: a minute each.
#include "support/session_hammer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace bascule::test {
namespace {

std::chrono::milliseconds duration() {
    const char* longer = std::getenv("BASCULE_LONG");
    return longer != nullptr && *longer == '1' ? std::chrono::seconds(60)
                                               : std::chrono::milliseconds(2500);
}

void expect_sound(const HammerReport& report) {
    std::cout << "checked " << report.checked << ", inserted " << report.inserted << " ("
              << report.displaced << " into another's way), lost " << report.lost << ", freed "
              << report.freed << ", swept " << report.swept << "\n";
    EXPECT_EQ(report.mismatches, 0U) << report.first_mismatch;
    // A hammer that hit nothing proves nothing.
    EXPECT_GT(report.checked, 10'000U);
    EXPECT_GT(report.displaced, 1'000U);
    EXPECT_GT(report.freed, 1'000U);
}

TEST(SessionHammer, V4KeysKeepTheirValues) {
    expect_sound(hammer_v4(duration()));
}

TEST(SessionHammer, V6KeysKeepTheirValues) {
    expect_sound(hammer_v6(duration()));
}

}  // namespace
}  // namespace bascule::test
