// SPDX-License-Identifier: Apache-2.0
#include "node/probe_routes.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "node/links.h"

namespace bascule::node {
namespace {

// Probes fit every tunnel on the way of a link of the usual 1500 bytes; what answers them may be as
// large as the pair's own MTU.
constexpr std::uint32_t route_mtu = 1280;
// A wider route that leads somewhere says that the network is in use: of IPv4's last sixteenth
// nobody routes anything by chance; half of all private IPv6 is routed by many.
constexpr std::uint8_t telling_length_v4 = 4;
constexpr std::uint8_t telling_length_v6 = 48;

const Address gateway_v6{Address::Bytes{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

struct Route {
    Address address;
    std::uint8_t length = 0;  // of the family's own bits
    std::uint8_t type = 0;
    std::uint8_t protocol = 0;
    std::uint32_t table = 0;
    std::uint32_t ifindex = 0;  // 0: several, or none
};

std::optional<Route> parse_route(const nlmsghdr& header, std::uint8_t family) {
    const auto info = fixed_part<rtmsg>(header);
    const auto attributes = NetlinkAttributes::parse(header, sizeof(rtmsg));
    // Without IPv6 in the kernel a dump of its routes has all others.
    if (header.nlmsg_type != RTM_NEWROUTE || !info || !attributes || info->rtm_family != family)
        return std::nullopt;
    const auto address = attributes->address(RTA_DST);
    if (!address) return std::nullopt;  // the default route
    return Route{*address,
                 info->rtm_dst_len,
                 info->rtm_type,
                 info->rtm_protocol,
                 attributes->u32(RTA_TABLE).value_or(info->rtm_table),
                 attributes->u32(RTA_OIF).value_or(0)};
}

bool same_bits(const Address& one, const Address& other, unsigned length) {
    const unsigned bits = one.is_v4() ? 96 + length : length;
    const unsigned whole = bits / 8;
    const auto& a = one.bytes();
    const auto& b = other.bytes();
    if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
    return bits % 8 == 0 || ((a[whole] ^ b[whole]) >> (8 - bits % 8)) == 0;
}

bool is_in_the_way(const Route& route, const ProbeNetwork& network) {
    if (!same_bits(route.address, network.address, std::min(route.length, network.length)))
        return false;
    if (route.length >= network.length) return true;
    const auto telling = network.address.is_v4() ? telling_length_v4 : telling_length_v6;
    return route.type == RTN_UNICAST && route.length >= telling;
}

Error in_the_way(const Route& route, const ProbeNetwork& network) {
    const std::string by = route.ifindex == 0 ? "" : " by " + interface_name(route.ifindex);
    return Error(
        fmt::format("this host has a route to {}/{}{} (table {}), and checks by the VIP need {} "
                    "for themselves: "
                    "give them another /{} by [node] {}",
                    route.address.to_string(), route.length, by, route.table, network.to_string(),
                    network.length, network.key));
}

NetlinkMessage route_message(std::uint16_t type, std::uint16_t flags, const ProbeRoute& route,
                             std::uint32_t ifindex) {
    rtmsg info{};
    info.rtm_family = family_of(route.address);
    info.rtm_dst_len = route.length;
    info.rtm_table = RT_TABLE_MAIN;
    info.rtm_protocol = RTPROT_STATIC;
    info.rtm_scope = RT_SCOPE_UNIVERSE;
    info.rtm_type = RTN_UNICAST;
    info.rtm_flags = RTNH_F_ONLINK;  // no other route has to lead to the gateway
    NetlinkMessage message(type, flags);
    message.fixed(info).attribute(RTA_DST, route.address).attribute(RTA_OIF, ifindex);
    return message;
}

}  // namespace

std::string ProbeNetwork::to_string() const {
    return fmt::format("{}/{}", address.to_string(), length);
}

Result<std::vector<ProbeRoute>> check_probe_network(NetlinkRequests& requests,
                                                    const ProbeNetwork& network,
                                                    std::uint32_t ifindex) {
    std::vector<ProbeRoute> ours;
    std::optional<Error> obstacle;
    rtmsg info{};
    info.rtm_family = family_of(network.address);
    NetlinkMessage request(RTM_GETROUTE, NLM_F_DUMP);
    request.fixed(info);
    const auto done = requests.query(request, [&](const nlmsghdr& header) {
        const auto route = parse_route(header, family_of(network.address));
        if (!route) return;
        const bool on_pair = ifindex != 0 && route->ifindex == ifindex;
        if (on_pair && route->table == RT_TABLE_MAIN && route->protocol == RTPROT_STATIC)
            ours.push_back({route->address, route->length});
        else if (!on_pair && !obstacle && is_in_the_way(*route, network))
            obstacle = in_the_way(*route, network);
    });
    if (!done) return failure(done.error().to_error().within("list routes"));
    if (obstacle) return failure(*std::move(obstacle));
    return ours;
}

Result<void> set_probe_route(NetlinkRequests& requests, const ProbeNetwork& network,
                             std::uint32_t ifindex, const std::vector<ProbeRoute>& before) {
    const ProbeRoute route{network.address, network.length};
    auto message = route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route, ifindex);
    // IPv4: slot 0 is no backend's, so that no probe is for the gateway itself. IPv6: a link-local
    // one, as another may not be one that a wider route knows elsewhere.
    const bool v4 = network.address.is_v4();
    message.attribute(RTA_GATEWAY, v4 ? network.address : gateway_v6);
    message.nested(RTA_METRICS,
                   [](NetlinkMessage& metrics) { metrics.attribute(RTAX_MTU, route_mtu); });
    if (const auto set = requests.change(message); !set)
        return failure(set.error().to_error().within("route " + network.to_string()));
    for (const ProbeRoute& old : before) {
        if (old.address == route.address && old.length == route.length) continue;
        const auto gone = requests.change(route_message(RTM_DELROUTE, 0, old, ifindex));
        if (!gone && gone.error().code != ESRCH)
            return failure(gone.error().to_error().within("take an earlier route of probes away"));
    }
    return {};
}

}  // namespace bascule::node
