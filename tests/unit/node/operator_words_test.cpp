// SPDX-License-Identifier: Apache-2.0
#include "node/operator_words.h"

#include <gtest/gtest.h>

#include "tests/unit/control/temporary_directory.h"

namespace bascule::node {
namespace {

OperatorWord drained(std::int64_t said) {
    return {true, std::nullopt, said};
}

// Of one node; what peers say comes by hear().
class Words : public ::testing::Test {
protected:
    static std::shared_ptr<SharedState> load(const std::string& path) {
        auto shared = SharedState::load(path, "lb1");
        EXPECT_TRUE(shared) << shared.error().text();
        return *std::move(shared);
    }
    OperatorWords again() const { return OperatorWords(load(folder_.path())); }
    // As if lb2 had said it just now; the backends of which something else is said.
    std::vector<BackendName> hear(const std::string& key, const std::string& value) {
        std::vector<BackendName> changed;
        shared_->set_listener([&](const auto& keys) { changed = words_.follow(keys); });
        const sync::SharedItem item{key, value, shared_->map().last_time() + 1, "lb2", false, 0};
        shared_->on_message(0, sync::SharedItems{{item}, {}});
        shared_->set_listener(nullptr);
        shared_->upkeep();  // writes what several messages have brought within a second
        return changed;
    }
    std::vector<BackendName> hear_end(const std::string& key) {
        std::vector<BackendName> changed;
        shared_->set_listener([&](const auto& keys) { changed = words_.follow(keys); });
        const sync::SharedItem item{key, "", shared_->map().last_time() + 1, "lb2", true, 0};
        shared_->on_message(0, sync::SharedItems{{item}, {}});
        shared_->set_listener(nullptr);
        shared_->upkeep();  // writes what several messages have brought within a second
        return changed;
    }

