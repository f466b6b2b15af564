// SPDX-License-Identifier: Apache-2.0
#include "node/exits.h"

#include <linux/if_ether.h>

#include <algorithm>

namespace bascule::node {
namespace {

Exit no_exit(std::string reason) {
    Exit exit;
    exit.reason = std::move(reason);
    return exit;
}

}  // namespace

Exit exit_of(const Link& link, const std::optional<Link>& lower) {
    if (!link.ethernet) {
        return no_exit(link.name + " has no Ethernet addresses: frames cannot be sent by it");
    }
    if (link.kind != "vlan") return {link.ifindex, 0, link.mac, link.mtu, {}};

    if (!lower) return no_exit("the device under " + link.name + " is not on this host");
    if (lower->kind == "vlan") {
        return no_exit(link.name + " is a VLAN on the VLAN " + lower->name +
                       ": one tag can be put on, not two");
    }
    if (link.vlan_protocol != ETH_P_8021Q) {
        return no_exit(link.name + " puts on service tags (802.1ad): only 802.1Q tags can be");
    }
    return {lower->ifindex, link.vlan, link.mac, std::min(link.mtu, lower->mtu), {}};
}

Exit find_exit(NetlinkRequests& requests, std::uint32_t ifindex) {
    const auto link = find_link(requests, ifindex);
    if (!link) return no_exit(link.error().text());
    if (link->lower == 0) return exit_of(*link, std::nullopt);
    const auto lower = find_link(requests, link->lower);
    return exit_of(*link, lower ? std::optional(*lower) : std::nullopt);
}

}  // namespace bascule::node
