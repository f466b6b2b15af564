// SPDX-License-Identifier: Apache-2.0
// What the configuration says of ports, ways of forwarding and backends, and what it may not say.
#include <gtest/gtest.h>

#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

std::string service_on(const std::string& name, const std::string& port,
                       const std::string& more = {}) {
    return "[[service]]\nname = \"" + name + "\"\nvip = \"10.9.0.100\"\nport = " + port + "\n" +
           more + backend_text;
}

TEST(ConfigForward, PortsAreOneARangeOrAny) {
    const auto ports = [](const std::string& text) {
        return good(node_text + vip_text + service_on("w", text)).services.at(0).ports;
    };
    EXPECT_EQ(ports("80"), (PortRange{80, 80}));
    EXPECT_EQ(ports("\"8000-8099\""), (PortRange{8000, 8099}));
    EXPECT_EQ(ports("\"8000-8000\""), (PortRange{8000, 8000}));
    EXPECT_EQ(ports("\"1-65535\""), (PortRange{1, 65535}));
    EXPECT_EQ(ports("\"any\""), (PortRange{0, 65535}));
    for (const std::string text :
         {"80", "", "0-80", "80-", "-80", "80-65536", "80-90-100", "Any", "80 - 90", "+80-90"})
        expect_errors(node_text + vip_text + service_on("w", "\"" + text + "\""),
                      {"a.toml:9:8: port: expected a port from 1 to 65535, a range such as "
                       "\"8000-8099\", or \"any\", found the string '" +
                       text + "'"});
    expect_errors(node_text + vip_text + service_on("w", "\"8099-8000\""),
                  {"a.toml:9:8: port: the range '8099-8000' ends before it begins"});
    EXPECT_EQ(ports("\"any\"").to_string(), "any");
    EXPECT_EQ(ports("\"8000-8099\"").to_string(), "8000-8099");
    EXPECT_EQ(ports("80").to_string(), "80");
}

TEST(ConfigForward, RangesOfOneVipDoNotOverlap) {
    const std::string head = node_text + vip_text;
    const auto with = [&](const std::string& second, const std::string& more = {}) {
        return head + service_on("a", "\"8000-8099\"") + service_on("b", second, more);
    };
    const auto refused = [&](const std::string& range) {
        expect_errors(with("\"" + range + "\""),
                      {"a.toml:15:8: port: the range " + range +
                       " of 10.9.0.100 tcp overlaps 8000-8099 at a.toml:9"});
    };
    refused("8099-8200");
    refused("7000-8000");
    refused("8010-8020");
    refused("7000-9000");
    refused("8000-8099");
    for (const std::string fits : {"\"8100-8200\"", "\"7000-7999\"", "8050", "\"any\""})
        EXPECT_EQ(good(with(fits)).services.size(), 2u) << fits;
    EXPECT_EQ(good(with("\"8010-8020\"", "protocol = \"udp\"\n")).services.size(), 2u);
    expect_errors(head + service_on("a", "\"any\"") + service_on("b", "\"any\""),
                  {"a.toml:15:8: a service on 10.9.0.100 port any tcp is there already at "
                   "a.toml:9"});
    // The third one hits the second, not the last that was said.
    expect_errors(head + service_on("a", "\"10-19\"") + service_on("b", "\"30-39\"") +
                      service_on("c", "\"15-35\""),
                  {"a.toml:21:8: port: the range 15-35 of 10.9.0.100 tcp overlaps 30-39 at "
                   "a.toml:15"});
}

TEST(ConfigForward, MorePrefixesThanTheDataPlaneHoldsAreRefused) {
    std::string vips;
    std::string services;
    for (unsigned n = 0; n < 150; ++n) {
        const std::string vip = "10.8.0." + std::to_string(n);
        vips += "[[vip]]\ninterface = \"eth0\"\naddress = \"" + vip + "\"\n";
        services += "[[service]]\nname = \"s" + std::to_string(n) + "\"\nvip = \"" + vip +
                    "\"\nport = \"1-65534\"\n" + backend_text;
    }
    const auto line = 2 + 3 * 150 + 6 * 136 + 4;
    expect_errors(node_text + vips + services,
                  {"a.toml:" + std::to_string(line) +
                   ":8: port: with this range the ports of all services take 4110 prefixes; at "
                   "most 4096 are possible (a range that begins and ends at multiples of a power "
                   "of two takes the fewest)"});
}

