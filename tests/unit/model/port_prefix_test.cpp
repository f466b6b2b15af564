// SPDX-License-Identifier: Apache-2.0
#include "model/port_prefix.h"

#include <gtest/gtest.h>

#include <random>

namespace bascule::model {
namespace {

bool covers(const PortPrefix& prefix, unsigned port) {
    return port >> (16 - prefix.length) == unsigned{prefix.port} >> (16 - prefix.length);
}

void expect_just(const PortRange& ports) {
    const auto prefixes = prefixes_of(ports);
    EXPECT_LE(prefixes.size(), 30u);
    for (unsigned port = 0; port <= 65535; ++port) {
        unsigned found = 0;
        for (const PortPrefix& prefix : prefixes)
            found += covers(prefix, port);
        ASSERT_EQ(found, port >= ports.first && port <= ports.last ? 1u : 0u)
            << ports.to_string() << " at " << port;
    }
}

TEST(PortPrefix, CoversTheRangeAndNothingElse) {
    for (const PortRange& ports :
         {PortRange{80, 80}, PortRange{8000, 8099}, PortRange{1, 65535}, PortRange{0, 65535},
          PortRange{1, 65534}, PortRange{65535, 65535}, PortRange{0, 0}, PortRange{1024, 2047}})
        expect_just(ports);
    std::mt19937 random(3);
    for (int i = 0; i < 20; ++i) {
        const auto one = static_cast<std::uint16_t>(random());
        const auto other = static_cast<std::uint16_t>(random());
        expect_just({std::min(one, other), std::max(one, other)});
    }
}

TEST(PortPrefix, TheFewest) {
    using List = std::vector<PortPrefix>;
    EXPECT_EQ(prefixes_of({80, 80}), (List{{80, 16}}));
    EXPECT_EQ(prefixes_of({0, 65535}), (List{{0, 0}}));
    EXPECT_EQ(prefixes_of({1024, 2047}), (List{{1024, 6}}));
    EXPECT_EQ(prefixes_of({8001, 8004}), (List{{8001, 16}, {8002, 15}, {8004, 16}}));
    EXPECT_EQ(prefixes_of({1, 65534}).size(), 30u) << "the worst there is";
    EXPECT_TRUE(prefixes_of({9, 8}).empty());
}

}  // namespace
}  // namespace bascule::model
