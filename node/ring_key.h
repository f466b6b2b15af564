// SPDX-License-Identifier: Apache-2.0
// The secret that keys the choice of a backend, of a node without a cluster.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace bascule::node {

// Reads <state-dir>/ring.key, or makes it (mode 0600) when it is not there. It is never changed:
// another key would move flows. A file of another size is an error, not a reason to make a new one.
Result<std::array<std::uint64_t, 2>> load_ring_key(const std::string& state_dir);

}  // namespace bascule::node
