// SPDX-License-Identifier: Apache-2.0
// The text of <state-dir>/shared.json: what a node keeps of the shared map. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sync/shared_map.h"

namespace bascule::node {

// The most that write_shared can make of a map within its bounds, and some.
inline constexpr std::size_t most_shared_file = std::size_t{64} << 20;

struct SharedContents {
    std::vector<sync::SharedItem> items;
    sync::HybridTime clock = 0;      // the newest that was used
    sync::HybridTime forgotten = 0;  // SharedMap::forgotten()
    std::string cluster;             // which agreed to that; empty: none
};

std::string write_shared(const sync::SharedMap& map, const std::string& cluster);
// Whatever is not as written is an error that says where. Fields of a later release are ignored.
Result<SharedContents> read_shared(const std::string& text);

}  // namespace bascule::node
