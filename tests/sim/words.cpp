// SPDX-License-Identifier: Apache-2.0
#include "sim/words.h"

namespace bascule::sim {

void Words::judge(const sync::SharedMap& map) {
    for (const auto& [name, item] : map.items()) {
        const auto [best, is_new] = best_.try_emplace(name, item);
        if (is_new || best->second == item) continue;
        if (!sync::beats(item, best->second))
            throw Violation("'" + item.key + "' has come back" +
                            (best->second.removed ? ", which was taken back" : ""));
        best->second = item;
    }
}

}  // namespace bascule::sim
