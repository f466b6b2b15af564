// SPDX-License-Identifier: Apache-2.0
#include "cli/wrap.h"

#include <gtest/gtest.h>

#include <sstream>

namespace bascule::cli {
namespace {

TEST(Wrap, WhatFitsIsOneLine) {
    EXPECT_EQ(wrap("  ! ", "all is lost", 80), "  ! all is lost\n");
    EXPECT_EQ(wrap("", "", 80), "\n");
}

TEST(Wrap, NoWidthIsNoLimit) {
    const std::string text(500, 'x');
    EXPECT_EQ(wrap("- ", text + " " + text, 0), "- " + text + " " + text + "\n");
}

TEST(Wrap, LinesBreakAtSpacesAndStandBelowEachOther) {
    EXPECT_EQ(wrap("-> ", "one two three four five six", 23),
              "-> one two three four\n   five six\n");
}

TEST(Wrap, AWordThatIsTooLongIsCut) {
    EXPECT_EQ(wrap("", std::string(45, 'x'), 30),
              std::string(30, 'x') + "\n" + std::string(15, 'x') + "\n");
}

TEST(Wrap, NoLineIsWiderAndNoWordIsLost) {
    std::string text;
    for (int i = 0; i < 300; i++)
        text += (i == 0 ? "" : " ") + std::string(static_cast<std::size_t>(i % 17 + 1), 'a');
    for (std::size_t width = 24; width < 120; width++) {
        std::istringstream lines(wrap("    ", text, width));
        std::string joined;
        for (std::string line; std::getline(lines, line);) {
            EXPECT_LE(line.size(), width);
            EXPECT_TRUE(line.starts_with("    "));
            joined += (joined.empty() ? "" : " ") + line.substr(4);
        }
        EXPECT_EQ(joined, text);
    }
}

}  // namespace
}  // namespace bascule::cli
