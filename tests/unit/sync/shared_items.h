// SPDX-License-Identifier: Apache-2.0
// Items of the shared map, and a map, for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sync/shared_map.h"

namespace bascule::sync::testing {

using enum SharedMap::Applied;

inline constexpr WallMilliseconds today = 1'763'000'000'000;
inline constexpr WallMilliseconds hour = 3600 * 1000;
inline constexpr WallMilliseconds day = 24 * hour;

inline SharedItem item(const std::string& key, const std::string& value, HybridTime time,
                       const std::string& origin = "lb1", WallMilliseconds expires = 0) {
    return {key, value, time, origin, false, expires};
}
inline SharedItem tombstone(const std::string& key, HybridTime time,
                            const std::string& origin = "lb1") {
    return {key, "", time, origin, true, 0};
}

class MapTest : public ::testing::Test {
protected:
    static SharedItem say(SharedMap& map, const std::string& key, const std::string& value,
                          WallMilliseconds wall = today) {
        auto made = map.make(key, value, wall);
        EXPECT_TRUE(made) << made.error().text();
        EXPECT_EQ(map.apply(*made), newer);
        return *made;
    }
    static std::vector<SharedItem> take_back(SharedMap& map, const std::string& key,
                                             WallMilliseconds wall = today) {
        auto made = map.make_removal(key, wall);
        for (const auto& one : made)
            EXPECT_EQ(map.apply(one), newer);
        return made;
    }
    static std::string value(const SharedMap& map, const std::string& key,
                             WallMilliseconds now = today) {
        const auto* found = map.find(key, now);
        return found ? found->value : "(none)";
    }

    SharedMap map_{"lb1"};
};

}  // namespace bascule::sync::testing
