// SPDX-License-Identifier: Apache-2.0
// The routes that lead probes to the veth pair: one a family, to all made-up addresses.
//
// By a gateway that nobody is, so that the kernel makes one neighbour of it, and not one for each
// address that is probed: its table holds a thousand. Thread: control.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "node/netlink.h"

namespace bascule::node {

struct ProbeNetwork {
    Address address;          // its bits beyond `length` are 0
    std::uint8_t length = 0;  // of the family's own bits
    const char* key = "";     // that moves it: "probe_network_v4"

    bool operator==(const ProbeNetwork&) const = default;
    std::string to_string() const;  // "240.64.0.0/10"
};

struct ProbeRoute {
    Address address;
    std::uint8_t length = 0;
};

// Routes of ours that are there already, of the network's family; `ifindex`: of the pair, 0: there
// is none yet. Fails when another route of this host leads into the network, or says that somebody
// uses addresses around it.
Result<std::vector<ProbeRoute>> check_probe_network(NetlinkRequests& requests,
                                                    const ProbeNetwork& network,
                                                    std::uint32_t ifindex);
// Ours leads to the network, and those of `before` to nothing else.
Result<void> set_probe_route(NetlinkRequests& requests, const ProbeNetwork& network,
                             std::uint32_t ifindex, const std::vector<ProbeRoute>& before);

}  // namespace bascule::node
