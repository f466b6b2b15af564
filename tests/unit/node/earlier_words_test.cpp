// SPDX-License-Identifier: Apache-2.0
#include "node/earlier_words.h"

#include <gtest/gtest.h>

#include "node/operator_word.h"
#include "tests/unit/node/shared_node.h"

namespace bascule::node {
namespace {

using namespace testing;

class Earlier : public SharedTest {
protected:
    static constexpr const char* words = R"({"version": 1, "words": [
        {"service": "web", "backend": "web1", "drained": true, "said": 1700000000},
        {"service": "web", "backend": "web2", "drained": true, "disabled": true, "weight": 7,
         "said": 1700000001}]})";
    void leave() { std::ofstream(folder_.file("words.json")) << words; }
    bool is_left() const { return std::filesystem::exists(folder_.file("words.json")); }
};

TEST_F(Earlier, AreTakenOverOnce) {
    leave();
    {
        const auto state = load();
        EXPECT_EQ(state->map().items().size(), 2);
        EXPECT_EQ(read_word(value(*state, "word/web/web1")).value(),
                  (OperatorWord{true, std::nullopt, 1700000000, false}));
        EXPECT_EQ(read_word(value(*state, "word/web/web2")).value(),
                  (OperatorWord{false, 7, 1700000001, true}));
        EXPECT_EQ(state->find("word/web/web1")->time, sync::hybrid_from(1'700'000'000'000))
            << "said then, and not now";
        EXPECT_FALSE(is_left());
    }
    EXPECT_EQ(load()->map().items().size(), 2);
}

TEST_F(Earlier, AreNotLostAndDoNotReturnWhenItEndsInBetween) {
    leave();
    load();
    leave();  // as if it had not come to the end
    {
        const auto state = load();
        EXPECT_EQ(state->map().items().size(), 2);
        ASSERT_TRUE(state->remove("word/web/web1"));
    }
    leave();
    const auto state = load();
    EXPECT_EQ(value(*state, "word/web/web1"), "(none)") << "it was taken back since";
    EXPECT_NE(value(*state, "word/web/web2"), "(none)");
    EXPECT_FALSE(is_left());
}

TEST_F(Earlier, StayWhereTheyAreUntilTheDiskHasThem) {
    leave();
    std::filesystem::create_directory(file() + ".new");
    const auto state = load();
    EXPECT_NE(value(*state, "word/web/web1"), "(none)") << "they count";
    EXPECT_TRUE(is_left());
    EXPECT_NE(state->problem(), "");
    std::filesystem::remove(file() + ".new");
    for (int i = 0; i < 6; i++)
        state->upkeep();
    EXPECT_EQ(state->problem(), "");
    EXPECT_FALSE(is_left());
    EXPECT_EQ(load()->map().items().size(), 2);
}

TEST_F(Earlier, ThatCannotBeUnderstoodAreRefusedWithTheirPlace) {
    const std::string why = refusal("{\"version\": 1,\n \"words\": [}", "words.json");
    EXPECT_EQ(why.find(folder_.file("words.json") + ": holds what the operator said"), 0) << why;
    EXPECT_NE(why.find("line 2, column 12"), std::string::npos) << why;
    for (const char* wrong :
         {"", "[]", "{}", R"({"version": 2, "words": []})", R"({"version": 1, "words": [5]})",
          R"({"version": 1, "words": [{"service": 5, "backend": "b", "drained": true,
              "said": 1}]})",
          R"({"version": 1, "words": [{"service": "s", "backend": "b", "drained": true,
              "said": 1, "weight": 65536}]})",
          R"({"version": 1, "words": [{"service": "s", "backend": "b", "said": 1}]})"})
        EXPECT_NE(refusal(wrong, "words.json"), "(was taken)") << wrong;
    EXPECT_FALSE(std::filesystem::exists(file())) << "nothing was made of any";
}

TEST_F(Earlier, ThatNoMapCouldHoldAreRefused) {
    std::ofstream(folder_.file("words.json"))
        << R"({"version": 1, "words": [{"service": "a", "backend": ")" + std::string(2000, 'b') +
               R"(", "drained": true, "said": 1}]})";
    EXPECT_FALSE(read_earlier_words(folder_.file("words.json"), "lb1"));
}

TEST_F(Earlier, AreNoneWithoutTheirFile) {
    const auto none = read_earlier_words(folder_.file("words.json"), "lb1");
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->found);
    EXPECT_TRUE(none->items.empty());
}

TEST_F(Earlier, OfAClockThatWasWrongAreTakenAllTheSame) {
    std::ofstream(folder_.file("words.json")) << R"({"version": 1, "words": [
        {"service": "a", "backend": "b", "drained": true, "said": -5},
        {"service": "a", "backend": "c", "drained": true, "said": 9223372036854775807}]})";
    const auto state = load();
    EXPECT_EQ(state->of_kind("word").size(), 2);
    EXPECT_TRUE(state->remove("word/a/b"));
    EXPECT_TRUE(state->remove("word/a/c"));
    EXPECT_TRUE(load()->of_kind("word").empty());
}

}  // namespace
}  // namespace bascule::node
