// SPDX-License-Identifier: Apache-2.0
#include "node/routes.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace bascule::node {
namespace {

Way no_way(std::string reason) {
    Way way;
    way.reason = std::move(reason);
    return way;
}

std::optional<Address> gateway_of(const NetlinkAttributes& attributes) {
    if (const auto gateway = attributes.address(RTA_GATEWAY)) return gateway;
    // A gateway of the other family: two bytes of family, then the address.
    const auto via = attributes.bytes(RTA_VIA);
    if (!via || via->size() != 2 + 16) return std::nullopt;
    Address::Bytes bytes;
    std::copy(via->begin() + 2, via->end(), bytes.begin());
    return Address(bytes);
}

// The kernel answers routes that lead nowhere with the error that their users get.
std::string no_route(const NetlinkError& error) {
    switch (error.code) {
        case ENETUNREACH:
            return "no route";
        case EHOSTUNREACH:
            return "unreachable by a route";
        case EACCES:
            return "prohibited by a route";
        case EINVAL:
            return "a blackhole route";
        default:
            return "no route: " + error.text;
    }
}

// Why packets cannot go by a route of this type; empty: they can.
std::string refused_type(std::uint8_t type) {
    switch (type) {
        case RTN_UNICAST:
        case RTN_LOCAL:
            return {};
        case RTN_BROADCAST:
        case RTN_ANYCAST:
        case RTN_MULTICAST:
            return "is not the address of one host";
        case RTN_UNREACHABLE:
            return no_route({EHOSTUNREACH, {}});
        case RTN_PROHIBIT:
            return no_route({EACCES, {}});
        case RTN_BLACKHOLE:
            return no_route({EINVAL, {}});
        default:
            return "no route";
    }
}

std::uint32_t mtu_of(const NetlinkAttributes& attributes) {
    const auto nested = attributes.bytes(RTA_METRICS);
    const auto metrics = nested ? NetlinkAttributes::parse_nested(*nested) : std::nullopt;
    return metrics ? metrics->u32(RTAX_MTU).value_or(0) : 0;
}

}  // namespace

Way read_route(const nlmsghdr& answer) {
    const auto info = fixed_part<rtmsg>(answer);
    const auto attributes = NetlinkAttributes::parse(answer, sizeof(rtmsg));
    if (!info || !attributes) return no_way("the kernel's answer makes no sense");
    if (auto refused = refused_type(info->rtm_type); !refused.empty())
        return no_way(std::move(refused));
    Way way;
    way.source = attributes->address(RTA_PREFSRC).value_or(Address());
    if (info->rtm_type == RTN_LOCAL) {
        way.local = true;
        way.reason = "is an address of this host itself";
        return way;
    }
    // A route that puts another header around its packets (MPLS, segments, a tunnel's).
    if (attributes->bytes(RTA_ENCAP_TYPE)) return no_way("behind a route that encapsulates");
    way.ifindex = attributes->u32(RTA_OIF).value_or(0);
    if (way.ifindex == 0) return no_way("no route");
    way.via = gateway_of(*attributes);
    way.mtu = mtu_of(*attributes);
    return way;
}

Way find_way(NetlinkRequests& requests, const Address& address) {
    rtmsg info{};
    info.rtm_family = family_of(address);
    info.rtm_dst_len = address.is_v4() ? 32 : 128;
    NetlinkMessage request(RTM_GETROUTE, 0);
    request.fixed(info).attribute(RTA_DST, address);
    Way way = no_way("no route");
    const auto done = requests.query(request, [&](const nlmsghdr& header) {
        if (header.nlmsg_type == RTM_NEWROUTE) way = read_route(header);
    });
    return done ? way : no_way(no_route(done.error()));
}

}  // namespace bascule::node
