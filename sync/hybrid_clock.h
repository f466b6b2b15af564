// SPDX-License-Identifier: Apache-2.0
// Hybrid logical clock: near the wall clock while that behaves, and never behind anything seen,
// whatever the wall clock does (Kulkarni et al., "Logical Physical Clocks", 2014). Pure.
#pragma once

#include <cstdint>

#include "sync/moment.h"

namespace bascule::sync {

// 48 bits of milliseconds, 16 bits of counter: compares as a number.
using HybridTime = std::uint64_t;

inline constexpr unsigned hybrid_counter_bits = 16;
// What a wall clock can bring in (the year 4199), and what is believed at all. Between the two is
// room for more steps than will ever be made: no clock that is wrong can bring all others to their
// end.
inline constexpr WallMilliseconds latest_wall = (WallMilliseconds{1} << 46) - 1;
inline constexpr HybridTime latest_time = HybridTime{1} << 63;

constexpr HybridTime hybrid_from(WallMilliseconds wall) {
    return (wall < latest_wall ? wall : latest_wall) << hybrid_counter_bits;
}
constexpr WallMilliseconds milliseconds_of(HybridTime time) {
    return time >> hybrid_counter_bits;
}

class HybridClock {
public:
    // `last`: the newest that an earlier run has used.
    explicit HybridClock(HybridTime last = 0) : last_(last) {}

    // Later than all that were made or seen.
    HybridTime next(WallMilliseconds wall);
    // Of what was checked to be before latest_time.
    void saw(HybridTime time);
    HybridTime last() const { return last_; }

private:
    HybridTime last_;
};

}  // namespace bascule::sync
