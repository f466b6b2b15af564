// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "model/config_reader.h"
#include "model/config_schema.h"
#include "tests/unit/model/config_full.h"
#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

TEST(Config, ReadsEveryKey) {
    const Config config = good(full_text);
    const Address vip = Address::parse("10.9.0.100").value();
    const Address vip6 = Address::parse("2001:db8::100").value();
    Config expected;
    expected.node = {"lb1",
                     {"eth0", "eth1"},
                     XdpMode::native,
                     200'000,
                     100'000,
                     TunnelSource{Address::parse("198.18.0.0").value(), 16},
                     TunnelSource{Address::parse("2001:db8:f::1").value(), 128},
                     Address::parse("241.0.0.0").value(),
                     Address::parse("fd00:1::").value()};
    expected.cluster = config.cluster;  // looked at in config_cluster_test.cpp
    expected.vips = {{vip, "eth0"}, {vip6, "eth0.7", {{"lb1", 50}, {"lb2", 200}}}};
    ServiceConfig web;
    web.name = "web";
    web.vip = vip;
    web.ports = {80, 80};
    web.forward = Forward::gue;
    web.affinity = Affinity::source;
    web.unknown = Unknown::drop;
    web.on_empty = OnEmpty::reset;
    web.mss_clamp = 1360;
    web.copy_dscp = true;
    web.gue_port = 6082;
    web.ring_size = 307;
    web.quorum = 2;
    web.give_up_vip = true;
    web.health.type = ProbeType::tcp;
    web.health.via = Via::vip;
    web.health.interval = Milliseconds(2000);
    web.health.fast_interval = Milliseconds(500);
    web.limits = {Seconds(10), Seconds(5 * 86400), Seconds(120)};
    web.backends = {
        {"web1", Address::parse("10.9.0.21").value(), 8080, 50, true,
         Address::parse("10.8.0.21").value(), 8081},
        {"10.9.0.22", Address::parse("10.9.0.22").value(), 80, 100, false},
        {"[2001:db8::22]:8081", Address::parse("2001:db8::22").value(), 8081, 100, false}};
    ServiceConfig dns;
    dns.name = "dns";
    dns.vip = vip6;
    dns.ports = {53, 53};
    dns.protocol = Protocol::udp;
    dns.forward = Forward::ipip;
    dns.copy_dscp = false;
    dns.gue_port = 6081;
    dns.limits = {Seconds(5), Seconds(60), Seconds(60)};
    dns.backends = {{"2001:db8::21", Address::parse("2001:db8::21").value(), 53, 0, false}};
    ServiceConfig all;
    all.name = "all";
    all.vip = vip;
    all.ports = {0, 65535};
    all.copy_dscp = false;
    all.gue_port = 6081;
    all.mss_clamp = 1400;
    all.limits = {Seconds(60), Seconds(3600), Seconds(60)};
    all.backends = {{"10.9.0.21", Address::parse("10.9.0.21").value(), 0, 100, false}};
    ServiceConfig some = all;
    some.name = "some";
    some.ports = {8000, 8099};
    some.forward = Forward::local;
    some.mss_clamp = 0;
    some.backends = {{"10.9.0.100", vip, 0, 100, false}};
    expected.services = {web, dns, all, some};
    expected.log.level = LogLevel::debug;
    expected.hook.program.command = {"/usr/bin/logger", "-t", "lb"};
    expected.hook.program.user = "root";
    expected.hook.timeout = Milliseconds(2000);
    expected.http = config.http;  // looked at in config_http_test.cpp
    EXPECT_EQ(config, expected);
}