TEST(ConfigForward, BackendPortIsRewritten) {
    const Config config = good(with_service(backend_text + "port = 8080\n" + backend_text +
                                            "port = 8081\n[[service.backend]]\n"
                                            "address = \"10.9.0.22\"\n"));
    const auto& backends = config.services.at(0).backends;
    EXPECT_EQ(backends.at(0).name, "10.9.0.21:8080");
    EXPECT_EQ(backends.at(1).name, "10.9.0.21:8081");
    EXPECT_EQ(backends.at(2).name, "10.9.0.22");
    EXPECT_EQ(backends.at(0).port, 8080);
    EXPECT_EQ(backends.at(2).port, 80);
    expect_errors(with_service(backend_text + "port = 8080\n" + backend_text + "port = 8080\n"),
                  {"a.toml:14:11: backend 10.9.0.21 port 8080 of this service is there already at "
                   "a.toml:11"});
    // The service's own port, written or not, is one and the same.
    expect_errors(with_service(backend_text + backend_text + "port = 80\n"),
                  {"a.toml:13:11: backend 10.9.0.21 port 80 of this service is there already at "
                   "a.toml:11"});
    expect_errors(with_service("[[service.backend]]\nname = \"10.9.0.21\"\n"
                               "address = \"10.9.0.22\"\n" +
                               backend_text),
                  {"a.toml:14:11: a backend of this service named '10.9.0.21' is there already: "
                   "set 'name'"});
}

TEST(ConfigForward, ARangeKeepsItsPorts) {
    const std::string head = node_text + vip_text;
    expect_errors(head + service_on("w", "\"8000-8099\"") + "port = 8000\n",
                  {"a.toml:12:8: port: the service is on a range of ports, and packets keep "
                   "theirs"});
    expect_errors(head + service_on("w", "\"any\"") + "port = 8000\n",
                  {"a.toml:12:8: port: the service is on any port, and packets keep theirs"});
    expect_errors(head + service_on("w", "\"any\"") + backend_text,
                  {"a.toml:13:11: backend 10.9.0.21 of this service is there already at "
                   "a.toml:11"});
}

TEST(ConfigForward, DefaultsHoldForServicesThatDoNotSay) {
    const std::string defaults =
        "[defaults]\nforward = \"gue\"\ngue_port = 7000\ncopy_dscp = false\nmss_clamp = 1300\n";
    const Config config = good(defaults + with_service(backend_text) +
                               service_on("b", "81",
                                          "forward = \"ipip\"\ncopy_dscp = true\n"
                                          "mss_clamp = 0\n") +
                               service_on("c", "82", "protocol = \"udp\"\n"));
    const auto& services = config.services;
    EXPECT_EQ(services[0].forward, Forward::gue);
    EXPECT_EQ(services[0].gue_port, 7000);
    EXPECT_FALSE(services[0].copy_dscp);
    EXPECT_EQ(services[0].mss_clamp, 1300);
    EXPECT_EQ(services[1].forward, Forward::ipip);
    EXPECT_TRUE(services[1].copy_dscp);
    EXPECT_EQ(services[1].mss_clamp, 0);
    EXPECT_EQ(services[2].mss_clamp, 0) << "there is no segment to be clamped";
    EXPECT_EQ(services[2].forward, Forward::gue);
    expect_errors(node_text + "[defaults]\nmss_clamp = 100\n[[defaults.x]]\n",
                  {"a.toml:4:13: mss_clamp: expected 0, or 536 to 65535, found the integer 100",
                   "a.toml:5:12: unknown key 'x'"});
    EXPECT_EQ(errors_text(parse_config({{"a.toml", node_text + "[defaults]\ngue_port = 1\n"},
                                        {"b.toml", "[defaults]\ngue_port = 2\n"}},
                                       "host")),
              "b.toml:2:1: 'gue_port' of [defaults] is set already at a.toml:4\n");
}

TEST(ConfigForward, KeysOfAnotherWayAreRefused) {
    expect_errors(
        with_service("gue_port = 6080\ncopy_dscp = true\n" + backend_text),
        {"a.toml:10:12: gue_port: with forward = \"l2\" there is none; it is for forward = "
         "\"gue\"",
         "a.toml:11:13: copy_dscp: with forward = \"l2\" there is no outer header; it is for "
         "\"ipip\" and \"gue\""});
    expect_errors(
        with_service("forward = \"ipip\"\ngue_port = 6080\ncopy_dscp = true\n" + backend_text),
        {"a.toml:11:12: gue_port: with forward = \"ipip\" there is none; it is for "
         "forward = \"gue\""});
    expect_errors(with_service("protocol = \"udp\"\nmss_clamp = 1400\n" + backend_text),
                  {"a.toml:11:13: mss_clamp: a udp service has no segment size"});
    expect_errors(with_service("mss_clamp = 535\n" + backend_text),
                  {"a.toml:10:13: mss_clamp: expected 0, or 536 to 65535, found the integer 535"});
    EXPECT_EQ(good(with_service("mss_clamp = 536\n" + backend_text)).services[0].mss_clamp, 536);
}