    TemporaryDirectory folder_;
    std::shared_ptr<SharedState> shared_ = load(folder_.path());
    OperatorWords words_{shared_};
    const BackendName web1_{"web", "web1"};
    const std::vector<BackendName> just_web1_{web1_};
};

TEST_F(Words, NothingIsSaidAtFirst) {
    EXPECT_EQ(words_.size(), 0);
    EXPECT_EQ(words_.find(web1_), nullptr);
    EXPECT_EQ(words_.said_on(web1_), "");
}

TEST_F(Words, OutliveTheProcess) {
    const BackendName odd("w/e%b", "web \"2\"\n\u00e9");
    OperatorWord disabled;
    disabled.disabled = true;
    disabled.weight = 65535;
    disabled.unix_seconds = -1;
    ASSERT_TRUE(words_.set(web1_, drained(1700000000)));
    ASSERT_TRUE(words_.set(odd, {false, 0, 1700000001}));
    ASSERT_TRUE(words_.set({"web", "web3"}, disabled));
    const auto later = again();
    ASSERT_EQ(later.size(), 3);
    EXPECT_EQ(*later.find(web1_), drained(1700000000));
    EXPECT_EQ(*later.find(odd), (OperatorWord{false, 0, 1700000001}));
    EXPECT_EQ(*later.find({"web", "web3"}), disabled);
    EXPECT_EQ(later.find({"dns", "web1"}), nullptr);
    EXPECT_EQ(later.said_on(web1_), "lb1");
}

TEST_F(Words, WhatIsTakenBackIsGone) {
    ASSERT_TRUE(words_.set(web1_, drained(1)));
    ASSERT_TRUE(words_.set({"web", "web2"}, {false, 5, 1}));
    ASSERT_TRUE(words_.set(web1_, {false, std::nullopt, 2}));
    EXPECT_EQ(words_.find(web1_), nullptr);
    EXPECT_EQ(again().size(), 1);
    EXPECT_NE(again().find({"web", "web2"}), nullptr);
    ASSERT_TRUE(words_.set({"web", "never said"}, {}));
    EXPECT_EQ(words_.size(), 1);
}

TEST_F(Words, WhatCannotBeKeptDoesNotCount) {
    ASSERT_TRUE(words_.set(web1_, drained(1)));
    std::filesystem::create_directory(folder_.file("shared.json.new"));
    EXPECT_FALSE(words_.set(web1_, {}));
    EXPECT_FALSE(words_.set({"web", "web2"}, drained(2)));
    EXPECT_NE(words_.find(web1_), nullptr);
    EXPECT_EQ(words_.find({"web", "web2"}), nullptr);
}

TEST_F(Words, WhatAPeerSaysCounts) {
    EXPECT_EQ(hear("word/web/web1", value_of_word(drained(7))), just_web1_);
    EXPECT_EQ(*words_.find(web1_), drained(7));
    EXPECT_EQ(words_.said_on(web1_), "lb2");
    EXPECT_EQ(again().size(), 1);
    ASSERT_TRUE(words_.set(web1_, {}));
    EXPECT_EQ(words_.find(web1_), nullptr);
    EXPECT_EQ(words_.said_on(web1_), "lb1") << "who took it back";
}

TEST_F(Words, WhatAPeerTakesBackIsGone) {
    ASSERT_TRUE(words_.set(web1_, drained(1)));
    EXPECT_EQ(hear_end("word/web/web1"), just_web1_);
    EXPECT_EQ(words_.find(web1_), nullptr);
    EXPECT_EQ(words_.said_on(web1_), "lb2");
    EXPECT_TRUE(hear_end("word/web/web1").empty()) << "nothing was said of it";
}

TEST_F(Words, WhatAPeerSaysAgainIsNoChange) {
    hear("word/web/web1", value_of_word(drained(7)));
    EXPECT_TRUE(hear("word/web/web1", value_of_word(drained(7))).empty());
    EXPECT_EQ(hear("word/web/web1", value_of_word(drained(8))), just_web1_);
}

TEST_F(Words, OtherKeysAreNoneOfIts) {
    EXPECT_TRUE(hear("mode/web", value_of_word(drained(7))).empty());
    EXPECT_TRUE(hear("words/web/web1", value_of_word(drained(7))).empty());
    for (const char* odd : {"word/web", "word//web1", "word/web/", "word/web/a/b", "word/web/a%2",
                            "word/web/a%zz", "word/web/%41"})
        EXPECT_TRUE(hear(odd, value_of_word(drained(7))).empty()) << odd;
    EXPECT_EQ(words_.size(), 0);
    EXPECT_EQ(again().size(), 0);
}

TEST_F(Words, WhatMakesNoSenseCountsAsNotSaidAndStays) {
    for (const char* wrong :
         {"", "null", "5", "[]", "{}", "{\"drained\": true}", "{\"said\": 1}",
          R"({"drained": 1, "said": 1})", R"({"drained": true, "said": "now"})",
          R"({"drained": true, "said": true})", R"({"drained": true, "said": 1e300})",
          R"({"drained": true, "said": 1, "disabled": "yes"})",
          R"({"drained": true, "said": 1, "weight": -1})",
          R"({"drained": true, "said": 1, "weight": 65536})",
          R"({"drained": true, "said": 1, "weight": 4294967396})",
          R"({"drained": true, "said": 1, "weight": 1.5})",
          R"({"drained": true, "said": 1, "weight": true})", R"({"drained": true, "said": 1)"}) {
        ASSERT_TRUE(words_.set(web1_, drained(1)));
        EXPECT_EQ(hear("word/web/web1", wrong), just_web1_) << wrong;
        EXPECT_EQ(words_.find(web1_), nullptr) << wrong;
        EXPECT_EQ(shared_->find("word/web/web1")->value, wrong) << "for those who understand it";
        EXPECT_EQ(again().size(), 0) << wrong;
    }
    // And can be taken back all the same.
    ASSERT_TRUE(words_.set(web1_, {}));
    EXPECT_EQ(shared_->find("word/web/web1"), nullptr);
}

TEST_F(Words, OfALaterReleaseAreReadAsFarAsTheyAreUnderstood) {
    hear("word/web/web1", R"({"drained": true, "disabled": true, "said": 9, "mood": [1]})");
    ASSERT_NE(words_.find(web1_), nullptr);
    EXPECT_TRUE(words_.find(web1_)->disabled);
    EXPECT_FALSE(words_.find(web1_)->drained) << "never both";
    hear("word/web/web1", R"({"drained": false, "said": 9, "mood": [1]})");
    EXPECT_EQ(words_.find(web1_), nullptr) << "it says nothing that is known here";
    EXPECT_NE(shared_->find("word/web/web1"), nullptr);
}

TEST_F(Words, AreTold) {
    EXPECT_EQ(in_words(OperatorWord{}), "as the file says");
    EXPECT_EQ(in_words(OperatorWord{true, std::nullopt, 1}), "drained");
    EXPECT_EQ(in_words(OperatorWord{false, std::nullopt, 1, true}), "disabled");
    EXPECT_EQ(in_words(OperatorWord{false, 0, 1}), "weight 0");
    EXPECT_EQ(in_words(OperatorWord{true, 50, 1}), "drained, weight 50");
}

TEST_F(Words, KeysNameOneBackendEach) {
    for (const auto& name : {BackendName("web", "web1"), BackendName("10.9.0.1:80", "[fd00::1]:80"),
                             BackendName("a/b", "c"), BackendName("a", "b/c"),
                             BackendName("a%2fb", "c"), BackendName("\x1f", "\x7f")}) {
        const std::string key = key_of_word(name);
        EXPECT_EQ(sync::flaw_of({key, "", 1, "lb1", false, 0}), "") << key;
        EXPECT_EQ(backend_of_word(key), name) << key;
    }
    EXPECT_EQ(key_of_word({"a/b", "c"}), "word/a%2fb/c");
    EXPECT_EQ(key_of_word({"a b", "c"}), "word/a b/c") << "other releases write it so";
    EXPECT_FALSE(backend_of_word("mode/a/b"));
    EXPECT_FALSE(backend_of_word("words/a/b"));
    EXPECT_NE(key_of_word({"a/b", "c"}), key_of_word({"a", "b/c"}));
    EXPECT_NE(key_of_word({"a%2fb", "c"}), key_of_word({"a/b", "c"}));
}

}  // namespace
}  // namespace bascule::node