TEST(Config, DefaultsOfTheSchemaAreThoseOfTheTypes) {
    const Config config = good(with_service(backend_text));
    NodeConfig node;
    node.name = "host";
    node.interfaces = {"eth0"};
    EXPECT_EQ(config.node, node);
    EXPECT_EQ(config.log, LogConfig{});
    EXPECT_EQ(config.hook, HookConfig{});
    const ServiceConfig& service = config.services.at(0);
    const ServiceConfig plain;
    EXPECT_EQ(service.protocol, plain.protocol);
    EXPECT_EQ(service.affinity, plain.affinity);
    EXPECT_EQ(service.unknown, plain.unknown);
    EXPECT_EQ(service.forward, plain.forward);
    EXPECT_EQ(service.on_empty, plain.on_empty);
    EXPECT_EQ(service.mss_clamp, plain.mss_clamp);
    EXPECT_EQ(service.copy_dscp, plain.copy_dscp);
    EXPECT_EQ(service.gue_port, plain.gue_port);
    EXPECT_EQ(service.ring_size, plain.ring_size);
    EXPECT_EQ(service.limits, (SessionLimits{Seconds(60), Seconds(3600), Seconds(60)}));
    EXPECT_EQ(service.health, plain.health);
    EXPECT_EQ(service.quorum, plain.quorum);
    EXPECT_EQ(service.give_up_vip, plain.give_up_vip);
    EXPECT_EQ(service.backends.at(0).weight, BackendConfig{}.weight);
    EXPECT_EQ(good(node_text + "max_sessions = 5000").node.max_sessions_v6, 5000u);
    const Config udp = good(with_service("protocol = \"udp\"\n" + backend_text));
    EXPECT_EQ(udp.services.at(0).limits, (SessionLimits{Seconds(30), Seconds(300), Seconds(300)}));
}

TEST(Config, NoServiceAndNoVipIsAllowed) {
    EXPECT_TRUE(good(node_text).services.empty());
}

TEST(Config, InterfacesAreNeeded) {
    expect_errors("", {"a.toml: missing key 'interfaces' in [node]"});
    expect_errors("\n[node]\n", {"a.toml:2:2: missing key 'interfaces' in [node]"});
    expect_errors("[node]\ninterfaces = []\n",
                  {"a.toml:2:14: interfaces: expected 1 to 16 interfaces, found 0"});
    EXPECT_EQ(errors_text(parse_config({}, "host")), "no configuration file\n");
}

TEST(Config, UnknownKeysGetASuggestion) {
    expect_errors(
        node_text + "max_sesions = 5000\n[nod]\n[zebra]\n[log]\nlevell = \"info\"\n",
        {"a.toml:3:1: unknown key 'max_sesions', did you mean 'max_sessions'?",
         "a.toml:4:2: unknown key 'nod', did you mean 'node'?", "a.toml:5:2: unknown key 'zebra'",
         "a.toml:7:1: unknown key 'levell', did you mean 'level'?"});
    expect_errors(node_text + "\"\\u001b[31m\" = 1\n\"wéb\" = 1\n",
                  {"a.toml:3:1: unknown key '?[31m'", "a.toml:4:1: unknown key 'wéb'"});
}

TEST(Config, WordsOfAChoiceGetASuggestion) {
    expect_errors(
        node_text + "xdp_mode = \"nativ\"\n",
        {"a.toml:3:12: xdp_mode: expected one of \"auto\", \"native\", \"generic\", found "
         "the string 'nativ', did you mean 'native'?"});
}

TEST(Config, WrongTypesAreNamed) {
    expect_errors(
        "[node]\ninterfaces = \"eth0\"\nname = 7\nmax_sessions = \"many\"\nxdp_mode = true\n",
        {"a.toml:2:14: interfaces: expected an array of interface names, such as [\"eth0\"], found "
         "the string 'eth0'",
         "a.toml:3:8: name: expected a name of 1 to 63 letters, digits, '.', '_' or '-', found the "
         "integer 7",
         "a.toml:4:16: max_sessions: expected an integer from 1024 to 64000000, found the string "
         "'many'",
         "a.toml:5:12: xdp_mode: expected one of \"auto\", \"native\", \"generic\", found a "
         "boolean"});
    expect_errors("node = 3\nlog = []\nvip = 1.5\n[service]\n",
                  {"a.toml: missing key 'interfaces' in [node]",
                   "a.toml:1:8: node: expected a table ([node]), found the integer 3",
                   "a.toml:2:7: log: expected a table ([log]), found an array",
                   "a.toml:3:7: vip: expected an array of tables ([[vip]]), found a float",
                   "a.toml:4:1: service: expected an array of tables ([[service]]), found a "
                   "table"});
}

