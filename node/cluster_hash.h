// SPDX-License-Identifier: Apache-2.0
// What nodes of a cluster compare, as one number each: what is written for all of them, and what
// decides which backend a new flow gets. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/tables.h"

namespace bascule::node {

// Of all tables of the files but those that are a node's own ([node], [log], [hook]); without what
// may well differ from node to node (a VIP's interface, the place of the key file), and without
// order, comments, layout. Texts that are no TOML count as they are. Never 0.
std::uint64_t config_hash(const std::vector<model::SourceText>& sources);

// Of all that rings are made of: nodes with the same one choose alike. Keyed by the secret that
// keys the choice, so it tells nothing of that. Never 0.
std::uint64_t ring_hash(const model::Desired& desired, const std::array<std::uint64_t, 2>& secret);

}  // namespace bascule::node
