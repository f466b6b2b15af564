// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace bascule::cli {
namespace {

constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();

TEST(Numbers, CountsHaveThreeDigitsFromTenThousandOn) {
    EXPECT_EQ(short_count(0), "0");
    EXPECT_EQ(short_count(9'999), "9999");
    EXPECT_EQ(short_count(10'000), "10.0k");
    EXPECT_EQ(short_count(99'949), "99.9k");
    EXPECT_EQ(short_count(99'950), "100k");
    EXPECT_EQ(short_count(999'499), "999k");
    EXPECT_EQ(short_count(999'500), "1.00M");
    EXPECT_EQ(short_count(999'999'999), "1.00G");
    EXPECT_EQ(short_count(12'345'678), "12.3M");
    EXPECT_EQ(short_count(kMost), "18.4E");
}

TEST(Numbers, BytesAreExactBelowOneKibibyte) {
    EXPECT_EQ(short_bytes(0), "0 B");
    EXPECT_EQ(short_bytes(1023), "1023 B");
    EXPECT_EQ(short_bytes(1024), "1.00 KiB");
    EXPECT_EQ(short_bytes(1536), "1.50 KiB");
    EXPECT_EQ(short_bytes(1024 * 1023), "1.00 MiB");
    EXPECT_EQ(short_bytes(98'765'432'100), "92.0 GiB");
    EXPECT_EQ(short_bytes(kMost), "16.0 EiB");
}

TEST(Numbers, DurationsHaveTwoUnits) {
    EXPECT_EQ(short_duration(0), "0s");
    EXPECT_EQ(short_duration(59), "59s");
    EXPECT_EQ(short_duration(60), "1m 0s");
    EXPECT_EQ(short_duration(3'599), "59m 59s");
    EXPECT_EQ(short_duration(15'120), "4h 12m");
    EXPECT_EQ(short_duration(86'400 * 400 + 3'600), "400d 1h");
}

TEST(Numbers, SharesNeverHideThatThereIsSome) {
    EXPECT_EQ(short_share(0, 0), "-");
    EXPECT_EQ(short_share(0, 65'537), "0.0%");
    EXPECT_EQ(short_share(1, 65'537), "<0.1%");
    EXPECT_EQ(short_share(1, 3), "33.3%");
    EXPECT_EQ(short_share(3, 3), "100.0%");
}

TEST(Harmless, KeepsTextAndTakesControlCharacters) {
    EXPECT_EQ(harmless("plain, caf\xC3\xA9, \xE6\xBC\xA2, \xF0\x9F\x90\xA7"),
              "plain, caf\xC3\xA9, \xE6\xBC\xA2, \xF0\x9F\x90\xA7");
    EXPECT_EQ(harmless("a\x1b[2Jb\n\r\t\x7f"), "a?[2Jb????");
    EXPECT_EQ(harmless("\xC2\x9B[2J"), "??[2J") << "a control character of two bytes";
    EXPECT_EQ(harmless("\x9B\xC3"), "??");
    EXPECT_EQ(harmless("\xE6\xBC"), "??") << "cut in a character";
    EXPECT_EQ(harmless("\xC3(\xF8"), "?(?");
    EXPECT_EQ(harmless(std::string_view("\0", 1)), "?");
}

Table sample() {
    Table table({{"NAME", Column::Align::left, 0, true},
                 {"COUNT", Column::Align::right},
                 {"FIRST", Column::Align::left, 1},
                 {"SECOND", Column::Align::left, 2}});
    table.add({{"caf\xC3\xA9"}, {"7"}, {"one"}, {"two"}});
    table.add({{"a-rather-long-name"}, {"12345"}, {"x"}, {"y"}});
    return table;
}

TEST(TableText, IsAlignedByCharactersWithoutSpacesAtTheEnd) {
    EXPECT_EQ(sample().to_string(0, false),
              "NAME                COUNT  FIRST  SECOND\n"
              "caf\xC3\xA9                    7  one    two\n"
              "a-rather-long-name  12345  x      y\n");
    EXPECT_EQ(sample().to_string(40, false), sample().to_string(0, false));
}

TEST(TableText, LosesItsMostSpareColumnFirstAndSaysSo) {
    EXPECT_EQ(sample().to_string(39, false),
              "NAME                COUNT  FIRST\n"
              "caf\xC3\xA9                    7  one\n"
              "a-rather-long-name  12345  x\n"
              "(no room for SECOND: widen the terminal, or --json)\n");
}

TEST(TableText, IsCutWhenNothingIsSpareAnyMore) {
    EXPECT_EQ(sample().to_string(17, false),
              "NAME        COUNT\n"
              "caf\xC3\xA9            7\n"
              "a-rather-~  12345\n"
              "(no room for SECOND, FIRST: widen the terminal, or --json)\n");
}

TEST(TableText, NeverCutsAColumnToNothing) {
    EXPECT_NE(sample().to_string(1, false).find("a-rathe~"), std::string::npos);
}

TEST(TableText, PaintsCellsOnlyWhenAsked) {
    Table table({{"STATE"}});
    table.add({{"up", Colour::green}});
    EXPECT_EQ(table.to_string(0, false), "STATE\nup\n");
    EXPECT_EQ(table.to_string(0, true), "\x1b[1mSTATE\x1b[0m\n\x1b[32mup\x1b[0m\n");
}

}  // namespace
}  // namespace bascule::cli
