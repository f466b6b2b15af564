// SPDX-License-Identifier: Apache-2.0
// How a backend is reached by its service's way of forwarding, or why it is not. Pure.
#pragma once

#include <optional>
#include <string>

#include "model/config.h"
#include "model/tables.h"
#include "node/neighbour_state.h"

namespace bascule::node {

struct Reach {
    bool known = true;  // false: the kernel has not said yet
    std::optional<model::NextHop> next_hop;
    model::Delivery delivery;
    std::string reason;  // why a known one has no next hop
};

// `neighbour`: what the kernel says of the backend's address; nullptr: nothing yet.
Reach reach(const model::NodeConfig& node, const model::ServiceConfig& service,
            const model::BackendConfig& backend, const NeighbourState* neighbour);

}  // namespace bascule::node
