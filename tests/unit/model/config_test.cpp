// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "bpf/contract.h"
#include "model/config_reader.h"
#include "model/config_schema.h"
#include "model/maglev.h"
#include "tests/unit/model/config_text.h"

namespace bascule::model {
namespace {

using namespace testing;

using std::chrono::milliseconds;

// Every key that exists.
const std::string full_text = R"([node]
name = "lb1"
interfaces = ["eth0", "eth1"]
xdp_mode = "native"
max_sessions = 200_000
max_sessions_v6 = 100_000
tunnel_source_v4 = "198.18.0.0/16"
tunnel_source_v6 = "2001:db8:f::1"

[defaults]
forward = "ipip"
gue_port = 6081
copy_dscp = false
mss_clamp = 1400

[[vip]]
address = "10.9.0.100/24"
interface = "eth0"
announce = "l2"
[[vip]]
address = "2001:db8::100"
interface = "eth0.7"

[[service]]
name = "web"
vip = "10.9.0.100"
port = 80
protocol = "tcp"
forward = "gue"
gue_port = 6082
copy_dscp = true
mss_clamp = 1360
affinity = "source"
unknown = "drop"
on_empty = "reset"
ring_size = 307
[service.session]
tcp_embryonic = "10s"
tcp_established = "5d"
tcp_closing = "2m"
[service.health]
type = "none"
[[service.backend]]
name = "web1"
address = "10.9.0.21"
port = 8080
weight = 50
backup = true
[[service.backend]]
address = "10.9.0.22"
[[service.backend]]
address = "2001:db8::22"
port = 8081

[[service]]
name = "dns"
vip = "2001:db8:0::100"
port = 53
protocol = "udp"
session.udp_embryonic = "5s"
session.udp_established = "60000ms"
[[service.backend]]
address = "2001:db8::21"
weight = 0

[[service]]
name = "all"
vip = "10.9.0.100"
port = "any"
forward = "l2"
[[service.backend]]
address = "10.9.0.21"

[[service]]
name = "some"
vip = "10.9.0.100"
port = "8000-8099"
forward = "local"
mss_clamp = 0
[[service.backend]]

[log]
level = "debug"
)";

std::string file_text(const std::string& path) {
    const auto root = std::filesystem::path(__FILE__).parent_path() / "../../..";
    std::ifstream file(root / path, std::ios::binary);
    EXPECT_TRUE(file) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

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
                     TunnelSource{Address::parse("2001:db8:f::1").value(), 128}};
    expected.vips = {{vip, "eth0"}, {vip6, "eth0.7"}};
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
    web.limits = {Seconds(10), Seconds(5 * 86400), Seconds(120)};
    web.backends = {
        {"web1", Address::parse("10.9.0.21").value(), 8080, 50, true},
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
    EXPECT_EQ(config, expected);
}

TEST(Config, DefaultsOfTheSchemaAreThoseOfTheTypes) {
    const Config config = good(with_service(backend_text));
    NodeConfig node;
    node.name = "host";
    node.interfaces = {"eth0"};
    EXPECT_EQ(config.node, node);
    EXPECT_EQ(config.log, LogConfig{});
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
            if (table.path == "log" || table.path == "defaults")
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
    expect_errors(with_service("flood.mode = \"auto\"\nhealth.type = \"http\"\n" + backend_text +
                               "[cluster]\n[lists]\n[http]\n"),
                  {"a.toml:10:1: 'flood' in [[service]] is not supported by this version",
                   "a.toml:11:15: type: 'http' is not supported by this version",
                   "a.toml:14:2: 'cluster' is not supported by this version",
                   "a.toml:15:2: 'lists' is not supported by this version",
                   "a.toml:16:2: 'http' is not supported by this version"});
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

std::string many_backends(unsigned count) {
    std::string text;
    for (unsigned n = 0; n < count; ++n)
        text += "[[service.backend]]\naddress = \"10." + std::to_string(10 + (n >> 16)) + '.' +
                std::to_string((n >> 8) & 255) + '.' + std::to_string(n & 255) + "\"\n";
    return text;
}

TEST(Config, RingSize) {
    expect_errors(with_service("ring_size = 65536\n" + backend_text),
                  {"a.toml:10:13: ring_size: 65536 is no prime; the next one is 65537"});
    expect_errors(with_service("ring_size = 101\n" + many_backends(2)),
                  {"a.toml:10:13: ring_size: 101 is too small for 2 backends, set 211 or a larger "
                   "prime"});
    EXPECT_EQ(good(with_service("ring_size = 211\n" + many_backends(2))).services[0].ring_size,
              211u);
    expect_errors(with_service("ring_size = 1048574\n" + backend_text),
                  {"a.toml:10:13: ring_size: expected an integer from 101 to 1048573, found the "
                   "integer 1048574"});
    expect_errors(with_service(many_backends(656)),
                  {"a.toml:6:1: ring_size: 65537 is too small for 656 backends, set 65609 or a "
                   "larger prime"});
    expect_errors(with_service(many_backends(10'486)),
                  {"a.toml:6:1: 10486 backends in one service need a larger ring than the largest, "
                   "1048573 slots"});
}

TEST(Config, SeventyThousandBackendsAreOneError) {
    const std::size_t first_excess = 10 + 2 * (BSC_MAX_BACKENDS - 1);
    expect_errors(with_service(many_backends(70'000)),
                  {"a.toml:" + std::to_string(first_excess) +
                   ":1: 70000 backends in all; at most 16383 are possible"});
}

TEST(Config, LimitsOfServicesAndVips) {
    std::string vips;
    for (unsigned n = 0; n <= BSC_MAX_VIPS; ++n)
        vips += "[[vip]]\ninterface = \"eth0\"\naddress = \"10.9." + std::to_string(n >> 8) + '.' +
                std::to_string(n & 255) + "\"\n";
    expect_errors(node_text + vips, {"a.toml:771:1: 257 VIPs in all; at most 256 are possible"});
    std::string services = node_text + vip_text;
    for (unsigned n = 1; n <= BSC_MAX_SERVICES + 1; ++n)
        services += "[[service]]\nname = \"s" + std::to_string(n) +
                    "\"\nvip = \"10.9.0.100\"\nport = " + std::to_string(n) + "\n" + backend_text;
    expect_errors(services, {"a.toml:6150:1: 1025 services in all; at most 1024 are possible"});
}

TEST(Config, ReportIsBounded) {
    std::string text = node_text;
    for (int n = 0; n < 1000; ++n)
        text += "zz" + std::to_string(n) + " = 1\n";
    const ParsedConfig parsed = parse(text);
    ASSERT_EQ(parsed.errors.size(), 201u);
    EXPECT_EQ(parsed.errors.front().line, 3u);
    EXPECT_EQ(parsed.errors.back().to_string(), "… and 800 more errors");
}

TEST(Config, FilesAreMerged) {
    const ParsedConfig parsed =
        parse_config({{"a.toml", node_text + vip_text},
                      {"b.toml",
                       "[node]\nmax_sessions = 5000\n[[service]]\nname = \"web\"\n"
                       "vip = \"10.9.0.100\"\nport = 80\n" +
                           backend_text},
                      {"c.toml", "[[vip]]\naddress = \"10.9.0.101\"\ninterface = \"eth0\"\n"}},
                     "host");
    ASSERT_TRUE(parsed.config) << errors_text(parsed);
    EXPECT_EQ(parsed.config->vips.size(), 2u);
    EXPECT_EQ(parsed.config->services.size(), 1u);
    EXPECT_EQ(parsed.config->node.max_sessions, 5000u);
}

TEST(Config, KeySetInTwoFilesNamesBoth) {
    EXPECT_EQ(errors_text(parse_config({{"a.toml", node_text + "[log]\nlevel = \"info\"\n"},
                                        {"b.toml", "[log]\nlevel = \"info\"\n[[vip]]\nx = 1\n"}},
                                       "host")),
              "b.toml:2:1: 'level' of [log] is set already at a.toml:4\n"
              "b.toml:3:1: missing key 'address' in [[vip]]\n"
              "b.toml:3:1: missing key 'interface' in [[vip]]\n"
              "b.toml:4:1: unknown key 'x'\n");
}

TEST(Config, SyntaxErrorDoesNotHideOtherFiles) {
    EXPECT_EQ(
        errors_text(parse_config(
            {{"a.toml", "[node\n"},
             {"b.toml",
              "[[service]]\nname = \"web\"\nvip = \"10.9.0.100\"\nport = 0\n" + backend_text}},
            "host")),
        "a.toml:1:6: Error while parsing table header: expected ']', saw '\\n'\n"
        "b.toml:4:8: port: expected a port from 1 to 65535, a range such as \"8000-8099\", or "
        "\"any\", found the integer 0\n")
        << "nothing is said to be missing that the broken file may hold";
}

TEST(Config, ColumnsCountBytes) {
    expect_errors("node = { interfaces = [\"eth0\"], \"é\" = 1, x = 1 }\n",
                  {"a.toml:1:33: unknown key 'é'", "a.toml:1:43: unknown key 'x'"});
    expect_errors("\xef\xbb\xbf[node]\ninterfaces = [\"eth0\"]\n", {});
}

TEST(Config, HalfAFileNeverCrashes) {
    for (std::size_t length = 0; length <= full_text.size(); ++length) {
        const ParsedConfig parsed = parse(full_text.substr(0, length));
        ASSERT_NE(parsed.config.has_value(), !parsed.errors.empty()) << length;
        for (const Diagnostic& error : parsed.errors)
            ASSERT_FALSE(error.message.empty()) << length;
        ASSERT_TRUE(length < full_text.size() || parsed.config);
    }
}

TEST(Config, BytesOfAnyKindNeverCrash) {
    for (std::size_t at = 0; at < full_text.size(); at += 3)
        for (const char byte : {'\0', '\xff', '"', '[', '\n', '9'}) {
            std::string text = full_text;
            text[at] = byte;
            const ParsedConfig parsed = parse(text);
            ASSERT_NE(parsed.config.has_value(), !parsed.errors.empty()) << at;
        }
    EXPECT_FALSE(parse(std::string(100'000, '[')).config);
    EXPECT_FALSE(parse("x = " + std::string(100'000, '[')).config);
}

std::string repeated(std::string_view part, std::size_t count) {
    std::string text;
    for (std::size_t n = 0; n < count; ++n)
        text += part;
    return text;
}

TEST(Config, DeepNestingIsRefused) {
    const std::string deep = repeated("a.", 100'000) + "a";
    expect_errors(deep + " = 1\n", {"a.toml:1:130: a key of too many parts"});
    expect_errors("[" + deep + "]\n", {"a.toml:1:131: a key of too many parts"});
    // However the scan is led astray by quotes and hashes.
    for (const std::string start :
         {"\"#\".", "'\"'.", "x = \"\"\"\"\"\"\n", "x = \"\"\"a\"\"\"\"\"\n", "x = '''\\'''\n",
          "x = \"\\\"\"\n", "# \"\n", "x = \"\"\n", "x = ''\n", "x = {"})
        EXPECT_EQ(parse(start + deep + " = 1").errors.at(0).message, "a key of too many parts")
            << start;
    // Dots elsewhere are nobody's business.
    const std::string dots(1000, '.');
    EXPECT_TRUE(parse(node_text + "# " + dots + "\n").config);
    expect_errors(
        node_text + "x = \"" + dots + "\"\ny = '" + dots + "'\nz = '''\n" + dots + "\n'''''\n",
        {"a.toml:3:1: unknown key 'x'", "a.toml:4:1: unknown key 'y'",
         "a.toml:5:1: unknown key 'z'"});
}

TEST(Config, DurationsHaveAUnit) {
    EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
    EXPECT_EQ(parse_duration("90s"), milliseconds(90'000));
    EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
    EXPECT_EQ(parse_duration("1h"), milliseconds(3'600'000));
    EXPECT_EQ(parse_duration("1d"), milliseconds(86'400'000));
    EXPECT_EQ(parse_duration("0s"), milliseconds(0));
    for (const std::string_view text : {"", "s", "5", "-5s", "+5s", "5 s", "1.5s", "5S", "5sec",
                                        "99999999999999999999s", "9223372036854775807d"})
        EXPECT_FALSE(parse_duration(text)) << text;
    EXPECT_EQ(duration_text(90), "90s");
    EXPECT_EQ(duration_text(120), "2m");
    EXPECT_EQ(duration_text(432'000), "5d");
}

TEST(Config, LongTextIsCutAtACharacter) {
    EXPECT_EQ(model::quoted("a\tb\x7f\xc2\x9b"),
              "'a?b?"
              "?'");
    const std::string shown = model::quoted(std::string(59, 'x') + "éé");
    EXPECT_EQ(shown, "'" + std::string(59, 'x') + "é…'");
}

TEST(ShippedConfig, IsValid) {
    const Config config = good(file_text("etc/bascule.toml"));
    EXPECT_TRUE(config.vips.empty()) << "installing it announces nothing";
    EXPECT_TRUE(config.services.empty());
}

TEST(ShippedConfig, CommentedSettingsAreValidAndDefaults) {
    std::istringstream lines(file_text("etc/bascule.toml"));
    std::string text;
    for (std::string line; std::getline(lines, line);) {
        const bool is_setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        text += (is_setting ? line.substr(1) : line) + '\n';
    }
    const Config config = good(text);
    NodeConfig node;
    node.name = "lb1";
    node.interfaces = {"eth0"};
    EXPECT_EQ(config.node, node);
    EXPECT_EQ(config.log, LogConfig{});
    ASSERT_EQ(config.services.size(), 1u);
    ASSERT_EQ(config.services[0].backends.size(), 2u);
    EXPECT_EQ(config.services[0].backends[0].weight, BackendConfig{}.weight);
    const std::string minimal = with_service(backend_text);
    EXPECT_EQ(config.services[0].limits, good(minimal).services[0].limits);
    EXPECT_EQ(config.services[0].ring_size, ServiceConfig{}.ring_size);
}

TEST(ShippedConfig, NamesEveryKey) {
    const std::string text = file_text("etc/bascule.toml");
    for (const TableSchema& table : config_schema())
        for (const KeySchema& key : table.keys)
            EXPECT_TRUE(key.meaning.empty() || text.find(key.key) != std::string::npos)
                << table.path << ' ' << key.key;
}

TEST(Reference, IsPrintedFromTheSchema) {
    EXPECT_EQ(file_text("docs/reference/configuration.md"), config_reference())
        << "run config_reference > docs/reference/configuration.md";
}

}  // namespace
}  // namespace bascule::model
