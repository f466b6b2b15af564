// SPDX-License-Identifier: Apache-2.0
#include "node/shared_state.h"

#include <gtest/gtest.h>

#include "tests/unit/node/shared_node.h"

namespace bascule::node {
namespace {

using namespace testing;

class Shared : public SharedTest {};

TEST_F(Shared, NoFileIsNothingSaid) {
    const auto state = load();
    EXPECT_EQ(state->map().digest(), 0);
    EXPECT_EQ(value(*state, "word/web/web1"), "(none)");
    EXPECT_EQ(state->problem(), "");
    EXPECT_FALSE(std::filesystem::exists(file())) << "reading makes no file";
}

TEST_F(Shared, WhatIsSaidOutlivesTheProcess) {
    const std::string odd = "a \"quoted\" \\ \u00e9 \U0001f600";
    {
        const auto state = load();
        ASSERT_TRUE(state->put("word/web/web1", odd));
        ASSERT_TRUE(state->put("word/web/web2", "gone"));
        ASSERT_TRUE(state->remove("word/web/web2"));
    }
    const auto again = load();
    EXPECT_EQ(value(*again, "word/web/web1"), odd);
    EXPECT_EQ(again->find("word/web/web1")->origin, "lb1");
    EXPECT_EQ(value(*again, "word/web/web2"), "(none)");
    EXPECT_EQ(again->map().items().size(), 2) << "with the tombstone";
    EXPECT_EQ(again->of_kind("word").size(), 1);
}

TEST_F(Shared, WhatIsSaidIsOfTheNameThatTheNodeHasThen) {
    const auto state = load();
    ASSERT_TRUE(state->put("word/web/web1", "drained"));
    state->set_self("lb9");
    ASSERT_TRUE(state->put("word/web/web2", "drained"));
    EXPECT_EQ(state->find("word/web/web1")->origin, "lb1");
    EXPECT_EQ(state->find("word/web/web2")->origin, "lb9");
    ASSERT_TRUE(state->remove("word/web/web1"));
    EXPECT_EQ(state->map().items().at("word/web/web1").origin, "lb9");
}

TEST_F(Shared, ToRemoveWhatIsNotThereSucceeds) {
    const auto state = load();
    EXPECT_TRUE(state->remove("word/web/web1"));
    EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(Shared, AllOfAnItemIsKept) {
    auto full = item("list/x", "v", sync::hybrid_from(today) + 65'535);
    full.expires = today + day;
    const sync::SharedItem tombstone{"word/a/b", "", sync::latest_time - 1, "lb3", true, 0};
    {
        const auto state = load();
        state->on_message(0, sync::SharedItems{{full, tombstone}, {}});
    }
    const auto again = load();
    EXPECT_EQ(again->map().items().at("list/x"), full);
    EXPECT_EQ(again->map().items().at("word/a/b"), tombstone);
    EXPECT_EQ(again->map().last_time(), sync::latest_time - 1);
}

TEST_F(Shared, TimeDoesNotRunBackAfterARestart) {
    sync::HybridTime before = 0;
    {
        const auto state = load();
        ASSERT_TRUE(state->put("word/web/web1", "drained"));
        before = state->map().last_time();
    }
    wall_ = today - hour;
    const auto again = load();
    EXPECT_EQ(again->map().last_time(), before);
    ASSERT_TRUE(again->put("word/web/web1", "disabled"));
    EXPECT_EQ(again->map().last_time(), before + 1);
    EXPECT_EQ(value(*again, "word/web/web1"), "disabled");
    // Nor when the item that was the newest is gone from the map.
    std::ofstream(file()) << R"({"version": 1, "clock": "1763000000009.4", "forgotten": "0.0",
                                 "cluster": "", "items": []})";
    EXPECT_EQ(load()->map().last_time(), sync::hybrid_from(1'763'000'000'009) + 4);
}

TEST_F(Shared, ExpiryIsByTheHybridClock) {
    auto expiring = item("list/x", "v", 5);
    expiring.expires = today + hour;
    const auto state = load();
    state->on_message(0, sync::SharedItems{{expiring}, {}});
    EXPECT_EQ(value(*state, "list/x"), "v");
    state->on_message(
        0, sync::SharedItems{{item("list/y", "w", sync::hybrid_from(today + hour))}, {}});
    EXPECT_EQ(value(*state, "list/x"), "(none)");
}

TEST_F(Shared, WhatCannotBeSaidIsRefusedWithItsKey) {
    const auto state = load();
    EXPECT_EQ(state->put("word/web/web1", "a\nb").error().text(),
              "word/web/web1: its value is not plain UTF-8");
    EXPECT_EQ(state->map().digest(), 0);
    EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(Shared, WhatCannotBeKeptDoesNotCount) {
    const auto state = load();
    ASSERT_TRUE(state->put("word/web/web1", "drained"));
    const std::string before = text_of(file());
    const auto digest = state->map().digest();
    std::size_t sent = 0;
    state->set_sender([&](std::size_t, const sync::StreamMessage&) { ++sent; });
    std::filesystem::create_directory(file() + ".new");  // where the next text would be drafted
    EXPECT_FALSE(state->put("word/web/web2", "drained"));
    EXPECT_FALSE(state->remove("word/web/web1"));
    EXPECT_EQ(state->map().digest(), digest);
    EXPECT_EQ(text_of(file()), before);
    EXPECT_EQ(sent, 0);
    EXPECT_EQ(state->problem(), "") << "who said it was told";
    std::filesystem::remove(file() + ".new");
    EXPECT_TRUE(state->put("word/web/web2", "drained"));
    EXPECT_EQ(sent, 1);
}

// ---- files that cannot be understood ----

TEST_F(Shared, ABrokenFileIsRefusedWithItsPlace) {
    const std::string why = refusal("{\"version\": 1,\n \"items\": [}");
    EXPECT_EQ(why.find(file() + ": holds what the operator said"), 0) << why;
    EXPECT_NE(why.find("line 2, column 12"), std::string::npos) << why;
}

TEST_F(Shared, WhatIsNotAsWrittenIsRefused) {
    EXPECT_EQ(
        refusal(with_item(R"("key": "word/a/c", "value": "v", "time": "5.1", "origin": "lb1")")),
        "(was taken)");
    for (const char* wrong :
         {"", "[]", "null", "{}", R"({"version": 1})",
          R"({"version": 2, "clock": "0.0", "forgotten": "0.0", "cluster": "", "items": []})",
          R"({"version": 1, "forgotten": "0.0", "cluster": "", "items": []})",
          R"({"version": 1, "clock": "0.0", "cluster": "", "items": []})",
          R"({"version": 1, "clock": "5.0", "forgotten": "5.1", "cluster": "", "items": []})",
          R"({"version": 1, "clock": "0.0", "forgotten": "0.0", "cluster": 1, "items": []})"})
        EXPECT_NE(refusal(wrong), "(was taken)") << wrong;
    for (const char* wrong :
         {"", R"("key": 5, "value": "v", "time": "5.1", "origin": "lb1")",
          R"("key": "word", "value": "v", "time": "5.1", "origin": "lb1")",
          R"("key": "word/a/c", "time": "5.1", "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "time": "5.1")",
          R"("key": "word/a/c", "value": "v", "time": "5.1", "origin": "lb 1")",
          R"("key": "word/a/c", "value": "v", "time": 5, "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "time": "5", "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "time": "5.", "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "time": ".5", "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "time": "-5.1", "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "time": "5.1x", "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "time": "5.65536", "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "time": "140737488355328.0", "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "time": "0.0", "origin": "lb1")",
          R"("key": "word/a/c", "value": "v", "time": "5.1", "origin": "lb1", "removed": 1)",
          R"("key": "word/a/c", "value": "v", "time": "5.1", "origin": "lb1", "expires": -1)",
          R"("key": "word/a/c", "value": "v", "time": "5.1", "origin": "lb1", "expires": 1e30)"}) {
        const std::string why = refusal(with_item(wrong));
        EXPECT_NE(why.find("item 2: "), std::string::npos) << wrong << "\n" << why;
    }
}

TEST_F(Shared, FieldsOfALaterReleaseAreIgnored) {
    EXPECT_EQ(refusal(with_item(R"("key": "word/a/c", "value": "v", "time": "5.1",
                                   "origin": "lb1", "mood": "good")")),
              "(was taken)");
}

TEST_F(Shared, AFileWithMoreThanThereIsRoomForIsRefused) {
    std::ofstream out(file());
    out << R"({"version": 1, "clock": "7.0", "forgotten": "0.0", "cluster": "", "items": [)";
    for (std::size_t i = 0; i <= sync::most_shared_items; i++)
        out << (i ? "," : "") << R"({"key": "word/a/)" << i
            << R"(", "value": "v", "time": "5.0", "origin": "lb1"})";
    out << "]}";
    out.close();
    const auto state = SharedState::load(folder_.path(), "lb1");
    ASSERT_FALSE(state);
    EXPECT_NE(state.error().text().find("no room for all of its 65537 items"), std::string::npos);
}

TEST_F(Shared, AFolderInThePlaceOfTheFileIsRefused) {
    std::filesystem::create_directory(file());
    EXPECT_EQ(SharedState::load(folder_.path(), "lb1").error().text(),
              file() + ": is not a regular file");
}

}  // namespace
}  // namespace bascule::node
