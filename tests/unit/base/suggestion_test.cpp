// SPDX-License-Identifier: Apache-2.0
#include "base/suggestion.h"

#include <gtest/gtest.h>

#include <string>

namespace bascule {
namespace {

TEST(Suggestion, IsTheNearestWord) {
    EXPECT_EQ(nearest_word("statsu", {"show", "status", "stat"}), "status");
    EXPECT_EQ(nearest_word("shwo", {"show", "status"}), "show");
    EXPECT_EQ(nearest_word("status", {"status"}), "status");
}

TEST(Suggestion, OfEquallyNearOnesTheFirst) {
    EXPECT_EQ(nearest_word("bad", {"bat", "bar"}), "bat");
}

TEST(Suggestion, ThereIsNoneWhenNothingIsNear) {
    EXPECT_EQ(nearest_word("frobnicate", {"show", "status"}), "");
    EXPECT_EQ(nearest_word("ab", {"xyz"}), "");
    EXPECT_EQ(nearest_word("word", {}), "");
    EXPECT_EQ(nearest_word(std::string(41, 'a'), {std::string_view("aaaa")}), "");
}

}  // namespace
}  // namespace bascule