// Whatever key gets a value of a type that it does not take, that is one error at that place.
TEST(Config, EveryKeyRefusesADate) {
    for (const TableSchema& table : config_schema()) {
        for (const KeySchema& key : table.keys) {
            std::string text = table.path == "node" ? "[node]\n" : node_text;
            if (table.path != "node") text += vip_text + "[[service]]\n";
            if (table.path == "vip") text += "[[vip]]\n";
            if (table.path.starts_with("service."))
                text += (table.repeated ? "[[" : "[") + std::string(table.path) +
                        (table.repeated ? "]]\n" : "]\n");
            if (table.path == "log" || table.path == "defaults" || table.path == "hook" ||
                table.path == "http")
                text += "[" + std::string(table.path) + "]\n";
            if (table.path.empty()) text = "";
            const auto line = std::count(text.begin(), text.end(), '\n') + 1;
            text += std::string(key.key) + " = 2020-01-01\n";
            const auto errors = parse(text).errors;
            EXPECT_EQ(1, std::count_if(errors.begin(), errors.end(),
                                       [&](const Diagnostic& error) { return error.line == line; }))
                << text << errors_text(parse(text));
        }
    }
}

TEST(Config, MissingKeysAreReportedAtTheirTable) {
    expect_errors(node_text + "[[vip]]\n\n[[service]]\n[service.health]\n[[service.backend]]\n",
                  {"a.toml:3:1: missing key 'address' in [[vip]]",
                   "a.toml:3:1: missing key 'interface' in [[vip]]",
                   "a.toml:5:1: missing key 'name' in [[service]]",
                   "a.toml:5:1: missing key 'vip' in [[service]]",
                   "a.toml:5:1: missing key 'port' in [[service]]",
                   "a.toml:6:10: missing key 'type' in [service.health]",
                   "a.toml:7:1: missing key 'address' in [[service.backend]]"});
}

TEST(Config, WhatComesLaterIsNotUnknown) {
    expect_errors(with_service("flood.mode = \"auto\"\n" + backend_text + "[lists]\n"),
                  {"a.toml:10:1: 'flood' in [[service]] is not supported by this version",
                   "a.toml:13:2: 'lists' is not supported by this version"});
}

TEST(Config, RangesHold) {
    expect_errors(with_service(backend_text + "weight = 65536\n"),
                  {"a.toml:12:10: weight: expected an integer from 0 to 65535, found the integer "
                   "65536"});
    expect_errors(with_service(backend_text + "weight = -1\n"),
                  {"a.toml:12:10: weight: expected an integer from 0 to 65535, found the integer "
                   "-1"});
    EXPECT_EQ(good(with_service(backend_text + "weight = 65535\n")).services[0].backends[0].weight,
              65535u);
    expect_errors(
        with_service(backend_text + "[service.session]\ntcp_embryonic = \"121s\"\n"
                                    "tcp_established = \"500ms\"\ntcp_closing = \"0s\"\n"),
        {"a.toml:13:17: tcp_embryonic: expected a duration from 3s to 2m, found the string '121s'",
         "a.toml:14:19: tcp_established: expected whole seconds, found the string '500ms'",
         "a.toml:15:15: tcp_closing: expected a duration from 3s to 5d, found the string '0s'"});
    expect_errors(
        with_service("session.tcp_closing = 60\nsession.tcp_embryonic = \"60\"\n" + backend_text),
        {"a.toml:10:23: tcp_closing: expected a duration with its unit, such as \"90s\" or \"5m\", "
         "found the integer 60",
         "a.toml:11:25: tcp_embryonic: expected a duration with its unit, such as \"90s\" or "
         "\"5m\", found the string '60'"});
}

TEST(Config, LimitOfTheOtherProtocolIsRefused) {
    expect_errors(with_service("session.udp_established = \"5m\"\n" + backend_text),
                  {"a.toml:10:27: a limit of udp sessions in a tcp service"});
    expect_errors(with_service("protocol = \"udp\"\nsession.tcp_closing = \"5m\"\n" + backend_text),
                  {"a.toml:11:23: a limit of tcp sessions in a udp service"});
}

