// SPDX-License-Identifier: Apache-2.0
// What the kernel says of the way to a backend's address. A value; no thread.
#pragma once

#include <optional>
#include <string>

#include "base/address.h"
#include "model/tables.h"

namespace bascule::node {

struct NeighbourState {
    Address address;
    std::optional<model::NextHop> next_hop;  // with the MAC address of `via` where that is set
    std::optional<Address> via;              // the gateway; none: the address is on the link
    Address source;  // what the kernel would send from; unspecified: not known
    bool local =
        false;  // the address is this host's own: no next hop, and no error for Forward::local
    std::string reason;  // why there is no next hop; empty when there is one

    bool operator==(const NeighbourState&) const = default;
};

}  // namespace bascule::node
