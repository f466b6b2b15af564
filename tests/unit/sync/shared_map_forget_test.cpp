// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sync/shared_map.h"
#include "tests/unit/sync/shared_items.h"

namespace bascule::sync {
namespace {

using namespace testing;

class Forgetting : public MapTest {
protected:
    void SetUp() override {
        said_ = say(map_, "word/web/web1", "drained", today);
        take_back(map_, "word/web/web1", today);
        live_ = say(map_, "word/web/web2", "drained", today);
        copy(map_, other_);
    }
    static void copy(const SharedMap& from, SharedMap& to) {
        for (const auto& [name, one] : from.items())
            to.apply(one);
    }
    // Both steps on all of them, as long as all are equal.
    static void forget_all(const std::vector<SharedMap*>& maps, WallMilliseconds wall) {
        const auto floor = maps[0]->make_floor(maps[0]->digest(), wall);
        for (SharedMap* map : maps)
            if (floor) map->apply(*floor);
        for (SharedMap* map : maps)
            map->forget(maps[0]->digest());
    }
    static bool has(const SharedMap& map, const std::string& name) {
        return map.items().contains(name);
    }

    SharedMap other_{"lb2"};
    SharedItem said_;
    SharedItem live_;
};

TEST_F(Forgetting, NothingIsOldEnoughWithinADay) {
    EXPECT_FALSE(map_.make_floor(map_.digest(), today + day - 1));
    EXPECT_FALSE(map_.forget(map_.digest()));
    EXPECT_TRUE(has(map_, "word/web/web1"));
}

TEST_F(Forgetting, TombstonesGoAndLiveItemsStay) {
    forget_all({&map_, &other_}, today + 2 * day);
    for (const SharedMap* map : {&map_, &other_}) {
        EXPECT_FALSE(has(*map, "word/web/web1"));
        EXPECT_EQ(value(*map, "word/web/web2"), "drained");
        EXPECT_EQ(map->forgotten(), hybrid_from(today + day));
    }
    EXPECT_EQ(map_.digest(), other_.digest());
}

TEST_F(Forgetting, WhatHasExpiredADayAgoGoesToo) {
    map_.apply(map_.make("list/x", "v", today, today + hour).value());
    map_.apply(map_.make("list/y", "v", today, today + day).value());
    map_.apply(map_.make("list/z", "v", today, 0).value());
    copy(map_, other_);
    forget_all({&map_, &other_}, today + day + 2 * hour);
    EXPECT_FALSE(has(other_, "list/x"));
    EXPECT_TRUE(has(other_, "list/y")) << "that one is younger";
    EXPECT_TRUE(has(other_, "list/z"));
}

TEST_F(Forgetting, OnlyWhenTheDigestIsStillOurs) {
    const auto digest = map_.digest();
    say(map_, "word/web/web3", "x", today + 2 * day);
    EXPECT_FALSE(map_.make_floor(digest, today + 2 * day));
    EXPECT_TRUE(map_.make_floor(map_.digest(), today + 2 * day));
    const auto floor = map_.make_floor(map_.digest(), today + 2 * day);
    map_.apply(*floor);
    EXPECT_FALSE(map_.forget(digest));
    EXPECT_TRUE(has(map_, "word/web/web1"));
    EXPECT_EQ(map_.forgotten(), 0);
    EXPECT_TRUE(map_.forget(map_.digest()));
    EXPECT_FALSE(has(map_, "word/web/web1"));
    EXPECT_FALSE(map_.forget(map_.digest())) << "and then there is nothing more to keep";
}

TEST_F(Forgetting, ADayIsByTheHybridClock) {
    EXPECT_FALSE(map_.make_floor(map_.digest(), 0));
    map_.apply(item("word/a/b", "x", hybrid_from(today + 2 * day), "lb2"));
    EXPECT_TRUE(map_.make_floor(map_.digest(), 0)) << "though this wall clock is of 1970";
}

TEST_F(Forgetting, AFloorIsNotSaidTwiceForTheSame) {
    map_.apply(*map_.make_floor(map_.digest(), today + 2 * day));
    EXPECT_FALSE(map_.make_floor(map_.digest(), today + 3 * day)) << "it is for them to drop";
}

TEST_F(Forgetting, ItDoesNotMatterWhoDropsWhen) {
    const auto floor = map_.make_floor(map_.digest(), today + 2 * day);
    map_.apply(*floor);
    EXPECT_NE(map_.digest(), other_.digest()) << "the floor is an item";
    other_.apply(*floor);
    EXPECT_EQ(map_.digest(), other_.digest());
    map_.forget(map_.digest());
    EXPECT_EQ(map_.digest(), other_.digest());
    EXPECT_EQ(map_.bucket_digests(), other_.bucket_digests());
    EXPECT_TRUE(has(other_, "word/web/web1"));
    // A tombstone that is forgotten here is not taken in again.
    EXPECT_EQ(map_.apply(other_.items().at("word/web/web1")), older);
    EXPECT_FALSE(has(map_, "word/web/web1"));
}

TEST_F(Forgetting, AFloorIsSaidOnceAnHourAtMost) {
    forget_all({&map_, &other_}, today + 2 * day);
    take_back(map_, "word/web/web2", today + 2 * day + 1);
    EXPECT_FALSE(map_.make_floor(map_.digest(), today + 2 * day + hour - 1))
        << "nothing that has died is old enough";
    SharedMap map("lb1");
    say(map, "word/a/b", "x", today);
    take_back(map, "word/a/b", today);
    say(map, "word/a/c", "x", today + hour / 2);
    take_back(map, "word/a/c", today + hour / 2);
    forget_all({&map}, today + day + hour / 4);
    EXPECT_FALSE(map.make_floor(map.digest(), today + day + hour));
    EXPECT_TRUE(map.make_floor(map.digest(), today + day + 2 * hour));
}

TEST_F(Forgetting, ADiskOfYesterdayDoesNotBringBackWhatWasForgotten) {
    SharedMap away("lb3");
    away.apply(said_);
    away.apply(live_);
    forget_all({&map_, &other_}, today + 2 * day);

    EXPECT_EQ(map_.apply(said_), taken_back);
    EXPECT_EQ(value(map_, "word/web/web1"), "(none)");
    const SharedItem answer{said_.key, "", said_.time, said_.origin, true, 0};
    EXPECT_EQ(map_.items().at(said_.key), answer) << "it beats that one, and nothing said after it";
    // Which ends it there, too.
    EXPECT_EQ(away.apply(map_.items().at("word/web/web1")), newer);
    EXPECT_EQ(value(away, "word/web/web1"), "(none)");
    EXPECT_EQ(map_.apply(said_), older);
    copy(map_, away);
    EXPECT_EQ(map_.digest(), away.digest());
    EXPECT_EQ(value(away, "word/web/web2"), "drained");
    // And is forgotten once more.
    EXPECT_TRUE(map_.forget(map_.digest()));
    EXPECT_FALSE(has(map_, "word/web/web1"));
}

TEST_F(Forgetting, NorDoTwoDisksOfDifferentDays) {
    const auto first = item("word/web/web1", "a", hybrid_from(today) - 9);
    forget_all({&map_, &other_}, today + 2 * day);
    EXPECT_EQ(map_.apply(first), taken_back);
    EXPECT_EQ(map_.apply(said_), taken_back) << "though it is newer than that tombstone";
    EXPECT_EQ(value(map_, "word/web/web1"), "(none)");
    EXPECT_EQ(map_.apply(first), older);
    // What lives was known to all: what beats it cannot have been taken back.
    EXPECT_EQ(map_.apply(item("word/web/web2", "b", live_.time + 1)), newer);
}

TEST_F(Forgetting, OfAModeTooAndOnlyThatOrigins) {
    map_.apply(item("mode/web", "2", hybrid_from(today), "lb2"));
    map_.apply(item("mode/web", "1", hybrid_from(today) + 1, "lb1"));
    copy(map_, other_);
    forget_all({&map_, &other_}, today + 3 * day);
    forget_all({&map_, &other_}, today + 3 * day);
    EXPECT_EQ(map_.apply(item("mode/web", "3", hybrid_from(today) + 2, "lb3")), taken_back);
    EXPECT_EQ(value(map_, "mode/web"), "2");
}

TEST_F(Forgetting, WhatIsNewerThanTheFloorIsTakenIn) {
    forget_all({&map_, &other_}, today + 2 * day);
    EXPECT_EQ(map_.apply(item("word/web/web1", "v", map_.forgotten(), "lb3")), newer);
    EXPECT_EQ(map_.apply(item("word/web/web7", "v", map_.forgotten() - 1, "lb3")), taken_back);
}

TEST_F(Forgetting, ANewNodeLearnsAllThatLives) {
    forget_all({&map_, &other_}, today + 2 * day);
    SharedMap fresh("lb3");
    copy(map_, fresh);
    EXPECT_EQ(fresh.digest(), map_.digest());
    EXPECT_EQ(value(fresh, "word/web/web2"), "drained");
    EXPECT_TRUE(fresh.forget(map_.digest())) << "nothing to drop, but something to remember";
    EXPECT_EQ(fresh.forgotten(), map_.forgotten());
    EXPECT_FALSE(fresh.forget(map_.digest()));
    SharedMap backwards("lb3");
    for (auto at = map_.items().rbegin(); at != map_.items().rend(); ++at)
        backwards.apply(at->second);
    EXPECT_EQ(backwards.digest(), map_.digest());
}

TEST_F(Forgetting, AFloorThatMakesNoSenseForgetsNothing) {
    const HybridTime time = hybrid_from(today + 3 * day);
    for (const auto& text : {std::string("zz"), std::string(""), fmt::format("{:x}", time),
                             std::string("-1"), fmt::format("{:x}x", hybrid_from(today + day)),
                             fmt::format("{:x}", time - hybrid_from(day) + 1)}) {
        SharedMap map("lb2");
        copy(map_, map);
        map.apply(item(shared_floor_key, text, time));
        map.forget(map.digest());
        EXPECT_TRUE(has(map, "word/web/web1")) << text;
        EXPECT_EQ(map.forgotten(), 0) << text;
    }
    map_.apply(item(shared_floor_key, fmt::format("{:x}", time - hybrid_from(day)), time));
    EXPECT_TRUE(map_.forget(map_.digest()));
    EXPECT_FALSE(has(map_, "word/web/web1"));
}

TEST_F(Forgetting, ANodeByItselfForgetsOnlyForWantOfRoom) {
    EXPECT_FALSE(map_.forget_alone(today + 2 * day));
    const auto key = [](std::size_t i) { return "word/a/" + std::to_string(i); };
    std::size_t i = 0;
    while (map_.items().size() < most_shared_items / 2)
        map_.apply(tombstone(key(i++), hybrid_from(today)));
    EXPECT_FALSE(map_.forget_alone(today + 2 * day));
    map_.apply(tombstone(key(i++), hybrid_from(today + day)));
    EXPECT_FALSE(map_.forget_alone(today + hour));
    EXPECT_TRUE(map_.forget_alone(today + 2 * day));
    EXPECT_EQ(map_.items().size(), 2) << "the live one, and the tombstone that is young";
    EXPECT_EQ(value(map_, "word/web/web2"), "drained");
    EXPECT_EQ(map_.forgotten(), 0) << "it knows nothing of others";
    SharedMap fresh("lb1");
    copy(map_, fresh);
    EXPECT_EQ(fresh.digest(), map_.digest());
}

TEST_F(Forgetting, MakesRoomAlsoInBytes) {
    const std::string big(most_shared_value, 'x');
    const auto fill = [&](HybridTime time) {
        std::size_t count = 0;
        while (map_.apply(item("list/" + std::to_string(10'000 + count), big, time, "lb1",
                               milliseconds_of(time) + hour)) == newer)
            ++count;
        return count;
    };
    const std::size_t count = fill(hybrid_from(today));
    EXPECT_TRUE(map_.forget_alone(today + 2 * day));
    EXPECT_EQ(map_.items().size(), 1);
    EXPECT_EQ(fill(hybrid_from(today + 2 * day)), count);
}

}  // namespace
}  // namespace bascule::sync
