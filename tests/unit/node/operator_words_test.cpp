// SPDX-License-Identifier: Apache-2.0
#include "node/operator_words.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/unit/control/temporary_directory.h"

namespace bascule::node {
namespace {

class Words : public ::testing::Test {
protected:
    OperatorWords load() {
        auto words = OperatorWords::load(folder_.path());
        EXPECT_TRUE(words) << words.error().text();
        return *std::move(words);
    }
    std::string file() const { return folder_.file("words.json"); }
    std::string text() const {
        std::stringstream all;
        all << std::ifstream(file()).rdbuf();
        return all.str();
    }
    // What load() says of a file with this text.
    std::string refusal(const std::string& of) {
        std::ofstream(file()) << of;
        auto words = OperatorWords::load(folder_.path());
        return words ? "(was taken)" : words.error().text();
    }
    static std::string entry(const std::string& weight) {
        return R"({"version": 1, "words": [{"service": "web", "backend": "web1",
                   "drained": false, "said": 1, "weight": )" +
               weight + "}]}";
    }

    TemporaryDirectory folder_;
};

TEST_F(Words, NoFileIsNoWord) {
    EXPECT_EQ(load().size(), 0);
    EXPECT_EQ(load().find({"web", "web1"}), nullptr);
    EXPECT_FALSE(std::filesystem::exists(file())) << "reading makes no file";
}

TEST_F(Words, OutliveTheProcess) {
    auto words = load();
    ASSERT_TRUE(words.set({"web", "web1"}, {true, std::nullopt, 1700000000}));
    ASSERT_TRUE(words.set({"web", "web \"2\"\n\u00e9"}, {false, 0, 1700000001}));
    const auto again = load();
    ASSERT_EQ(again.size(), 2);
    EXPECT_EQ(*again.find({"web", "web1"}), (OperatorWord{true, std::nullopt, 1700000000}));
    EXPECT_EQ(*again.find({"web", "web \"2\"\n\u00e9"}), (OperatorWord{false, 0, 1700000001}));
    EXPECT_EQ(again.find({"dns", "web1"}), nullptr);
}

TEST_F(Words, WhatIsTakenBackIsGone) {
    auto words = load();
    ASSERT_TRUE(words.set({"web", "web1"}, {true, std::nullopt, 1}));
    ASSERT_TRUE(words.set({"web", "web2"}, {false, 5, 1}));
    ASSERT_TRUE(words.set({"web", "web1"}, {false, std::nullopt, 2}));
    EXPECT_EQ(words.find({"web", "web1"}), nullptr);
    EXPECT_EQ(load().size(), 1);
    EXPECT_NE(load().find({"web", "web2"}), nullptr);
    ASSERT_TRUE(words.set({"web", "never said"}, {}));
    EXPECT_EQ(words.size(), 1);
}

TEST_F(Words, DisabledOutlivesTheProcessAndIsDrainedToOlderOnes) {
    OperatorWord word;
    word.disabled = true;
    word.unix_seconds = 1;
    ASSERT_TRUE(load().set({"web", "web1"}, word));
    EXPECT_EQ(*load().find({"web", "web1"}), word);
    EXPECT_NE(text().find("\"drained\": true"), std::string::npos) << text();
}

TEST_F(Words, AFileOfBeforeIsRead) {
    std::ofstream(file()) << R"({"version": 1, "words": [{"service": "web", "backend": "web1",
                                 "drained": true, "said": 7}]})";
    EXPECT_EQ(*load().find({"web", "web1"}), (OperatorWord{true, std::nullopt, 7}));
}

TEST_F(Words, WhatCannotBeKeptDoesNotCount) {
    auto words = load();
    ASSERT_TRUE(words.set({"web", "web1"}, {true, std::nullopt, 1}));
    const std::string before = text();
    std::filesystem::create_directory(file() + ".new");  // where the next text would be drafted
    EXPECT_FALSE(words.set({"web", "web1"}, {}));
    EXPECT_FALSE(words.set({"web", "web2"}, {true, std::nullopt, 2}));
    EXPECT_NE(words.find({"web", "web1"}), nullptr);
    EXPECT_EQ(words.find({"web", "web2"}), nullptr);
    EXPECT_EQ(text(), before);
}

TEST_F(Words, ABrokenFileIsRefusedWithItsPlace) {
    const std::string why = refusal("{\"version\": 1,\n \"words\": [}");
    EXPECT_EQ(why.find(file() + ": holds what the operator said"), 0) << why;
    EXPECT_NE(why.find("line 2, column 12"), std::string::npos) << why;
    EXPECT_EQ(text(), "{\"version\": 1,\n \"words\": [}") << "and is left as it is";
}

TEST_F(Words, WhatIsNotAsWrittenIsRefused) {
    for (const char* wrong :
         {"", "[]", "null", "{}", R"({"version": 1})", R"({"version": 2, "words": []})",
          R"({"version": 1, "words": [{}]})", R"({"version": 1, "words": [5]})",
          R"({"version": 1, "words": [{"service": 5, "backend": "b", "drained": true,
              "said": 1}]})",
          R"({"version": 1, "words": [{"service": "s", "backend": "b", "drained": true,
              "said": 1, "disabled": "yes"}]})"})
        EXPECT_NE(refusal(wrong), "(was taken)") << wrong;
    EXPECT_EQ(refusal(R"({"version": 1, "words": []})"), "(was taken)");
}

TEST_F(Words, AWeightOutOfItsRangeIsRefused) {
    for (const char* wrong : {"-1", "65536", "4294967396", "1.5", "1e9", "true", "\"5\"", "null"})
        EXPECT_NE(refusal(entry(wrong)), "(was taken)") << wrong;
    EXPECT_EQ(refusal(entry("65535")), "(was taken)");
    EXPECT_EQ(load().find({"web", "web1"})->weight, 65535);
}

TEST_F(Words, AFolderInThePlaceOfTheFileIsRefused) {
    std::filesystem::create_directory(file());
    EXPECT_EQ(OperatorWords::load(folder_.path()).error().text(),
              file() + ": is not a regular file");
}

}  // namespace
}  // namespace bascule::node
