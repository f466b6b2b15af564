// SPDX-License-Identifier: Apache-2.0
#include "node/shared_file.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

std::string with_clocks(const std::string& clock, const std::string& forgotten,
                        const std::string& version = "1") {
    return R"({"version": )" + version + R"(, "clock": ")" + clock + R"(", "forgotten": ")" +
           forgotten + R"(", "cluster": "", "items": []})";
}

// The newest item may be forgotten: the clock is kept for itself.
TEST(SharedFile, KeepsTheClockOfAMapWithoutItems) {
    sync::SharedMap map("lb1", sync::hybrid_from(7) + 4);
    map.set_forgotten(sync::hybrid_from(5) + 65'535);
    const auto read = read_shared(write_shared(map, "edge"));
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->clock, sync::hybrid_from(7) + 4);
    EXPECT_EQ(read->forgotten, sync::hybrid_from(5) + 65'535);
    EXPECT_EQ(read->cluster, "edge");
    EXPECT_TRUE(read->items.empty());
}

TEST(SharedFile, AllMayBeForgottenUntilNow) {
    EXPECT_TRUE(read_shared(with_clocks("5.1", "5.1")));
    EXPECT_FALSE(read_shared(with_clocks("5.1", "5.2")));
}

TEST(SharedFile, OfAnotherVersionIsNotRead) {
    EXPECT_TRUE(read_shared(with_clocks("5.1", "0.0", "1")));
    EXPECT_FALSE(read_shared(with_clocks("5.1", "0.0", "0")));
    EXPECT_FALSE(read_shared(with_clocks("5.1", "0.0", "2")));
}

TEST(SharedFile, ATimeHasOneWayToBeWritten) {
    for (const char* wrong : {"5,1", "5x1", "5 1", "5.1.1", "5", "", ".", "281474976710656.5",
                              "281474976710661.0", "99999999999999999999.0"})
        EXPECT_FALSE(read_shared(with_clocks(wrong, "0.0"))) << wrong;
}

}  // namespace
}  // namespace bascule::node
