// SPDX-License-Identifier: Apache-2.0
// [cluster] and its nodes: what is read, and what is refused.
#include <gtest/gtest.h>

#include "model/config_text.h"
#include "tests/unit/model/config_full.h"
#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

// Two nodes on one path, of which this is the first ("host"); [cluster] stands on line 3.
const std::string one_text =
    "[[cluster.node]]\nname = \"host\"\naddresses = [\"10.9.0.11:7400\"]\n";
const std::string two_text = "[[cluster.node]]\nname = \"lb2\"\naddresses = [\"10.9.0.12\"]\n";

std::string cluster_text(const std::string& keys, const std::string& nodes = one_text + two_text) {
    return node_text + "[cluster]\nname = \"edge\"\n" + keys + nodes;
}

// `addresses` of the second node, on line 10; those of the first are `first`, on line 7.
std::string with_addresses(const std::string& first, const std::string& addresses) {
    return cluster_text("", "[[cluster.node]]\nname = \"host\"\naddresses = " + first +
                                "\n[[cluster.node]]\nname = \"lb2\"\naddresses = " + addresses +
                                "\n");
}

TEST(ClusterConfig, NoneIsANodeByItself) {
    EXPECT_FALSE(good(node_text).cluster);
}

TEST(ClusterConfig, DefaultsHold) {
    const Config config = good(cluster_text(""));
    ASSERT_TRUE(config.cluster);
    ClusterConfig expected;
    expected.name = "edge";
    expected.nodes = {{"host", {{*Address::parse("10.9.0.11"), 7400}}, 100, {}},
                      {"lb2", {{*Address::parse("10.9.0.12"), 7400}}, 100, {}}};
    EXPECT_EQ(*config.cluster, expected);
    EXPECT_EQ(config.cluster->origin.line, 3u);
    EXPECT_EQ(config.cluster->key_origin.line, 3u) << "where it would be written";
    EXPECT_EQ(config.cluster->nodes[1].origin.line, 8u);
    EXPECT_EQ(config.cluster->find("lb2"), &config.cluster->nodes[1]);
    EXPECT_EQ(config.cluster->find("lb3"), nullptr);
}

