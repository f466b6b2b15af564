// SPDX-License-Identifier: Apache-2.0
#include "model/man_text.h"

#include <gtest/gtest.h>

#include "model/config_reference.h"

namespace bascule::model {
namespace {

TEST(ManText, CodeIsBoldAndItsMinusIsAMinus) {
    EXPECT_EQ(man_text("By `bascule-backend`, or so-called."),
              "By \\fBbascule\\-backend\\fP, or so-called.\n");
    EXPECT_EQ(man_text("`a`, `b`"), "\\fBa\\fP, \\fBb\\fP\n");
}

TEST(ManText, ASentenceIsALine) {
    EXPECT_EQ(man_text("One. Two `a. b`. Three"), "One.\nTwo \\fBa. b\\fP.\nThree\n");
}

TEST(ManText, NothingIsARequestOfRoff) {
    EXPECT_EQ(man_text(".so /etc/passwd"), "\\&.so /etc/passwd\n");
    EXPECT_EQ(man_text("'tis"), "\\&'tis\n");
    EXPECT_EQ(man_text("One. .br"), "One.\n\\&.br\n");
    EXPECT_EQ(man_text("a\\b ^ ~"), "a\\eb \\(ha \\(ti\n");
    EXPECT_EQ(man_literal(".a\n'b\n"), ".Bd -literal -offset indent\n\\&.a\n\\&\\(aqb\n.Ed\n");
}

TEST(ManText, LinksAndBrackets) {
    EXPECT_EQ(man_text("As [RE2](https://x.org/a-b) has them"),
              "As RE2 (https://x.org/a\\-b) has them\n");
    EXPECT_EQ(man_text("those of [[vip]] and [RE2](y)"), "those of [[vip]] and RE2 (y)\n");
    EXPECT_EQ(man_text("in [node]"), "in [node]\n");
}

TEST(ManText, AKeyTellsItsValuesDefaultAndMeaning) {
    constexpr KeySchema keys[] = {
        {.key = "port",
         .type = KeyType::integer,
         .meaning = "A port.",
         .fallback = "80",
         .least = 1,
         .most = 9},
        {.key = "mode", .type = KeyType::name, .meaning = "How.", .required = true, .value = "`x`"},
        {.key = "inner", .type = KeyType::tables},
    };
    EXPECT_EQ(man_section({"a.b", true, "What it is.", keys}),
              ".Ss [[a.b]]\nWhat it is.\n.Bl -tag -width Ds\n"
              ".It Sy port\n\\fIinteger, 1 to 9\\fR; default: \\fB80\\fP.\n.br\nA port.\n"
              ".It Sy mode\n\\fI\\fBx\\fP\\fR; required.\n.br\nHow.\n.El\n");
}

}  // namespace
}  // namespace bascule::model
