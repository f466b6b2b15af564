// SPDX-License-Identifier: Apache-2.0
// [http]: what is read, and what is refused.
#include <gtest/gtest.h>

#include "tests/unit/model/config_full.h"
#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

// `keys` of [http] begin on line 4.
std::string with_http(const std::string& keys, const std::string& more = {}) {
    return node_text + "[http]\n" + keys + more;
}

std::string listen(const std::string& address) {
    return "listen = \"" + address + "\"\n";
}

std::string read(const std::string& keys) {
    return good(with_http(keys)).http.value().listen.to_string();
}

TEST(HttpConfig, WithoutATableNothingIsListenedAt) {
    EXPECT_FALSE(good(node_text).http);
}

TEST(HttpConfig, AnEmptyTableIsLoopback) {
    EXPECT_EQ(read(""), "127.0.0.1:7401");
    EXPECT_EQ(good(with_http("")).http, HttpConfig{});
}

TEST(HttpConfig, AddressesOfBothFamiliesAreRead) {
    EXPECT_EQ(read(listen("10.9.0.11:9000")), "10.9.0.11:9000");
    EXPECT_EQ(read(listen("10.9.0.11")), "10.9.0.11:7401");
    EXPECT_EQ(read(listen("[fd00::1]:9000")), "[fd00::1]:9000");
    EXPECT_EQ(read(listen("fd00::1")), "[fd00::1]:7401");
    EXPECT_EQ(read(listen("0.0.0.0:7401")), "0.0.0.0:7401");
    EXPECT_EQ(read(listen("[::]:7401")), "[::]:7401");
    EXPECT_EQ(good(full_text).http.value().listen.to_string(), "[fd00::11]:9401");
}

TEST(HttpConfig, ItsPlaceIsKnown) {
    EXPECT_EQ(good(with_http(listen("127.0.0.1:80"))).http->origin.line, 4u);
}

TEST(HttpConfig, WhatIsNoAddressIsRefused) {
    const std::string expected =
        "a.toml:4:10: listen: expected an address with a port from 1 to 65535, such as "
        "\"127.0.0.1:7401\" or \"[::1]:7401\", or without, found the string ";
    for (const char* wrong : {"127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:", "localhost:7401", "",
                              ":7401", "7401", "[127.0.0.1]:7401", "fe80::1%eth0", "10.9.0.0/24"})
        expect_errors(with_http(listen(wrong)), {expected + "'" + wrong + "'"});
    expect_errors(with_http("listen = 7401\n"),
                  {expected.substr(0, expected.find(", found")) + ", found the integer 7401"});
}

TEST(HttpConfig, UnknownKeysAreRefused) {
    expect_errors(with_http("lisen = \"127.0.0.1\"\n"),
                  {"a.toml:4:1: unknown key 'lisen', did you mean 'listen'?"});
    expect_errors(node_text + "http = true\n", {"a.toml:3:1: unknown key 'http'"});
}

TEST(HttpConfig, NeverOnAVip) {
    expect_errors(with_http(listen("10.9.0.100:7401"), vip_text),
                  {"a.toml:4:10: listen: 10.9.0.100 is a VIP: what clients reach is theirs alone"});
}

TEST(HttpConfig, NeverWhereNothingCanListen) {
    expect_errors(with_http(listen("224.0.0.1:7401")),
                  {"a.toml:4:10: listen: 224.0.0.1 is a multicast or broadcast address and cannot "
                   "be listened at"});
    expect_errors(with_http(listen("240.64.0.1")),
                  {"a.toml:4:10: listen: 240.64.0.1 is in the network of made-up addresses of "
                   "checks, 240.64.0.0/10 (probe_network_v4 of [node])"});
}

TEST(HttpConfig, NotBesideTheStreamsOfTheCluster) {
    const std::string cluster =
        "[cluster]\nname = \"edge\"\n[[cluster.node]]\nname = \"host\"\naddresses = "
        "[\"10.9.0.11\"]\n[[cluster.node]]\nname = \"lb2\"\naddresses = [\"10.9.0.12\"]\n";
    const std::string error = "a.toml:4:10: listen: 10.9.0.11:7400 is this node's in [cluster] at ";
    expect_errors(with_http(listen("10.9.0.11:7400"), cluster), {error + "a.toml:9"});
    expect_errors(with_http(listen("0.0.0.0:7400"), cluster), {error + "a.toml:9"});
    good(with_http(listen("10.9.0.12:7400"), cluster));
    good(with_http(listen("[::]:7400"), cluster));
    good(with_http(listen("10.9.0.11:7401"), cluster));
}

}  // namespace
}  // namespace bascule::model
