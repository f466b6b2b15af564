// SPDX-License-Identifier: Apache-2.0
// What one node has ever seen of the shared map: nothing that was beaten may
// come back. Outlives the node's runs as its disk does.
#pragma once

#include <map>
#include <string>

#include "sim/truth.h"
#include "sync/shared_map.h"

namespace bascule::sim {

class Words {
public:
    // After each change of the map.
    void judge(const sync::SharedMap& map);
    // Its disk is gone, or is of long ago.
    void begin_anew() { best_.clear(); }
    const std::map<std::string, sync::SharedItem>& best() const { return best_; }

private:
    std::map<std::string, sync::SharedItem> best_;  // by register
};

}  // namespace bascule::sim
