// SPDX-License-Identifier: Apache-2.0
// How frames leave for a route's interface: by which device, with which VLAN tag, from which MAC
// address. XDP stands below VLAN interfaces, so it has to do what they do. Thread: control.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "node/links.h"
#include "node/netlink.h"

namespace bascule::node {

struct Exit {
    std::uint32_t ifindex = 0;  // of the device; 0: frames cannot leave so, for `reason`
    std::uint16_t vlan = 0;     // id to tag with; 0: untagged
    Mac source_mac;
    std::uint32_t mtu = 0;  // largest IP packet, bytes
    std::string reason;

    bool operator==(const Exit&) const = default;
};

// `lower`: the device that a VLAN interface stands on; nullopt: it is not on this host.
Exit exit_of(const Link& link, const std::optional<Link>& lower);

// Never fails: an interface that is gone is a reason.
Exit find_exit(NetlinkRequests& requests, std::uint32_t ifindex);

}  // namespace bascule::node
