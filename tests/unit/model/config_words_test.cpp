// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/config_text.h"

namespace bascule::model {
namespace {

using std::chrono::milliseconds;

TEST(Config, DurationsHaveAUnit) {
    EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
    EXPECT_EQ(parse_duration("90s"), milliseconds(90'000));
    EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
    EXPECT_EQ(parse_duration("1h"), milliseconds(3'600'000));
    EXPECT_EQ(parse_duration("1d"), milliseconds(86'400'000));
    EXPECT_EQ(parse_duration("0s"), milliseconds(0));
    for (const std::string_view text : {"", "s", "5", "-5s", "+5s", "5 s", "1.5s", "5S", "5sec",
                                        "99999999999999999999s", "9223372036854775807d"})
        EXPECT_FALSE(parse_duration(text)) << text;
    EXPECT_EQ(duration_text(90), "90s");
    EXPECT_EQ(duration_text(120), "2m");
    EXPECT_EQ(duration_text(432'000), "5d");
}

TEST(Config, LongTextIsCutAtACharacter) {
    EXPECT_EQ(model::quoted("a\tb\x7f\xc2\x9b"),
              "'a?b?"
              "?'");
    const std::string shown = model::quoted(std::string(59, 'x') + "éé");
    EXPECT_EQ(shown, "'" + std::string(59, 'x') + "é…'");
}

}  // namespace
}  // namespace bascule::model
