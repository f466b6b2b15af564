// SPDX-License-Identifier: Apache-2.0
#include "node/config_diff.h"

#include <gtest/gtest.h>

#include "tests/unit/node/config_text.h"

namespace bascule::node {
namespace {

using namespace testing;
using Lines = std::vector<std::string>;

model::Config base() {
    return config_of(head_text() + service_text("web", 80) + backend_text("web1", "10.9.0.21") +
                     backend_text("web2", "10.9.0.22"));
}

TEST(ConfigDiff, TheSameIsNoChange) {
    EXPECT_EQ(describe_changes(base(), base()), Lines{});
}

TEST(ConfigDiff, AnotherOrderIsNoChange) {
    auto other = base();
    std::swap(other.services[0].backends[0], other.services[0].backends[1]);
    EXPECT_EQ(describe_changes(base(), other), Lines{});
}

TEST(ConfigDiff, Backends) {
    auto other = base();
    auto& backends = other.services[0].backends;
    backends[0].weight = 50;
    backends[1].name = "web3";
    EXPECT_EQ(describe_changes(base(), other),
              (Lines{"backend web/web2 removed", "weight of web/web1: 100 -> 50",
                     "backend web/web3 added"}));
    other = base();
    other.services[0].backends[1].address = Address::parse("2001:db8::22").value();
    EXPECT_EQ(describe_changes(base(), other),
              Lines{"address of web/web2: 10.9.0.22:80 -> [2001:db8::22]:80"});
}

TEST(ConfigDiff, Services) {
    auto other = base();
    other.services[0].ports = {8080, 8080};
    EXPECT_EQ(describe_changes(base(), other),
              Lines{"service web: 10.9.0.100:80/tcp -> 10.9.0.100:8080/tcp"});
    other = base();
    other.services.push_back(other.services[0]);
    other.services[1].name = "tls";
    EXPECT_EQ(describe_changes(base(), other), Lines{"service tls added"});
    EXPECT_EQ(describe_changes(other, base()), Lines{"service tls removed"});
}

TEST(ConfigDiff, Checks) {
    const auto changed = [](auto change) {
        auto from = base();
        from.services[0].health.type = model::ProbeType::http;
        auto to = from;
        change(to.services[0]);
        return describe_changes(from, to);
    };
    EXPECT_EQ(changed([](auto& s) { s.health.type = model::ProbeType::none; }),
              Lines{"checks of service web: http -> none"});
    EXPECT_EQ(changed([](auto& s) { s.health.path = "/up"; }),
              Lines{"checks of service web changed"});
    EXPECT_EQ(changed([](auto& s) { s.health.origin.line = 7; }), Lines{});
    EXPECT_EQ(changed([](auto& s) { s.quorum = 2; }), Lines{"quorum of service web: 1 -> 2"});
    EXPECT_EQ(changed([](auto& s) { s.give_up_vip = true; }),
              Lines{"service web now gives up its VIP below its quorum"});
    EXPECT_EQ(changed([](auto& s) { s.backends[1].check_port = 9; }),
              Lines{"what is checked of web/web2 changed"});
}

TEST(ConfigDiff, HookAndProbeNetworks) {
    auto other = base();
    other.hook.program.command = {"/bin/tell"};
    other.node.probe_network_v4 = Address::v4({241, 0, 0, 0});
    EXPECT_EQ(describe_changes(base(), other),
              (Lines{"probe_network_v4: 240.64.0.0 -> 241.0.0.0", "hook: none -> /bin/tell"}));
    auto later = other;
    later.hook.program.user = "root";
    EXPECT_EQ(describe_changes(other, later), Lines{"hook changed"});
}

TEST(ConfigDiff, WhereHttpIsAnswered) {
    auto some = base();
    some.http.emplace();
    auto other = some;
    other.http->listen.port = 9000;
    EXPECT_EQ(describe_changes(base(), some), Lines{"http: nowhere -> 127.0.0.1:7401"});
    EXPECT_EQ(describe_changes(some, other), Lines{"http: 127.0.0.1:7401 -> 127.0.0.1:9000"});
    other.http->origin.line = 7;
    other.http->listen = some.http->listen;
    EXPECT_EQ(describe_changes(some, other), Lines{});
}

TEST(ConfigDiff, EachSettingOfAService) {
    const auto changed = [](auto change) {
        auto other = base();
        change(other.services[0]);
        return describe_changes(base(), other);
    };
    const Lines line{"settings of service web changed"};
    EXPECT_EQ(changed([](auto& s) { s.limits.closing += model::Seconds(1); }), line);
    EXPECT_EQ(changed([](auto& s) { s.affinity = model::Affinity::source; }), line);
    EXPECT_EQ(changed([](auto& s) { s.unknown = model::Unknown::drop; }), line);
    EXPECT_EQ(changed([](auto& s) { s.ring_size = 101; }), line);
    EXPECT_EQ(changed([](auto& s) { s.on_empty = model::OnEmpty::reset; }), line);
    EXPECT_EQ(changed([](auto& s) { s.mss_clamp = 1400; }), line);
    EXPECT_EQ(changed([](auto& s) { s.copy_dscp = false; }), line);
    EXPECT_EQ(changed([](auto& s) { s.gue_port = 6081; }), line);
    EXPECT_EQ(changed([](auto& s) { s.forward = model::Forward::gue; }),
              Lines{"forward of service web: l2 -> gue"});
    EXPECT_EQ(changed([](auto& s) {
                  s.ports = {8000, 8099};
              }),
              Lines{"service web: 10.9.0.100:80/tcp -> 10.9.0.100:8000-8099/tcp"});
    EXPECT_EQ(changed([](auto& s) { s.backends[1].backup = true; }),
              Lines{"backend web/web2 is now a backup"});
}

TEST(ConfigDiff, TunnelSources) {
    auto other = base();
    other.node.tunnel_source_v4 = model::TunnelSource{Address::parse("198.18.0.0").value(), 16};
    other.node.tunnel_source_v6 = model::TunnelSource{Address::parse("2001:db8::").value(), 96};
    EXPECT_EQ(describe_changes(base(), other), (Lines{"tunnel source for IPv4 backends changed",
                                                      "tunnel source for IPv6 backends changed"}));
}

TEST(ConfigDiff, InterfacesVipsLogAndName) {
    auto other = base();
    other.node.interfaces = {"eth1"};
    other.vips[0].interface = "eth1";
    other.log.level = model::LogLevel::debug;
    other.node.name = "lb2";
    EXPECT_EQ(
        describe_changes(base(), other),
        (Lines{"interface eth0 removed", "interface eth1 added", "VIP 10.9.0.100 on eth0 removed",
               "VIP 10.9.0.100 on eth1 added", "log level changed", "name of the node changed"}));
}

TEST(ConfigDiff, PrioritiesOfAVip) {
    auto other = base();
    other.vips[0].priority = {{"lb1", 200}};
    EXPECT_EQ(describe_changes(base(), other), Lines{"priorities of VIP 10.9.0.100 changed"});
}

TEST(ConfigDiff, Clusters) {
    const auto with = [](const std::string& text) { return config_of(head_text() + text); };
    const auto alone = with("");
    const auto pair = with(cluster_text(100, 100));
    EXPECT_EQ(describe_changes(alone, pair), Lines{"cluster edge joined"});
    EXPECT_EQ(describe_changes(pair, alone), Lines{"cluster edge left"});
    EXPECT_EQ(describe_changes(pair, with(cluster_text(150, 100))),
              Lines{"priority of node lb1: 100 -> 150"});
    EXPECT_EQ(describe_changes(pair, with(cluster_text(100, 100, "dead_after = 7\n"))),
              Lines{"settings of the cluster changed"});
    auto other = pair;
    other.cluster->name = "core";
    other.cluster->nodes[1].name = "lb3";
    EXPECT_EQ(describe_changes(pair, other),
              (Lines{"name of the cluster: edge -> core", "node lb2 of the cluster removed",
                     "node lb3 of the cluster added"}));
    other = pair;
    other.cluster->nodes[1].addresses[0].port = 7401;
    EXPECT_EQ(describe_changes(pair, other),
              Lines{"addresses of node lb2: 10.9.0.12:7400 -> 10.9.0.12:7401"});
}

TEST(ConfigDiff, ALongListIsCut) {
    auto other = base();
    for (int i = 0; i < 98; ++i)
        other.services[0].backends.push_back({"b" + std::to_string(i), {}, 80});
    EXPECT_EQ(describe_changes(base(), other).size(), 98);
    for (int i = 98; i < 150; ++i)
        other.services[0].backends.push_back({"b" + std::to_string(i), {}, 80});
    const auto lines = describe_changes(base(), other);
    ASSERT_EQ(lines.size(), 101);
    EXPECT_EQ(lines[99], "backend web/b99 added");
    EXPECT_EQ(lines[100], "... and 50 more");
}

}  // namespace
}  // namespace bascule::node