TEST(Config, NamesAndInterfaces) {
    const std::string longest(63, 'n');
    EXPECT_EQ(
        good("[node]\nname = \"" + longest + "\"\ninterfaces = [\"fifteen-letters\"]").node.name,
        longest);
    EXPECT_FALSE(is_name(longest + "n"));
    for (const std::string_view text : {"", "a b", "é", "a/b", "a:b"})
        EXPECT_FALSE(is_name(text)) << text;
    for (const std::string_view text : {"eth0", "eth0.100", "bond0", "br-lan"})
        EXPECT_TRUE(is_interface_name(text)) << text;
    for (const std::string_view text : {"", "sixteen-letters-", "a/b", ".", "..", "a b", "a:1"})
        EXPECT_FALSE(is_interface_name(text)) << text;
    expect_errors("[node]\ninterfaces = [\"eth0\", \"eth1\",\n\"eth0\"]\n",
                  {"a.toml:3:1: interface 'eth0' is there already at a.toml:2"});
    EXPECT_EQ(errors_text(parse_config({{"a.toml", node_text}}, "")),
              "a.toml:1:2: the host name '' is no name for a node: set 'name' in [node]\n");
}

TEST(Config, DuplicatesNameTheFirstPlace) {
    const std::string service =
        "[[service]]\nname = \"web\"\nvip = \"10.9.0.100\"\nport = 80\n" + backend_text;
    expect_errors(node_text + vip_text + vip_text + service + service + backend_text,
                  {"a.toml:7:11: VIP 10.9.0.100 is there already at a.toml:4",
                   "a.toml:16:8: a service named 'web' is there already at a.toml:10",
                   "a.toml:18:8: a service on 10.9.0.100 port 80 tcp is there already at a.toml:12",
                   "a.toml:22:11: backend 10.9.0.21 port 80 of this service is there already at "
                   "a.toml:20"});
    expect_errors(with_service(backend_text + "name = \"x\"\n[[service.backend]]\nname = \"x\"\n"
                                              "address = \"10.9.0.22\"\n"),
                  {"a.toml:14:8: a backend of this service named 'x' is there already at "
                   "a.toml:12"});
}

TEST(Config, SamePortOfTheOtherProtocolIsAnotherService) {
    EXPECT_EQ(good(with_service(backend_text +
                                "[[service]]\nname = \"u\"\nvip = \"10.9.0.100\"\nport = 80\n"
                                "protocol = \"udp\"\n" +
                                backend_text))
                  .services.size(),
              2u);
}

TEST(Config, AddressesFit) {
    const auto vip_error = [](const std::string& address, const std::string& what) {
        expect_errors(node_text + "[[vip]]\naddress = \"" + address + "\"\ninterface = \"eth0\"\n",
                      {"a.toml:4:11: " + what});
    };
    vip_error("0.0.0.0", "0.0.0.0 is the unspecified address and can be no VIP");
    vip_error("::", ":: is the unspecified address and can be no VIP");
    vip_error("127.0.0.1/8", "127.0.0.1 is a loopback address and can be no VIP");
    vip_error("ff02::1", "ff02::1 is a multicast or broadcast address and can be no VIP");
    for (const std::string text : {"10.9.0.100/33", "::1/129", "10.9.0.100/", "10.9.0.100/-1",
                                   "10.9.0.100/a", "10.9.0.100/24/24", "/24"})
        vip_error(text,
                  "address: expected an IPv4 or IPv6 address, found the string '" + text + "'");

    const auto backend_error = [](const std::string& address, const std::string& what) {
        expect_errors(with_service("[[service.backend]]\naddress = \"" + address + "\"\n"),
                      {"a.toml:11:11: " + what});
    };
    backend_error("224.0.0.1",
                  "224.0.0.1 is a multicast or broadcast address and can be no backend");
    backend_error("10.9.0.100",
                  "10.9.0.100 is a VIP and can be no backend: packets would loop (forward = "
                  "\"local\" delivers to this host)");
    backend_error("10.9.0.21/24",
                  "address: expected an IPv4 or IPv6 address, found the string '10.9.0.21/24'");
    backend_error("2001:db8::1",
                  "2001:db8::1 is of another IP version than the VIP 10.9.0.100: with forward = "
                  "\"l2\" packets go as they are (\"ipip\" and \"gue\" can)");
}

TEST(Config, ServiceNeedsItsVipAndABackend) {
    expect_errors(node_text + "[[service]]\nname = \"w\"\nvip = \"10.9.0.1\"\nport = 80\n",
                  {"a.toml:3:1: a service needs at least one [[service.backend]]",
                   "a.toml:5:7: vip: no [[vip]] has the address 10.9.0.1"});
}

}  // namespace
}  // namespace bascule::model
