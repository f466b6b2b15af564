// SPDX-License-Identifier: Apache-2.0
// Time as the state machines of sync/ see it: an argument, never asked for.
#pragma once

#include <chrono>
#include <cstdint>

namespace bascule::sync {

// CLOCK_MONOTONIC of this node.
using Moment = std::chrono::steady_clock::time_point;
using Nanoseconds = std::chrono::nanoseconds;
// Wall clock, milliseconds since 1970. Only for what people read and for hybrid clocks: no decision
// hangs on two nodes having the same one.
using WallMilliseconds = std::uint64_t;

// Which run of a node's daemon speaks: random, made at its start, never 0.
using Incarnation = std::uint64_t;

}  // namespace bascule::sync