TEST(ConfigForward, TunnelsTakeBackendsOfBothFamilies) {
    for (const std::string forward : {"ipip", "gue"})
        EXPECT_EQ(good(with_service("forward = \"" + forward + "\"\n" + backend_text +
                                    "[[service.backend]]\naddress = \"2001:db8::1\"\n"))
                      .services[0]
                      .backends.size(),
                  2u);
}

TEST(ConfigForward, LocalIsTheVipItself) {
    const std::string local = "forward = \"local\"\n";
    const Config config =
        good(with_service(local + "[[service.backend]]\nport = 25001\n"
                                  "[[service.backend]]\nport = 25002\n"
                                  "address = \"10.9.0.100\"\n[[service.backend]]\n"));
    const auto& backends = config.services[0].backends;
    EXPECT_EQ(backends.at(0).address, config.services[0].vip);
    EXPECT_EQ(backends.at(0).name, "10.9.0.100:25001");
    EXPECT_EQ(backends.at(1).address, config.services[0].vip);
    EXPECT_EQ(backends.at(2).port, 80);
    expect_errors(with_service(local + backend_text),
                  {"a.toml:12:11: 10.9.0.21: with forward = \"local\" the backend is this host, "
                   "by the VIP itself: leave 'address' out"});
    expect_errors(with_service(local + "[[service.backend]]\n[[service.backend]]\n"),
                  {"a.toml:12:1: backend 10.9.0.100 port 80 of this service is there already at "
                   "a.toml:11"});
    expect_errors(with_service("[[service.backend]]\nport = 81\n"),
                  {"a.toml:10:1: missing key 'address' in [[service.backend]]"});
}

TEST(ConfigForward, BackupsAloneAreNoError) {
    EXPECT_TRUE(
        good(with_service(backend_text + "backup = true\n")).services[0].backends[0].backup);
}

TEST(ConfigForward, TunnelSources) {
    const auto source_error = [](const std::string& key, const std::string& text,
                                 const std::string& what) {
        expect_errors(node_text + key + " = \"" + text + "\"\n", {"a.toml:3:20: " + what});
    };
    const auto shape_error = [&](const std::string& key, const std::string& text,
                                 const std::string& expected) {
        source_error(key, text,
                     key + ": expected " + expected + ", found the string '" + text + "'");
    };
    const std::string four = "an IPv4 address, alone or with a prefix length from /8 to /32";
    const std::string six = "an IPv6 address, alone or with a prefix length from /96 to /128";
    for (const std::string text : {"2001:db8::1", "10.0.0.0/7", "10.0.0.0/33", "10.0.0.0/", "x"})
        shape_error("tunnel_source_v4", text, four);
    for (const std::string text : {"10.0.0.1", "2001:db8::/95", "2001:db8::/129", ""})
        shape_error("tunnel_source_v6", text, six);
    source_error("tunnel_source_v4", "127.0.0.0/8",
                 "127.0.0.0 is a loopback address and can be no source of tunnels");
    source_error("tunnel_source_v6", "ff02::/96",
                 "ff02:: is a multicast or broadcast address and can be no source of tunnels");
    expect_errors(node_text + "tunnel_source_v4 = \"10.9.0.100\"\n" + vip_text,
                  {"a.toml:3:20: 10.9.0.100 is a VIP and can be no source of tunnels"});
    const NodeConfig node = good(node_text +
                                 "tunnel_source_v4 = \"10.9.0.11\"\n"
                                 "tunnel_source_v6 = \"2001:db8:f::/96\"\n")
                                .node;
    EXPECT_EQ(node.tunnel_source_v4, (TunnelSource{Address::parse("10.9.0.11").value(), 32}));
    EXPECT_EQ(node.tunnel_source_v6, (TunnelSource{Address::parse("2001:db8:f::").value(), 96}));
}

}  // namespace
}  // namespace bascule::model