TEST(ClusterConfig, EveryKeyIsRead) {
    const Config config = good(full_text);
    ASSERT_TRUE(config.cluster);
    const ClusterConfig& cluster = *config.cluster;
    EXPECT_EQ(cluster.name, "edge");
    EXPECT_EQ(cluster.key_file, "/etc/bascule/edge.key");
    EXPECT_EQ(cluster.heartbeat_interval, Milliseconds(50));
    EXPECT_EQ(cluster.dead_after, 4u);
    EXPECT_EQ(cluster.failback, Failback::never);
    EXPECT_EQ(cluster.failback_delay, Milliseconds(60'000));
    ASSERT_EQ(cluster.witness.size(), 2u);
    EXPECT_EQ(cluster.witness[1].to_string(), "2001:db8::1");
    ASSERT_EQ(cluster.nodes.size(), 2u);
    EXPECT_EQ(cluster.nodes[0].priority, 150u);
    std::string addresses;
    for (const auto& node : cluster.nodes)
        for (const auto& address : node.addresses)
            addresses += address.to_string() + ' ';
    EXPECT_EQ(addresses,
              "10.9.0.11:7401 [fd00::11]:7402 172.31.0.1:7400 "
              "10.9.0.12:7400 [fd00::12]:7400 172.31.0.2:7403 ");
    EXPECT_STREQ(name_of(cluster.failback), "never");
}

TEST(ClusterConfig, MayStandInSeveralFiles) {
    const ParsedConfig parsed =
        parse_config({{"a.toml", node_text + "[cluster]\nname = \"edge\"\n"},
                      {"b.toml", one_text},
                      {"c.toml", "[cluster]\ndead_after = 7\n" + two_text}},
                     "host");
    ASSERT_TRUE(parsed.config) << errors_text(parsed);
    EXPECT_EQ(parsed.config->cluster->nodes.size(), 2u);
    EXPECT_EQ(parsed.config->cluster->dead_after, 7u);
    EXPECT_EQ(errors_text(parse_config({{"a.toml", cluster_text("")},
                                        {"b.toml", "[cluster]\nname = \"other\"\nnode = 1\n"}},
                                       "host")),
              "b.toml:2:1: 'name' of [cluster] is set already at a.toml:4\n"
              "b.toml:3:8: node: expected an array of tables ([[cluster.node]]), found the integer "
              "1\n");
}

TEST(ClusterConfig, ThisNodeIsOfThem) {
    expect_errors("[node]\nname = \"lb3\"\ninterfaces = [\"eth0\"]\n" +
                      cluster_text("").substr(node_text.size()),
                  {"a.toml:2:8: no [[cluster.node]] is named 'lb3', which this node is by its "
                   "'name' in [node] at a.toml:2, did you mean 'lb2'?"});
    const ParsedConfig parsed = parse_config({{"a.toml", cluster_text("")}}, "balancer");
    EXPECT_EQ(errors_text(parsed),
              "a.toml:3:2: no [[cluster.node]] is named 'balancer', which this node is by its host "
              "name; 'name' in [node] would set another\n");
    expect_errors(
        cluster_text("", "[[cluster.node]]\nname = 7\naddresses = [\"10.9.0.11\"]\n" + two_text),
        {"a.toml:6:8: name: expected a name of 1 to 63 letters, digits, '.', '_' or "
         "'-', found the integer 7"});
}

TEST(ClusterConfig, TwoToSixteenNodes) {
    expect_errors(cluster_text("", ""),
                  {"a.toml:3:2: a cluster has two [[cluster.node]] at least, this one and another; "
                   "here is none"});
    expect_errors(cluster_text("", one_text),
                  {"a.toml:3:2: a cluster has two [[cluster.node]] at least, this one and another; "
                   "here is one. A node by itself needs no [cluster]"});
    std::string nodes = one_text;
    const auto add = [&](int n) {
        nodes += "[[cluster.node]]\nname = \"n" + std::to_string(n) + "\"\naddresses = [\"10.9.1." +
                 std::to_string(n) + "\"]\n";
    };
    for (int n = 2; n <= 16; ++n)
        add(n);
    EXPECT_EQ(good(cluster_text("", nodes)).cluster->nodes.size(), 16u);
    add(17);
    expect_errors(cluster_text("", nodes),
                  {"a.toml:53:1: 17 nodes in all; at most 16 are possible"});
}

TEST(ClusterConfig, NamesAreUnique) {
    expect_errors(cluster_text("", one_text + two_text +
                                       "[[cluster.node]]\nname = \"lb2\"\naddresses = "
                                       "[\"10.9.0.13\"]\n"),
                  {"a.toml:12:8: a node named 'lb2' is there already at a.toml:9"});
}

TEST(ClusterConfig, AddressesAreUnique) {
    expect_errors(with_addresses("[\"10.9.0.11\"]", "[\"10.9.0.11:7401\"]"),
                  {"a.toml:10:14: address 10.9.0.11 of a node is there already at a.toml:7"});
    expect_errors(
        with_addresses("[\"10.9.0.11\", \"10.9.0.11:7401\"]", "[\"10.9.0.12\", \"10.9.0.13\"]"),
        {"a.toml:7:27: address 10.9.0.11 of a node is there already at a.toml:7"});
}

TEST(ClusterConfig, PathsJoinAllNodes) {
    expect_errors(with_addresses("[\"10.9.0.11\", \"172.31.0.1\"]", "[\"10.9.0.12\"]"),
                  {"a.toml:10:13: addresses: 'lb2' has 1, 'host' has 2 (a.toml:7): every node has "
                   "one on every path"});
    expect_errors(with_addresses("[\"10.9.0.11\", \"fd00::1\"]", "[\"10.9.0.12\", \"172.31.0.2\"]"),
                  {"a.toml:10:27: addresses: 172.31.0.2 and fd00::1 of 'host' (a.toml:7) are one "
                   "path, and of different IP versions"});
    expect_errors(with_addresses("[\"10.9.0.11\"]", "[]"),
                  {"a.toml:10:13: addresses: expected 1 to 4 addresses, found 0"});
}

TEST(ClusterConfig, AddressesAreOfOneMachine) {
    const auto refused = [](const std::string& address, const std::string& why) {
        const bool v4 = address.find(':') == std::string::npos;
        expect_errors(
            with_addresses(v4 ? "[\"10.9.0.11\"]" : "[\"fd00::11\"]", "[\"" + address + "\"]"),
            {"a.toml:10:14: addresses: " + address + " " + why});
    };
    refused("0.0.0.0", "is the unspecified address and can be none of a node");
    refused("::", "is the unspecified address and can be none of a node");
    refused("224.0.0.1", "is a multicast or broadcast address and can be none of a node");
    refused("ff02::1", "is a multicast or broadcast address and can be none of a node");
    refused("127.0.0.1",
            "is a loopback address and can be none of a node, unless those of all nodes are");
    refused("::1",
            "is a loopback address and can be none of a node, unless those of all nodes are");
    refused("fe80::1", "is a link-local address, which does not say by which interface");
    refused("240.64.0.1",
            "is in the network of made-up addresses of checks, 240.64.0.0/10 (probe_network_v4 of "
            "[node])");
    expect_errors(with_addresses("[\"10.9.0.11\"]", "[\"10.9.0.100\"]") + vip_text,
                  {"a.toml:10:14: addresses: 10.9.0.100 is a VIP and can be none of a node: it "
                   "moves"});
    good(with_addresses("[\"169.254.0.1\"]", "[\"169.254.0.2\"]"));
}

TEST(ClusterConfig, NodesOfOneHostAreOnItsLoopback) {
    good(
        with_addresses("[\"127.0.0.1:1\", \"127.0.0.2:1\"]", "[\"127.0.0.1:2\", \"127.0.0.2:2\"]"));
    good(with_addresses("[\"[::1]:1\"]", "[\"[::1]:2\"]"));
    expect_errors(with_addresses("[\"127.0.0.1:1\"]", "[\"127.0.0.1:1\"]"),
                  {"a.toml:10:14: address 127.0.0.1 of a node is there already at a.toml:7"});
}

TEST(ClusterConfig, EndpointsAreAddressesWithPorts) {
    EXPECT_EQ(parse_endpoint("10.9.0.11", 7)->to_string(), "10.9.0.11:7");
    EXPECT_EQ(parse_endpoint("fd00::1", 7)->to_string(), "[fd00::1]:7");
    EXPECT_EQ(parse_endpoint("[fd00::1]", 7)->to_string(), "[fd00::1]:7");
    EXPECT_EQ(parse_endpoint("[fd00::1]:65535", 7)->to_string(), "[fd00::1]:65535");
    for (const std::string_view text :
         {"", ":", "10.9.0.11:", "10.9.0.11:0", "10.9.0.11:65536", "10.9.0.11:+1", "10.9.0.11:-1",
          "10.9.0.11:1:", "10.9.0.11: 1", "10.9.0.11/24", "lb1:7400", "[10.9.0.11]:1", "[fd00::1",
          "[fd00::1]7400", "[fd00::1]:", "[]:1", "[", "fd00::1]:1", "[fe80::1%eth0]:1"})
        EXPECT_FALSE(parse_endpoint(text, 7)) << text;
    for (const std::string text : {"10.9.0.12/24", "[10.9.0.12]:1", "fd00::1:12345",
                                   "10.9.0.12:1:0", "7400", "lb 2", "a:b:c", ""})
        expect_errors(with_addresses("[\"10.9.0.11\"]", "[\"" + text + "\"]"),
                      {"a.toml:10:14: addresses: expected an address with its port, such as "
                       "\"10.9.0.11:7400\" or \"[fd00::1]:7400\", or without, found the string '" +
                       text + "'"});
    for (const std::string text : {"10.9.0.12:0", "[fd00::1]:0", "10.9.0.12:65536", "10.9.0.12:"})
        expect_errors(with_addresses("[\"10.9.0.11\"]", "[\"" + text + "\"]"),
                      {"a.toml:10:14: addresses: expected a port from 1 to 65535, found the string "
                       "'" +
                       text + "'"});
    for (const std::string text : {"lb2:7400", "lb2", "lb2.example.org:0"})
        expect_errors(
            with_addresses("[\"10.9.0.11\"]", "[\"" + text + "\"]"),
            {"a.toml:10:14: addresses: expected an address (a host name is none: write the "
             "address that it stands for), found the string '" +
             text + "'"});
    expect_errors(with_addresses("[\"10.9.0.11\"]", "\"10.9.0.12\""),
                  {"a.toml:10:13: addresses: expected an array of addresses, such as "
                   "[\"10.9.0.11:7400\"], found the string '10.9.0.12'"});
}

TEST(ClusterConfig, TheVerdictComesInTime) {
    expect_errors(cluster_text("heartbeat_interval = \"10ms\"\ndead_after = 2\n"),
                  {"a.toml:6:14: dead_after: a node would be held for dead after 2 times 10ms, "
                   "20ms of silence: expected 30ms to 10s"});
    expect_errors(cluster_text("heartbeat_interval = \"1s\"\ndead_after = 11\n"),
                  {"a.toml:6:14: dead_after: a node would be held for dead after 11 times 1s, 11s "
                   "of silence: expected 30ms to 10s"});
    EXPECT_EQ(good(cluster_text("heartbeat_interval = \"1s\"\ndead_after = 10\n"))
                  .cluster->heartbeat_interval,
              Milliseconds(1000));
    expect_errors(
        cluster_text("heartbeat_interval = \"9ms\"\ndead_after = 21\n"),
        {"a.toml:5:22: heartbeat_interval: expected a duration from 10ms to 1s, found the "
         "string '9ms'",
         "a.toml:6:14: dead_after: expected an integer from 2 to 20, found the integer "
         "21"});
}

TEST(ClusterConfig, WitnessesAreSomebodyElse) {
    expect_errors(
        cluster_text("witness = [\"10.9.0.1\", \"10.9.0.1\", \"10.9.0.12\", \"127.0.0.1\", "
                     "\"10.9.0.100\", \"x\"]\n") +
            vip_text,
        {"a.toml:5:24: witness 10.9.0.1 is there already at a.toml:5",
         "a.toml:5:36: witness: 10.9.0.12 is an address of this cluster; a witness is somebody "
         "else",
         "a.toml:5:49: witness: 127.0.0.1 is a loopback address and can be no witness",
         "a.toml:5:62: witness: 10.9.0.100 is an address of this cluster; a witness is somebody "
         "else",
         "a.toml:5:76: witness: expected an IPv4 or IPv6 address, found the string 'x'"});
}

TEST(ClusterConfig, UnknownAndMissingKeys) {
    expect_errors(cluster_text("heartbeat_intervall = \"20ms\"\nfailback = \"when_synced\"\n"),
                  {"a.toml:5:1: unknown key 'heartbeat_intervall', did you mean "
                   "'heartbeat_interval'?",
                   "a.toml:6:12: failback: expected one of \"when-synced\", \"never\", found the "
                   "string 'when_synced', did you mean 'when-synced'?"});
    expect_errors(node_text + "[cluster]\n" + one_text + "[[cluster.node]]\nadress = 1\n",
                  {"a.toml:3:2: missing key 'name' in [cluster]",
                   "a.toml:7:1: missing key 'name' in [[cluster.node]]",
                   "a.toml:7:1: missing key 'addresses' in [[cluster.node]]",
                   "a.toml:8:1: unknown key 'adress'"});
    expect_errors("cluster = 1\n" + node_text,
                  {"a.toml:1:11: cluster: expected a table ([cluster]), found the integer 1"});
    expect_errors(cluster_text("key_file = \"cluster.key\"\n"),
                  {"a.toml:5:12: key_file: expected the absolute path of a file, found the string "
                   "'cluster.key'"});
}

TEST(ClusterConfig, ABrokenFileHidesNodes) {
    const ParsedConfig parsed =
        parse_config({{"a.toml", node_text + "[cluster]\nname = \"edge\"\n" + two_text},
                      {"b.toml", "[[cluster.node\n"}},
                     "host");
    ASSERT_EQ(parsed.errors.size(), 1u) << errors_text(parsed);
    EXPECT_EQ(parsed.errors[0].file, "b.toml");
}

}  // namespace
}  // namespace bascule::model
