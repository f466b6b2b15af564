// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "node/doctor_look.h"
#include "node/ethtool.h"
#include "node/routes.h"

namespace bascule::node {

namespace {

using Vlans = std::multimap<std::uint32_t, std::string>;  // who needs tags, by the device below

std::optional<bool> joins_packets(const std::string& interface) {
    ethtool_value flags{};
    flags.cmd = ETHTOOL_GFLAGS;
    if (!ethtool(interface, &flags)) return std::nullopt;
    return (flags.data & ETH_FLAG_LRO) != 0;
}

Result<Channels> channels_of(const std::string& interface) {
    ethtool_channels all{};
    all.cmd = ETHTOOL_GCHANNELS;
    if (!ethtool(interface, &all)) {
        // A driver without a choice has one queue, or does not say.
        if (errno == EOPNOTSUPP) return Channels{1, 1, true};
        return failure(Error::system("ask for its queues", errno));
    }
    if (all.max_combined > 0 && all.rx_count == 0)
        return Channels{all.combined_count, all.max_combined, true};
    return Channels{all.rx_count + all.combined_count, all.max_rx, false};
}

Result<Ring> ring_of(const Link& link, NetlinkRequests& requests) {
    ethtool_ringparam param{};
    param.cmd = ETHTOOL_GRINGPARAM;
    if (!ethtool(link.name, &param)) {
        if (errno == EOPNOTSUPP) return Ring{};
        return failure(Error::system("ask for its receive ring", errno));
    }
    Ring ring{param.rx_pending, param.rx_max_pending, 0, 0};
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(link.ifindex);
    NetlinkMessage request(RTM_GETLINK, 0);
    request.fixed(info);
    const auto done = requests.query(request, [&](const nlmsghdr& header) {
        const auto attributes = NetlinkAttributes::parse(header, sizeof(ifinfomsg));
        const auto bytes = attributes ? attributes->bytes(IFLA_STATS64) : std::nullopt;
        rtnl_link_stats64 stats{};
        if (!bytes) return;
        std::memcpy(&stats, bytes->data(), std::min(bytes->size(), sizeof stats));
        ring.received = stats.rx_packets;
        ring.missed = stats.rx_missed_errors;
    });
    if (!done) return failure(done.error().to_error().within("what it has received"));
    return ring;
}

// The kernel goes by the stricter of the two (ip-sysctl: rp_filter).
Result<bool> strict_filter(const std::string& interface) {
    const std::string base = "/proc/sys/net/ipv4/conf/";
    const auto all = read_number(base + "all/rp_filter");
    if (!all) return failure(all.error());
    const auto own = read_number(base + interface + "/rp_filter");
    if (!own) return failure(own.error());
    return std::max(*all, *own) == 1;
}

// Each once: those that carry the program, what bonds are made of, and those of VIPs.
class Interfaces {
public:
    Interfaces(const model::Config& config, NetlinkRequests& requests) : requests_(requests) {
        for (const auto& name : config.node.interfaces)
            add(name, true);
        for (const auto& vip : config.vips)
            add(vip.interface, false);
    }
    std::vector<InterfaceLook> all;

private:
    void add(const std::string& name, bool of_node) {
        if (std::any_of(all.begin(), all.end(), [&](const auto& it) { return it.name == name; }))
            return;
        InterfaceLook look;
        look.name = name;
        look.of_node = of_node;
        look.link = find_link(requests_, name);
        all.push_back(look);
        if (!look.link || look.link->kind != "bond") return;
        for (const Link& part : bond_parts(requests_, look.link->ifindex))
            add(part.name, false);
    }

    NetlinkRequests& requests_;
};

Vlans vlans_in_use(const model::Config& config, const NeighbourOf& state_of,
                   NetlinkRequests& requests) {
    Vlans vlans;
    for (const auto& vip : config.vips)
        if (const auto link = find_link(requests, vip.interface); link && link->lower != 0)
            vlans.emplace(link->lower,
                          fmt::format("{} (VIP {})", vip.interface, vip.address.to_string()));
    for (const auto& service : config.services)
        for (const auto& backend : service.backends) {
            if (service.forward == model::Forward::local) continue;
            const auto state = state_of(backend.address);
            if (state && state->next_hop && state->next_hop->vlan != 0)
                vlans.emplace(state->next_hop->ifindex,
                              fmt::format("VLAN {} (backend {}/{})", state->next_hop->vlan,
                                          service.name, backend.name));
        }
    return vlans;
}

// Whose packets a strict filter on this interface would drop: those that come in here, and whose
// sender is answered by another one.
class ReturnWays {
public:
    ReturnWays(const model::Config& config, NetlinkRequests& requests)
        : config_(config), requests_(requests) {
        for (const auto& service : config.services)
            if (service.forward == model::Forward::local && service.vip.is_v4())
                for (const auto& vip : config.vips)
                    if (vip.address == service.vip) arrivals_.insert(vip.interface);
        // An address that is nobody's (RFC 5737) goes where the many do.
        if (!arrivals_.empty())
            clients_ = find_way(requests, Address::v4({198, 51, 100, 1})).ifindex;
    }

