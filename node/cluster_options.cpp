// SPDX-License-Identifier: Apache-2.0
#include "node/cluster_options.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "node/version.h"

namespace bascule::node {

using namespace std::chrono_literals;

namespace {

// A step of a walk over the table looks at so many ways at most: about a millisecond of work when
// they are empty, some when they are full.
std::uint32_t walk_parts(const dataplane::SessionTable& table) {
    constexpr std::uint64_t ways_in_a_step = 32'768;
    constexpr std::uint64_t least = 64;
    const std::uint64_t ways = 2 * (table.capacity_v4() + table.capacity_v6());
    return static_cast<std::uint32_t>(std::max(least, ways / ways_in_a_step));
}

bool has_address(const ifaddrs& each, const Address& address) {
    if (each.ifa_addr == nullptr) return false;
    if (each.ifa_addr->sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, each.ifa_addr, sizeof v4);
        return address == Address::v4_from_wire(v4.sin_addr.s_addr);
    }
    if (each.ifa_addr->sa_family != AF_INET6) return false;
    sockaddr_in6 v6{};
    std::memcpy(&v6, each.ifa_addr, sizeof v6);
    Address::Bytes bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return address == Address(bytes);
}

}  // namespace

sync::Incarnation random_incarnation() {
    sync::Incarnation value = 0;
    while (value == 0)
        if (RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof value) != 1)
            throw std::runtime_error("no random bytes");
    return value;
}

std::vector<model::ClusterNodeConfig> peers_of(const model::Config& config) {
    std::vector<model::ClusterNodeConfig> peers;
    for (const auto& node : config.cluster->nodes)
        if (node.name != config.node.name) peers.push_back(node);
    return peers;
}

ReplicationOptions replication_options(const model::Config& config, const sync::ClusterKeys& keys,
                                       sync::Incarnation incarnation,
                                       const dataplane::SessionTable& table) {
    ReplicationOptions options;
    options.cluster = *config.cluster;
    options.self = config.node.name;
    options.incarnation = incarnation;
    options.release = version;
    options.walk_parts = walk_parts(table);
    for (const auto& peer : peers_of(config))
        options.peers.push_back(peer.name);
    static_assert(sizeof options.fingerprint_key == sizeof keys.ring);
    std::memcpy(options.fingerprint_key.data(), keys.ring.data(), keys.ring.size());
    return options;
}

std::chrono::nanoseconds listening_time(const model::ClusterConfig& cluster) {
    // A neighbour that is asked for while a link comes up is asked for again after a second
    // (RETRANS_TIMER), and until then nothing reaches a peer that lives. About half the lease,
    // for a lone node that is started again.
    constexpr std::chrono::nanoseconds least = 1400ms;
    const std::chrono::nanoseconds interval = cluster.heartbeat_interval;
    return std::max(least, 6 * interval);
}

std::optional<bool> can_hear(const model::ClusterNodeConfig& own,
                             const std::vector<model::VipConfig>& vips) {
    ifaddrs* all = nullptr;
    if (::getifaddrs(&all) != 0) return std::nullopt;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(all, &::freeifaddrs);
    for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
        if (std::ranges::any_of(vips,
                                [&](const auto& vip) { return has_address(*each, vip.address); }))
            return true;
        const bool running =
            (each->ifa_flags & IFF_UP) != 0 && (each->ifa_flags & IFF_RUNNING) != 0;
        if (running && std::ranges::any_of(own.addresses, [&](const auto& endpoint) {
                return has_address(*each, endpoint.address);
            }))
            return true;
    }
    return false;
}

}  // namespace bascule::node
