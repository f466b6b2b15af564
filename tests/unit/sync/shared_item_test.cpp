// SPDX-License-Identifier: Apache-2.0
#include "sync/shared_item.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/sync/shared_items.h"

namespace bascule::sync {
namespace {

using namespace testing;

class Item : public MapTest {};

TEST_F(Item, OfEqualTimesOriginThenTombstoneThenValueThenExpiryDecide) {
    const std::vector<SharedItem> rising{
        item("word/a/b", "z", 4, "lb9"),    item("word/a/b", "z", 5, "lb1"),
        item("word/a/b", "a", 5, "lb2"),    item("word/a/b", "b", 5, "lb2"),
        item("word/a/b", "b", 5, "lb2", 7), tombstone("word/a/b", 5, "lb2"),
        item("word/a/b", "a", 5, "lb3"),    tombstone("word/a/b", 6, "lb1"),
    };
    for (std::size_t i = 0; i < rising.size(); i++)
        for (std::size_t j = 0; j < rising.size(); j++) {
            EXPECT_EQ(beats(rising[i], rising[j]), i > j) << i << " " << j;
            SharedMap map("lb1");
            map.apply(rising[i]);
            EXPECT_EQ(map.apply(rising[j]), i == j ? known : j > i ? newer : older);
            EXPECT_EQ(map.items().begin()->second, rising[std::max(i, j)]);
        }
}

TEST_F(Item, WhatIsNotWellFormedIsRefusedAndCounted) {
    const auto good = item("word/a/b", "v", 5);
    std::vector<SharedItem> bad(17, good);
    bad[0].key = "";
    bad[1].key = "word";
    bad[2].key = "/x";
    bad[3].key = "word/";
    bad[4].key = "word/a\n";
    bad[5].key = "word/" + std::string(most_shared_key, 'x');
    bad[6].value = std::string(most_shared_value + 1, 'x');
    bad[7].value = "\xff";
    bad[8].value = std::string("a\0b", 3);
    bad[9].origin = "";
    bad[10].origin = std::string(most_shared_origin + 1, 'x');
    bad[11].origin = "lb 1";
    bad[12].time = 0;
    bad[13].time = latest_time;
    bad[14].expires = milliseconds_of(latest_time);
    bad[15].removed = true;
    bad[16] = tombstone("word/a/b", 5);
    bad[16].expires = 1;
    for (std::size_t i = 0; i < bad.size(); i++) {
        EXPECT_EQ(map_.apply(bad[i]), refused) << i;
        EXPECT_NE(flaw_of(bad[i]), "") << i;
        EXPECT_EQ(map_.refused(), i + 1);
    }
    EXPECT_EQ(map_.digest(), 0);
    EXPECT_EQ(map_.last_time(), 0) << "nor is its time believed";
    EXPECT_EQ(flaw_of(good), "");
}

TEST_F(Item, TheBoundsThemselvesAreFine) {
    auto most = item("word/" + std::string(most_shared_key - 5, 'x'),
                     std::string(most_shared_value, 'v'), latest_time - 1,
                     std::string(most_shared_origin, 'n'), milliseconds_of(latest_time) - 1);
    EXPECT_EQ(flaw_of(most), "");
    EXPECT_EQ(map_.apply(most), newer);
}

TEST_F(Item, Utf8IsToldFromWhatLooksLikeIt) {
    for (const char* good : {"\u00e9", "\u20ac", "\U0001f600", "a\u00ffz", "\xf4\x8f\xbf\xbf"})
        EXPECT_EQ(flaw_of(item("word/a/b", good, 5)), "") << good;
    for (const char* bad :
         {"\xc3", "\xc0\x80", "\xe2\x82", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xc3(", "\x7f", "\t", "\xf0\x9f\x98"})
        EXPECT_NE(flaw_of(item("word/a/b", bad, 5)), "") << bad;
}

TEST_F(Item, EachFieldEntersTheDigest) {
    const auto base = item("word/a/b", "v", 5, "lb1", 9);
    std::vector<SharedItem> others(5, base);
    others[0].key = "word/a/c";
    others[1].value = "w";
    others[2].time = 6;
    others[3].origin = "lb2";
    others[4].expires = 10;
    others.push_back(tombstone("word/a/b", 5));
    others.push_back(item("word/a/b", "", 5));
    others.push_back(item("word/a/bv", "", 5, "lb1", 9));
    map_.apply(base);
    std::set<std::uint64_t> digests{map_.digest()};
    for (const auto& other : others) {
        SharedMap map("lb1");
        map.apply(other);
        EXPECT_NE(map.digest(), 0);
        EXPECT_TRUE(digests.insert(map.digest()).second) << "the same as another";
    }
}

// Two releases have to come to the same: these numbers never change.
TEST_F(Item, FingerprintsAreTheSameInEveryRelease) {
    EXPECT_EQ(fingerprint_of(item("word/web/web1", "{}", 1ULL << 40, "lb1", 7)),
              8760906138071750223U);
    EXPECT_EQ(bucket_of("word/web/web1"), 44U);
}

}  // namespace
}  // namespace bascule::sync
