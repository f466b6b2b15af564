// SPDX-License-Identifier: Apache-2.0
#include "sync/hybrid_clock.h"

#include <algorithm>

namespace bascule::sync {

// A counter that is full carries into the milliseconds, which then run ahead of the wall clock.
HybridTime HybridClock::next(WallMilliseconds wall) {
    last_ = std::max(hybrid_from(wall), last_ + 1);
    return last_;
}

void HybridClock::saw(HybridTime time) {
    last_ = std::max(last_, time);
}

}  // namespace bascule::sync