    std::vector<std::string> elsewhere(const Link& link) {
        std::vector<std::string> hurt;
        if (clients_ != 0 && clients_ != link.ifindex && arrivals_.contains(link.name))
            hurt.push_back(
                fmt::format("clients, who are answered by {}", interface_name(clients_)));
        if (!config_.cluster) return hurt;
        const auto* self = config_.cluster->find(config_.node.name);
        const auto addresses = local_addresses(requests_);
        for (std::size_t path = 0; self != nullptr && addresses && path < self->addresses.size();
             ++path) {
            const auto own = addresses->find(self->addresses[path].address);
            if (own != addresses->end() && own->first.is_v4() && own->second == link.ifindex)
                add_peers(path, link.ifindex, hurt);
        }
        return hurt;
    }

private:
    void add_peers(std::size_t path, std::uint32_t ifindex, std::vector<std::string>& hurt) {
        for (const auto& node : config_.cluster->nodes) {
            if (node.name == config_.node.name) continue;
            const Way way = find_way(requests_, node.addresses[path].address);
            if (way.ifindex != 0 && way.ifindex != ifindex)
                hurt.push_back(fmt::format("peer {}, who is answered by {}", node.name,
                                           interface_name(way.ifindex)));
        }
    }

    const model::Config& config_;
    NetlinkRequests& requests_;
    std::set<std::string> arrivals_;  // where Linux sees clients' packets for this host itself
    std::uint32_t clients_ = 0;       // the interface that most are answered by; 0: nobody is
};

void look_closer(InterfaceLook& look, const Options& options, const Vlans& vlans,
                 NetlinkRequests& requests) {
    const Link& link = *look.link;
    if (look.of_node) look.xdp = dataplane::look_at_xdp(link.name, link.ifindex, options.bpffs);
    look.driver = driver_of(link.name);
    look.strips_tags = strips_vlan_tags(link.name).value_or(false);
    const auto above = vlans.equal_range(route_ifindex(link));
    for (auto it = above.first; it != above.second; ++it)
        look.vlans.push_back(it->second);
    look.joins = joins_packets(link.name);
    look.channels = channels_of(link.name);
    look.ring = ring_of(link, requests);
    look.interrupts = interrupts_of(link);
    look.strict = strict_filter(link.name);
}

// Why it is generic or missing, as the daemon met it.
std::string known_reason(const Daemon& daemon, const std::string& interface) {
    const auto problem = daemon.attach_problems().find(interface);
    if (problem != daemon.attach_problems().end()) return problem->second;
    for (const auto& attachment : daemon.dataplane().attachments())
        if (attachment.interface == interface) return attachment.warning;
    return {};
}

}  // namespace

Result<std::map<Address, std::uint32_t>> local_addresses(NetlinkRequests& requests) {
    std::map<Address, std::uint32_t> addresses;
    NetlinkMessage request(RTM_GETADDR, NLM_F_DUMP);
    request.fixed(ifaddrmsg{});
    const auto done = requests.query(request, [&](const nlmsghdr& header) {
        const auto info = fixed_part<ifaddrmsg>(header);
        const auto attributes = NetlinkAttributes::parse(header, sizeof(ifaddrmsg));
        if (header.nlmsg_type != RTM_NEWADDR || !info || !attributes) return;
        // Of a point-to-point link the other end's is IFA_ADDRESS.
        auto address = attributes->address(IFA_LOCAL);
        if (!address) address = attributes->address(IFA_ADDRESS);
        if (address) addresses[*address] = info->ifa_index;
    });
    if (!done) return failure(done.error().to_error().within("this host's addresses"));
    return addresses;
}

InterfacesLook look_at_interfaces(const Options& options, DaemonOrNone daemon,
                                  const model::Config& config, const NeighbourOf& state_of,
                                  NetlinkRequests& requests) {
    InterfacesLook look;
    look.by_daemon = daemon != nullptr;
    look.generic_meant = config.node.xdp_mode == model::XdpMode::generic;
    look.cpus = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    look.interfaces = Interfaces(config, requests).all;
    const Vlans vlans = vlans_in_use(config, state_of, requests);
    ReturnWays answers(config, requests);
    for (InterfaceLook& it : look.interfaces) {
        if (!it.link) continue;
        look_closer(it, options, vlans, requests);
        it.strict_hurts = answers.elsewhere(*it.link);
        if (daemon != nullptr) it.xdp_why = known_reason(*daemon, it.name);
    }
    return look;
}

}  // namespace bascule::node
