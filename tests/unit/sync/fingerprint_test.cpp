// SPDX-License-Identifier: Apache-2.0
#include "sync/fingerprint.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace bascule::sync {
namespace {

Flow flow_of(std::uint16_t port) {
    Flow flow;
    flow.source = *Address::parse("192.0.2.1");
    flow.source_port = port;
    flow.destination_port = 443;
    flow.service = 0x0123456789abcdef;
    return flow;
}

// Nodes of all machines and releases have to make the same.
TEST(Fingerprint, IsPartOfTheProtocol) {
    const Fingerprinter prints({0x0706050403020100, 0x0f0e0d0c0b0a0908});
    EXPECT_EQ(prints.of(flow_of(40'000), 5).partition, 615u);
    EXPECT_EQ(prints.of(flow_of(40'000), 5).fingerprint, 0x3b041152fd185ddb);
}

TEST(Fingerprint, EveryPartOfASessionCounts) {
    const Fingerprinter prints({1, 2});
    std::set<std::uint64_t> seen{prints.of(flow_of(1), 5).fingerprint};
    const auto add = [&](const Flow& flow, TargetId target) {
        EXPECT_TRUE(seen.insert(prints.of(flow, target).fingerprint).second);
    };
    add(flow_of(1), 6);
    add(flow_of(2), 5);
    Flow flow = flow_of(1);
    flow.destination_port = 444;
    add(flow, 5);
    flow = flow_of(1);
    flow.service += std::uint64_t{1} << 63;
    add(flow, 5);
    flow = flow_of(1);
    flow.source = *Address::parse("192.0.2.2");
    add(flow, 5);
    flow.source = *Address::parse("2001:db8::c000:201");
    add(flow, 5);
    EXPECT_TRUE(seen.insert(Fingerprinter({1, 3}).of(flow_of(1), 5).fingerprint).second);
    EXPECT_TRUE(seen.insert(Fingerprinter({2, 2}).of(flow_of(1), 5).fingerprint).second);
}

TEST(Fingerprint, ThePartitionIsOfTheFlowAlone) {
    const Fingerprinter prints({1, 2});
    for (std::uint16_t port = 0; port < 100; ++port)
        EXPECT_EQ(prints.of(flow_of(port), 1).partition, prints.of(flow_of(port), 2).partition);
}

TEST(Fingerprint, PartitionsAreFilledEvenly) {
    const Fingerprinter prints({3, 4});
    std::vector<int> count(partitions);
    for (std::uint32_t i = 0; i < 64 * partitions; ++i) {
        Flow flow = flow_of(static_cast<std::uint16_t>(i));
        flow.destination_port = static_cast<std::uint16_t>(i >> 16);
        ++count[prints.partition_of(flow)];
    }
    for (const int each : count) {
        EXPECT_GT(each, 16);
        EXPECT_LT(each, 128);
    }
}

TEST(Fingerprint, ListsAreEqualOnlyWhenEqual) {
    const Fingerprinter prints({1, 2});
    const std::vector<TargetId> both{1, 2};
    const std::vector<TargetId> other{2, 1};
    EXPECT_EQ(prints.of(both), prints.of(std::vector<TargetId>{1, 2}));
    EXPECT_NE(prints.of(both), prints.of(other));
    EXPECT_NE(prints.of(both), prints.of(std::vector<TargetId>{1}));
    EXPECT_NE(prints.of(both), prints.of(std::vector<TargetId>{1, 2, 0}));
}

}  // namespace
}  // namespace bascule::sync
