// SPDX-License-Identifier: Apache-2.0
#include "node/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "node/routeless.h"
#include "node/tunnel_room.h"

namespace bascule::node {

namespace {

using Vlans = std::multimap<std::uint32_t, std::string>;  // by the device below

Vlans vlans_in_use(const Daemon& daemon) {
    Vlans vlans;
    const model::Config& config = daemon.state().config();
    for (const auto& vip : config.vips) {
        const auto link = daemon.links().get(vip.interface);
        if (link && link->lower != 0)
            vlans.emplace(link->lower,
                          fmt::format("{} (VIP {})", vip.interface, vip.address.to_string()));
    }
    for (const auto& service : config.services)
        for (const auto& backend : service.backends) {
            const auto hop = daemon.state().view(service, backend).next_hop;
            if (hop && hop->vlan != 0)
                vlans.emplace(hop->ifindex, fmt::format("VLAN {} (backend {}/{})", hop->vlan,
                                                        service.name, backend.name));
        }
    return vlans;
}

void add_device(Facts& facts, const Link& link, std::pair<Vlans::iterator, Vlans::iterator> vlans) {
    DeviceFacts device{link.name, strips_vlan_tags(link.name).value_or(false), {}};
    for (auto it = vlans.first; it != vlans.second; ++it)
        device.vlans.push_back(it->second);
    facts.devices.push_back(std::move(device));
}

// The tags of a bond's frames are taken off, or left, by the NICs that it is made of.
void gather_devices(const Daemon& daemon, Facts& facts) {
    Vlans vlans = vlans_in_use(daemon);
    if (vlans.empty()) return;
    auto requests = NetlinkRequests::open();
    if (!requests) return;
    for (const auto& name : daemon.state().config().node.interfaces) {
        const auto link = daemon.links().get(name);
        if (!link) continue;
        const auto above = vlans.equal_range(route_ifindex(*link));
        if (above.first == above.second) continue;
        if (link->kind != "bond") {
            add_device(facts, *link, above);
            continue;
        }
        for (const Link& part : bond_parts(*requests, link->ifindex))
            add_device(facts, part, above);
    }
}

// Of the interfaces that clients' packets arrive by, the largest that is usual.
std::uint32_t arrival_mtu(const Daemon& daemon) {
    std::uint32_t mtu = 0;
    for (const auto& name : daemon.state().config().node.interfaces)
        if (const auto link = daemon.links().get(name)) mtu = std::max(mtu, link->mtu);
    return std::min(mtu, most_usual_packet);
}

void gather_ways(const Daemon& daemon, Facts& facts) {
    const std::uint32_t arrival = arrival_mtu(daemon);
    std::map<std::uint32_t, std::string> names;
    for (const auto& service : daemon.state().config().services) {
        if (service.forward == model::Forward::local) continue;
        for (const auto& backend : service.backends) {
            const auto hop = daemon.state().view(service, backend).next_hop;
            if (!hop) continue;
            std::string& name = names[hop->ifindex];
            if (name.empty()) name = interface_name(hop->ifindex);
            facts.ways.push_back(
                {service.name, name, hop->mtu,
                 static_cast<std::uint16_t>(tunnel_overhead(service.forward, backend.address)),
                 arrival});
        }
    }
}

}  // namespace

Facts gather_facts(const Daemon& daemon) {
    Facts facts;
    gather_devices(daemon, facts);
    gather_ways(daemon, facts);
    facts.families = gather_families(daemon);
    return facts;
}

}  // namespace bascule::node
