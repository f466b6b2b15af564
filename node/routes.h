// SPDX-License-Identifier: Apache-2.0
// What the kernel's routing says of the way to an address. Thread: control.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "node/netlink.h"

namespace bascule::node {

struct Way {
    std::uint32_t ifindex = 0;   // that the route names; 0: there is no way, for `reason`
    std::optional<Address> via;  // the gateway, of either family; none: the address is on the link
    Address source;              // that the kernel would send from; unspecified: not known
    std::uint32_t mtu = 0;       // the route's own limit for an IP packet, bytes; 0: none
    bool local = false;          // the address is this host's own
    std::string reason;

    bool operator==(const Way&) const = default;
};

// Of an answer to RTM_GETROUTE.
Way read_route(const nlmsghdr& answer);

Way find_way(NetlinkRequests& requests, const Address& address);

}  // namespace bascule::node
