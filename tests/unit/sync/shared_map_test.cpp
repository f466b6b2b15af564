// SPDX-License-Identifier: Apache-2.0
#include "sync/shared_map.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/sync/shared_items.h"

namespace bascule::sync {
namespace {

using namespace testing;

class Map : public MapTest {};

TEST_F(Map, IsEmptyAtFirst) {
    EXPECT_EQ(map_.digest(), 0);
    EXPECT_EQ(map_.bucket_digests(), std::vector<std::uint64_t>(shared_buckets));
    EXPECT_EQ(value(map_, "word/web/web1"), "(none)");
    EXPECT_TRUE(map_.of_kind("word", today).empty());
    EXPECT_FALSE(map_.full());
}

TEST_F(Map, WhatIsMadeIsNotInItYet) {
    const auto made = map_.make("word/web/web1", "drained", today).value();
    EXPECT_EQ(made, item("word/web/web1", "drained", hybrid_from(today)));
    EXPECT_EQ(map_.digest(), 0);
    EXPECT_EQ(map_.apply(made), newer);
    EXPECT_EQ(value(map_, "word/web/web1"), "drained");
    EXPECT_EQ(map_.apply(made), known);
}

TEST_F(Map, TheHigherTimeWinsInAnyOrder) {
    const auto old = item("word/a/b", "old", 5, "lb9");
    const auto young = item("word/a/b", "young", 6, "lb1");
    SharedMap other("lb2");
    EXPECT_EQ(map_.apply(old), newer);
    EXPECT_EQ(map_.apply(young), newer);
    EXPECT_EQ(other.apply(young), newer);
    EXPECT_EQ(other.apply(old), older);
    EXPECT_EQ(value(map_, "word/a/b"), "young");
    EXPECT_EQ(value(other, "word/a/b"), "young");
    EXPECT_EQ(map_.digest(), other.digest());
}

TEST_F(Map, IsLaterThanAllItWasGiven) {
    map_.apply(item("word/a/b", "x", hybrid_from(today + hour) + 9, "lb2"));
    const auto made = map_.make("word/a/b", "y", today).value();
    EXPECT_EQ(made.time, hybrid_from(today + hour) + 10);
    EXPECT_EQ(map_.apply(made), newer) << "though this node's clock is an hour behind";
    EXPECT_EQ(map_.now(today), today + hour);
    EXPECT_EQ(map_.now(today + day), today + day);
}

TEST_F(Map, AlsoThanWhatIsOlderThere) {
    map_.apply(item("word/a/b", "x", 20));
    EXPECT_EQ(map_.apply(item("word/a/b", "y", 10, "lb2")), older);
    EXPECT_EQ(map_.last_time(), 20);
}

TEST_F(Map, WhatIsTakenBackStaysAway) {
    const auto said = say(map_, "word/web/web1", "drained");
    const auto back = take_back(map_, "word/web/web1");
    ASSERT_EQ(back.size(), 1);
    EXPECT_TRUE(back[0].removed);
    EXPECT_EQ(back[0].origin, "lb1");
    EXPECT_GT(back[0].time, said.time);
    EXPECT_EQ(value(map_, "word/web/web1"), "(none)");
    EXPECT_TRUE(map_.of_kind("word", today).empty());
    EXPECT_EQ(map_.apply(said), older);
    EXPECT_EQ(value(map_, "word/web/web1"), "(none)");
    EXPECT_NE(map_.digest(), 0) << "a tombstone is an item";
    EXPECT_TRUE(map_.make_removal("word/web/web1", today).empty());
    EXPECT_TRUE(map_.make_removal("word/web/never", today).empty());
}

TEST_F(Map, ATombstoneTellsWhoTookItBack) {
    map_.apply(item("word/web/web1", "drained", 5, "lb2"));
    const auto back = take_back(map_, "word/web/web1");
    ASSERT_EQ(back.size(), 1);
    EXPECT_EQ(back[0].origin, "lb1");
}

TEST_F(Map, CanBeSaidAgain) {
    say(map_, "word/web/web1", "drained");
    take_back(map_, "word/web/web1");
    say(map_, "word/web/web1", "disabled", today - hour);
    EXPECT_EQ(value(map_, "word/web/web1"), "disabled");
}

TEST_F(Map, ARemovalIsOfOneKeyAlone) {
    say(map_, "word/web/web1", "a");
    say(map_, "word/web/web10", "b");
    say(map_, "mode/web", "c");
    say(map_, "mode/webs", "d");
    EXPECT_EQ(take_back(map_, "word/web/web1").size(), 1);
    EXPECT_EQ(value(map_, "word/web/web10"), "b");
    EXPECT_EQ(value(map_, "mode/web"), "c") << "and what is shown is that of one key alone";
    EXPECT_EQ(take_back(map_, "mode/web").size(), 1);
    EXPECT_EQ(value(map_, "mode/webs"), "d");
}

TEST_F(Map, WhatExpiresIsAsIfItWasNot) {
    const auto made = map_.make("list/x", "v", today, today + 10).value();
    map_.apply(made);
    EXPECT_EQ(value(map_, "list/x", today + 9), "v");
    EXPECT_EQ(value(map_, "list/x", today + 10), "(none)");
    EXPECT_EQ(map_.of_kind("list", today + 9).size(), 1);
    EXPECT_TRUE(map_.of_kind("list", today + 10).empty());
    map_.apply(item("list/x", "earlier", 3));
    EXPECT_EQ(value(map_, "list/x", today + 10), "(none)") << "what it replaced does not return";
}

TEST_F(Map, KindsAreApartAndInOrder) {
    say(map_, "word/b/x", "1");
    say(map_, "word/a/x", "2");
    say(map_, "words/a/x", "3");
    say(map_, "list/a", "4");
    const auto found = map_.of_kind("word", today);
    ASSERT_EQ(found.size(), 2);
    EXPECT_EQ(found[0].key, "word/a/x");
    EXPECT_EQ(found[1].key, "word/b/x");
}

// ---- modes ----

TEST_F(Map, OfModesTheMoreSevereOneIsShown) {
    map_.apply(item("mode/web", "1 normal", 30, "lb1"));
    map_.apply(item("mode/web", "3 proof", 10, "lb2", 1000));
    map_.apply(item("mode/web", "2 cookies", 20, "lb3"));
    EXPECT_EQ(value(map_, "mode/web", 999), "3 proof");
    EXPECT_EQ(value(map_, "mode/web", 1000), "2 cookies") << "what was hidden is shown again";
    ASSERT_EQ(map_.of_kind("mode", 999).size(), 1) << "one for each key";
    EXPECT_EQ(map_.of_kind("mode", 999)[0].value, "3 proof");
}

TEST_F(Map, ANodesOwnModeIsReplacedByItsNext) {
    map_.apply(item("mode/web", "3 proof", 10, "lb2"));
    EXPECT_EQ(map_.apply(item("mode/web", "1 normal", 20, "lb2")), newer);
    EXPECT_EQ(value(map_, "mode/web"), "1 normal");
    EXPECT_EQ(map_.apply(item("mode/web", "3 proof", 10, "lb2")), older);
}

TEST_F(Map, OfEquallySevereModesTheNewerIsShown) {
    map_.apply(item("mode/web", "2", 10, "lb3"));
    map_.apply(item("mode/web", "2", 20, "lb1"));
    map_.apply(item("mode/web", "2", 15, "lb2"));
    EXPECT_EQ(map_.find("mode/web", today)->time, 20);
}

TEST_F(Map, AModeIsTakenBackAsFarAsItWasKnown) {
    map_.apply(item("mode/web", "2", 10, "lb2"));
    map_.apply(item("mode/web", "3", 20, "lb3"));
    const auto back = take_back(map_, "mode/web");
    ASSERT_EQ(back.size(), 2);
    EXPECT_EQ(value(map_, "mode/web"), "(none)");
    EXPECT_EQ(map_.apply(item("mode/web", "3", 20, "lb3")), older);
    EXPECT_EQ(map_.apply(item("mode/web", "1", 15, "lb4")), newer) << "nobody has seen that one";
    EXPECT_EQ(value(map_, "mode/web"), "1");
    EXPECT_TRUE(SharedMap("lb5").make_removal("mode/web", today).empty());
}

// Three that would beat each other in turn, if there were one register.
TEST_F(Map, ModesConvergeInAnyOrder) {
    std::vector<SharedItem> items{item("mode/web", "3", hybrid_from(1), "lb1", 10),
                                  item("mode/web", "2", hybrid_from(5), "lb2", 100),
                                  item("mode/web", "1", hybrid_from(12), "lb3", 200)};
    std::vector<std::size_t> order{0, 1, 2};
    std::vector<std::uint64_t> digests;
    do {
        SharedMap map("lb1");
        for (const std::size_t i : order)
            map.apply(items[i]);
        digests.push_back(map.digest());
        EXPECT_EQ(value(map, "mode/web", 9), "3");
        EXPECT_EQ(value(map, "mode/web", 50), "2");
        EXPECT_EQ(value(map, "mode/web", 150), "1");
        EXPECT_EQ(value(map, "mode/web", 200), "(none)");
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(std::count(digests.begin(), digests.end(), digests[0]), 6);
}

// ---- what is refused ----

TEST_F(Map, WhatCannotBeSaidIsRefusedWithWords) {
    EXPECT_EQ(map_.make("word", "v", today).error().text(), "its key is not KIND/NAME");
    EXPECT_EQ(map_.make("word/a/b", std::string(20'000, 'x'), today).error().text(),
              "its value has 20000 bytes, at most 16384");
}

TEST_F(Map, ThereIsABoundOfItems) {
    const auto key = [](std::size_t i) { return "word/a/" + std::to_string(i); };
    for (std::size_t i = 0; i < most_shared_items; i++)
        ASSERT_EQ(map_.apply(item(key(i), "v", 5)), newer);
    EXPECT_TRUE(map_.full());
    const auto digest = map_.digest();
    EXPECT_EQ(map_.apply(item("word/b/more", "v", 6)), refused);
    EXPECT_EQ(map_.refused(), 1);
    EXPECT_EQ(map_.digest(), digest);
    const auto said = map_.make("word/b/more", "v", today);
    ASSERT_FALSE(said);
    EXPECT_NE(said.error().text().find("65536 items"), std::string::npos) << said.error().text();
    // What takes another's place is not one more.
    EXPECT_EQ(map_.apply(item(key(7), "w", 7)), newer);
    EXPECT_EQ(take_back(map_, key(8)).size(), 1);
    EXPECT_EQ(map_.items().size(), most_shared_items);
}

TEST_F(Map, ThereIsABoundOfBytes) {
    const std::string big(most_shared_value, 'x');
    std::size_t count = 0;
    while (map_.apply(item("list/" + std::to_string(10'000 + count), big, 5)) == newer)
        ++count;
    EXPECT_EQ(count, most_shared_bytes / (most_shared_value + 10 + 3));
    EXPECT_TRUE(map_.full());
    EXPECT_EQ(map_.refused(), 1);
    const auto said = map_.make("list/more", big, today);
    ASSERT_FALSE(said);
    EXPECT_NE(said.error().text().find("16777216 bytes"), std::string::npos);
    // Room comes back with what is taken back or made smaller.
    EXPECT_EQ(map_.apply(item("list/10003", big, 6)), newer);
    take_back(map_, "list/10001");
    EXPECT_EQ(map_.apply(item("list/10002", "small", 6)), newer);
    EXPECT_TRUE(map_.make("list/more", big, today));
    EXPECT_EQ(map_.apply(item("list/more", big, 7)), newer);
}

// ---- digests ----

TEST_F(Map, BucketsTellWhereADifferenceIs) {
    SharedMap other("lb1");
    for (int i = 0; i < 500; i++) {
        const auto one = item("word/a/" + std::to_string(i), "v", 5);
        map_.apply(one);
        other.apply(one);
    }
    EXPECT_EQ(map_.bucket_digests(), other.bucket_digests());
    const auto zeros = std::count(map_.bucket_digests().begin(), map_.bucket_digests().end(), 0);
    EXPECT_LT(zeros, 3) << "500 items are spread over 64 buckets";
    other.apply(item("word/a/77", "w", 6));
    for (std::uint32_t i = 0; i < shared_buckets; i++)
        EXPECT_EQ(map_.bucket_digests()[i] == other.bucket_digests()[i],
                  i != bucket_of("word/a/77"));
    map_.apply(item("word/a/77", "w", 6));
    EXPECT_EQ(map_.bucket_digests(), other.bucket_digests());
}

TEST_F(Map, ReplacingLeavesNothingInTheDigest) {
    SharedMap other("lb1");
    for (HybridTime time = 1; time < 50; time++)
        map_.apply(item("word/a/b", "v" + std::to_string(time), time));
    other.apply(item("word/a/b", "v49", 49));
    EXPECT_EQ(map_.digest(), other.digest());
}

}  // namespace
}  // namespace bascule::sync
