// SPDX-License-Identifier: Apache-2.0
// After all has healed: clients go on for longer than an idle limit, and
// nothing else happens. Then no copy of their sessions may have become idle:
// its owner has told again that it goes on.
#pragma once

#include <cstddef>
#include <vector>

#include "sim/world.h"

namespace bascule::sim {

class CalmLife {
public:
    explicit CalmLife(World& world) : world_(world) {}
    // Until `end`: packets of every flow that goes on, at the node that sees it.
    void begin(Time end);
    // At the end. Throws Violation.
    void judge() const;

private:
    struct Kept {
        std::size_t flow;
        std::size_t node;
    };
    void next();

    World& world_;
    std::vector<Kept> kept_;
    Time began_{0};
    Time end_{0};
};

}  // namespace bascule::sim
