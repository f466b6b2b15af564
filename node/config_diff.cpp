// SPDX-License-Identifier: Apache-2.0
#include "node/config_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

#include "node/state.h"

namespace bascule::node {

namespace {

constexpr std::size_t most_lines = 100;

template <typename List, typename Same>
bool has(const List& list, const Same& same) {
    return std::find(list.begin(), list.end(), same) != list.end();
}

// Services and backends come by the thousand, so they are found by name in an index.
template <typename Named>
class ByName {
public:
    explicit ByName(const std::vector<Named>& list) {
        for (const auto& one : list)
            index_.emplace(one.name, &one);
    }
    // Nullptr: there is none.
    const Named* find(const std::string& name) const {
        const auto found = index_.find(name);
        return found == index_.end() ? nullptr : found->second;
    }

private:
    std::map<std::string_view, const Named*> index_;
};

void describe_backends(const model::ServiceConfig& from, const model::ServiceConfig& to,
                       std::vector<std::string>& lines) {
    const ByName before(from.backends);
    const ByName after(to.backends);
    for (const auto& old : from.backends)
        if (!after.find(old.name))
            lines.push_back(fmt::format("backend {}/{} removed", from.name, old.name));
    for (const auto& now : to.backends) {
        const auto* old = before.find(now.name);
        if (!old) {
            lines.push_back(fmt::format("backend {}/{} added", to.name, now.name));
            continue;
        }
        if (key_of(*old) != key_of(now))
            lines.push_back(fmt::format("address of {}/{}: {} -> {}", to.name, now.name,
                                        key_of(*old).to_string(), key_of(now).to_string()));
        if (old->backup != now.backup)
            lines.push_back(fmt::format("backend {}/{} is {} a backup", to.name, now.name,
                                        now.backup ? "now" : "no longer"));
        if (old->check_address != now.check_address || old->check_port != now.check_port)
            lines.push_back(fmt::format("what is checked of {}/{} changed", to.name, now.name));
        if (old->weight != now.weight)
            lines.push_back(fmt::format("weight of {}/{}: {} -> {}", to.name, now.name, old->weight,
                                        now.weight));
    }
}

// All that has no line of its own.
auto settings_of(const model::ServiceConfig& service) {
    const auto& s = service;
    return std::make_tuple(s.limits, s.affinity, s.unknown, s.on_empty, s.mss_clamp, s.copy_dscp,
                           s.gue_port, s.ring_size);
}

void describe_checks(const model::ServiceConfig& from, const model::ServiceConfig& to,
                     std::vector<std::string>& lines) {
    if (from.health.type != to.health.type)
        lines.push_back(fmt::format("checks of service {}: {} -> {}", to.name,
                                    name_of(from.health.type), name_of(to.health.type)));
    else if (from.health != to.health)
        lines.push_back(fmt::format("checks of service {} changed", to.name));
    if (from.quorum != to.quorum)
        lines.push_back(
            fmt::format("quorum of service {}: {} -> {}", to.name, from.quorum, to.quorum));
    if (from.give_up_vip != to.give_up_vip)
        lines.push_back(fmt::format("service {} {} gives up its VIP below its quorum", to.name,
                                    to.give_up_vip ? "now" : "no longer"));
}

void describe_services(const model::Config& from, const model::Config& to,
                       std::vector<std::string>& lines) {
    const ByName before(from.services);
    const ByName after(to.services);
    for (const auto& old : from.services)
        if (!after.find(old.name)) lines.push_back(fmt::format("service {} removed", old.name));
    for (const auto& now : to.services) {
        const auto* old = before.find(now.name);
        if (!old) {
            lines.push_back(fmt::format("service {} added", now.name));
            continue;
        }
        if (key_of(*old) != key_of(now))
            lines.push_back(fmt::format("service {}: {} -> {}", now.name, key_of(*old).to_string(),
                                        key_of(now).to_string()));
        if (old->forward != now.forward)
            lines.push_back(fmt::format("forward of service {}: {} -> {}", now.name,
                                        name_of(old->forward), name_of(now.forward)));
        if (settings_of(*old) != settings_of(now))
            lines.push_back(fmt::format("settings of service {} changed", now.name));
        describe_checks(*old, now, lines);
        describe_backends(*old, now, lines);
    }
}

void describe_interfaces(const model::NodeConfig& from, const model::NodeConfig& to,
                         std::vector<std::string>& lines) {
    for (const auto& name : from.interfaces)
        if (!has(to.interfaces, name)) lines.push_back(fmt::format("interface {} removed", name));
    for (const auto& name : to.interfaces)
        if (!has(from.interfaces, name)) lines.push_back(fmt::format("interface {} added", name));
}

void describe_tunnel_sources(const model::NodeConfig& from, const model::NodeConfig& to,
                             std::vector<std::string>& lines) {
    if (from.tunnel_source_v4 != to.tunnel_source_v4)
        lines.emplace_back("tunnel source for IPv4 backends changed");
    if (from.tunnel_source_v6 != to.tunnel_source_v6)
        lines.emplace_back("tunnel source for IPv6 backends changed");
}

void describe_probe_networks(const model::NodeConfig& from, const model::NodeConfig& to,
                             std::vector<std::string>& lines) {
    const auto describe = [&](std::string_view key, const Address& old, const Address& now) {
        if (old != now)
            lines.push_back(fmt::format("{}: {} -> {}", key, old.to_string(), now.to_string()));
    };
    describe("probe_network_v4", from.probe_network_v4, to.probe_network_v4);
    describe("probe_network_v6", from.probe_network_v6, to.probe_network_v6);
}

void describe_hook(const model::HookConfig& from, const model::HookConfig& to,
                   std::vector<std::string>& lines) {
    const auto program = [](const model::HookConfig& hook) -> std::string {
        return hook.program.command.empty() ? "none" : hook.program.command.front();
    };
    if (program(from) != program(to))
        lines.push_back(fmt::format("hook: {} -> {}", program(from), program(to)));
    else if (from != to)
        lines.emplace_back("hook changed");
}

void describe_http(const model::Config& from, const model::Config& to,
                   std::vector<std::string>& lines) {
    const auto at = [](const model::Config& config) {
        return config.http ? config.http->listen.to_string() : std::string("nowhere");
    };
    if (from.http != to.http) lines.push_back(fmt::format("http: {} -> {}", at(from), at(to)));
}

// The same address on the same interface; its priorities may be others.
const model::VipConfig* same_vip(const model::Config& config, const model::VipConfig& vip) {
    for (const auto& other : config.vips)
        if (other.address == vip.address && other.interface == vip.interface) return &other;
    return nullptr;
}

void describe_vips(const model::Config& from, const model::Config& to,
                   std::vector<std::string>& lines) {
    for (const auto& vip : from.vips)
        if (same_vip(to, vip) == nullptr)
            lines.push_back(
                fmt::format("VIP {} on {} removed", vip.address.to_string(), vip.interface));
    for (const auto& vip : to.vips) {
        const auto* old = same_vip(from, vip);
        if (old == nullptr)
            lines.push_back(
                fmt::format("VIP {} on {} added", vip.address.to_string(), vip.interface));
        else if (old->priority != vip.priority)
            lines.push_back(fmt::format("priorities of VIP {} changed", vip.address.to_string()));
    }
}

std::string addresses_of(const model::ClusterNodeConfig& node) {
    std::string text;
    for (const auto& address : node.addresses)
        text += (text.empty() ? "" : ", ") + address.to_string();
    return text;
}

void describe_nodes(const model::ClusterConfig& from, const model::ClusterConfig& to,
                    std::vector<std::string>& lines) {
    for (const auto& old : from.nodes)
        if (to.find(old.name) == nullptr)
            lines.push_back(fmt::format("node {} of the cluster removed", old.name));
    for (const auto& now : to.nodes) {
        const auto* old = from.find(now.name);
        if (old == nullptr)
            lines.push_back(fmt::format("node {} of the cluster added", now.name));
        else if (old->addresses != now.addresses)
            lines.push_back(fmt::format("addresses of node {}: {} -> {}", now.name,
                                        addresses_of(*old), addresses_of(now)));
        if (old != nullptr && old->priority != now.priority)
            lines.push_back(fmt::format("priority of node {}: {} -> {}", now.name, old->priority,
                                        now.priority));
    }
}

void describe_cluster(const model::Config& from, const model::Config& to,
                      std::vector<std::string>& lines) {
    if (from.cluster.has_value() != to.cluster.has_value())
        lines.push_back(to.cluster ? fmt::format("cluster {} joined", to.cluster->name)
                                   : fmt::format("cluster {} left", from.cluster->name));
    if (!from.cluster || !to.cluster || *from.cluster == *to.cluster) return;
    const std::size_t before = lines.size();
    if (from.cluster->name != to.cluster->name)
        lines.push_back(
            fmt::format("name of the cluster: {} -> {}", from.cluster->name, to.cluster->name));
    describe_nodes(*from.cluster, *to.cluster, lines);
    if (lines.size() == before) lines.emplace_back("settings of the cluster changed");
}

}  // namespace

std::vector<std::string> describe_changes(const model::Config& from, const model::Config& to) {
    std::vector<std::string> lines;
    describe_interfaces(from.node, to.node, lines);
    describe_tunnel_sources(from.node, to.node, lines);
    describe_probe_networks(from.node, to.node, lines);
    describe_vips(from, to, lines);
    describe_services(from, to, lines);
    describe_cluster(from, to, lines);
    describe_hook(from.hook, to.hook, lines);
    describe_http(from, to, lines);
    if (from.log != to.log) lines.emplace_back("log level changed");
    if (from.node.name != to.node.name) lines.emplace_back("name of the node changed");
    if (lines.size() > most_lines) {
        const std::size_t more = lines.size() - most_lines;
        lines.resize(most_lines);
        lines.push_back(fmt::format("... and {} more", more));
    }
    return lines;
}

}  // namespace bascule::node
