// SPDX-License-Identifier: Apache-2.0
// VIPs of a cluster: who goes first, and what cannot be told apart.
#include <gtest/gtest.h>

#include "model/config_notices.h"
#include "model/vip_id.h"
#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

const std::string pair_text =
    "[cluster]\nname = \"edge\"\n"
    "[[cluster.node]]\nname = \"host\"\naddresses = [\"10.9.0.11\"]\npriority = 150\n"
    "[[cluster.node]]\nname = \"lb2\"\naddresses = [\"10.9.0.12\"]\n";

std::string vip(const std::string& address, const std::string& more = "") {
    return "[[vip]]\naddress = \"" + address + "\"\ninterface = \"eth0\"\n" + more;
}

// The VIP's table is on line 12, `line` on line 15.
std::string with_priority(const std::string& line) {
    return node_text + pair_text + vip("10.9.0.100", line + "\n");
}

TEST(VipConfig, PriorityIsTheNodesWhereTheVipSaysNone) {
    const Config config = good(with_priority("priority = { lb2 = 255, host = 0 }") +
                               vip("10.9.0.101", "priority.lb2 = 200\n") + vip("10.9.0.102"));
    const ClusterConfig& cluster = *config.cluster;
    EXPECT_EQ(cluster.priority_of("host", config.vips[0]), 0u);
    EXPECT_EQ(cluster.priority_of("lb2", config.vips[0]), 255u);
    EXPECT_EQ(cluster.priority_of("host", config.vips[1]), 150u);
    EXPECT_EQ(cluster.priority_of("lb2", config.vips[1]), 200u);
    EXPECT_EQ(cluster.priority_of("host", config.vips[2]), 150u);
    EXPECT_EQ(cluster.priority_of("lb2", config.vips[2]), 100u);
    EXPECT_EQ(cluster.priority_of("lb3", config.vips[2]), 0u) << "no such node";
    EXPECT_TRUE(config.vips[2].priority.empty());
}

TEST(VipConfig, PriorityNamesNodesOfTheCluster) {
    expect_errors(with_priority("priority = { host = 1, lb3 = 2, web1 = 3 }"),
                  {"a.toml:15:24: priority: no [[cluster.node]] is named 'lb3', did you mean "
                   "'lb2'?",
                   "a.toml:15:33: priority: no [[cluster.node]] is named 'web1'"});
    expect_errors(node_text + vip("10.9.0.100", "priority = { host = 1 }\n"),
                  {"a.toml:6:12: priority: there is no [cluster] that has nodes"});
}

TEST(VipConfig, PriorityIsATableOfSmallIntegers) {
    expect_errors(with_priority("priority = 150"),
                  {"a.toml:15:12: priority: expected a table of nodes, such as { lb1 = 150, lb2 = "
                   "100 }, found the integer 150"});
    expect_errors(with_priority("priority = { host = -1, lb2 = 256 }"),
                  {"a.toml:15:21: priority: expected an integer from 0 to 255 for 'host', found "
                   "the integer -1",
                   "a.toml:15:31: priority: expected an integer from 0 to 255 for 'lb2', found the "
                   "integer 256"});
    expect_errors(with_priority("priority = { host = \"high\" }"),
                  {"a.toml:15:21: priority: expected an integer from 0 to 255 for 'host', found "
                   "the string 'high'"});
    good(with_priority("priority = {}"));
}

// What a syntax error hides may be the cluster, or a node of it.
TEST(VipConfig, ABrokenFileHidesTheCluster) {
    const ParsedConfig parsed =
        parse_config({{"a.toml", node_text + vip("10.9.0.100", "priority = { lb9 = 1 }\n")},
                      {"b.toml", "[cluster\n"}},
                     "host");
    ASSERT_EQ(parsed.errors.size(), 1u) << errors_text(parsed);
    EXPECT_EQ(parsed.errors[0].file, "b.toml");
}

TEST(VipConfig, OnlyL2IsAnnounced) {
    good(with_priority("announce = \"l2\""));
    expect_errors(with_priority("announce = \"bgp\""),
                  {"a.toml:15:12: announce: 'bgp' is not supported by this version, only \"l2\" "
                   "is"});
    expect_errors(with_priority("announce = \"L2\""),
                  {"a.toml:15:12: announce: expected one of \"l2\", found the string 'L2', did you "
                   "mean 'l2'?"});
}

TEST(VipConfig, IsNoAddressOfANode) {
    expect_errors(node_text + pair_text + vip("10.9.0.12"),
                  {"a.toml:11:14: addresses: 10.9.0.12 is a VIP and can be none of a node: it "
                   "moves"});
}

TEST(VipConfig, AClusterHas64) {
    std::string many;
    for (std::size_t n = 0; n < most_vips; ++n)
        many += vip("10.9.1." + std::to_string(n));
    EXPECT_EQ(good(node_text + pair_text + many).vips.size(), most_vips);
    expect_errors(node_text + pair_text + many + vip("10.9.2.1"),
                  {"a.toml:204:1: 65 VIPs in all; at most 64 are possible in a cluster"});
    EXPECT_EQ(good(node_text + many + vip("10.9.2.1")).vips.size(), most_vips + 1)
        << "a node by itself";
}

TEST(VipConfig, NodesCanTellVipsApart) {
    EXPECT_EQ(vip_id(*Address::parse("10.9.0.100")), 0x46604cf2u) << "is the same in all releases";
    EXPECT_EQ(vip_id(*Address::parse("2001:db8::100")), 0xf4a7b2dau);
    EXPECT_NE(vip_id(*Address::parse("10.9.0.100")), vip_id(*Address::parse("10.9.0.101")));

    const std::string one = "148.87.173.119";
    const std::string other = "176.44.23.126";
    ASSERT_EQ(vip_id(*Address::parse(one)), vip_id(*Address::parse(other)));
    expect_errors(node_text + pair_text + vip(one) + vip(other),
                  {"a.toml:16:11: the nodes of a cluster cannot tell 176.44.23.126 and "
                   "148.87.173.119 (a.toml:13) apart: their numbers in heartbeats are the same by "
                   "chance. Take another address for one of them"});
    good(node_text + vip(one) + vip(other));
    expect_errors(node_text + pair_text + vip(one) + vip(one),
                  {"a.toml:16:11: VIP 148.87.173.119 is there already at a.toml:13"});
}

TEST(ConfigNotices, NameWhoGoesFirstByName) {
    using Lines = std::vector<std::string>;
    EXPECT_EQ(notices(good(node_text + vip("10.9.0.100"))), Lines());
    EXPECT_EQ(notices(good(node_text + pair_text + vip("10.9.0.100"))), Lines());
    EXPECT_EQ(
        notices(good(with_priority("priority = { host = 100 }"))),
        Lines({"10.9.0.100: host and lb2 have the same priority (100): who has it keeps it; where "
               "nobody has it host takes it, the first by name"}));
    std::string many;
    for (int n = 1; n <= 5; ++n)
        many += vip("10.9.1." + std::to_string(n), "priority.lb2 = 150\n");
    EXPECT_EQ(
        notices(good(with_priority("priority.lb2 = 255") + many)),
        Lines(
            {"10.9.1.1, 10.9.1.2, 10.9.1.3 and 2 more: host and lb2 have the same priority "
             "(150): who has it keeps it; where nobody has it host takes it, the first by name"}));
}

}  // namespace
}  // namespace bascule::model
