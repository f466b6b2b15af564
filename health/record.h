// SPDX-License-Identifier: Apache-2.0
// What is known of a checked target. Pure values.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "health/damper.h"
#include "health/durations.h"
#include "health/outcome.h"
#include "health/target.h"

namespace bascule::health {

struct Change {
    std::chrono::system_clock::time_point when;
    Health to = Health::checking;
    std::string reason;  // what the result said that decided
};

struct Record {
    static constexpr std::size_t most_changes = 20;

    Target target;
    Health health = Health::checking;
    std::uint32_t weight_percent = 100;           // slow start and the program's word together
    std::chrono::system_clock::time_point since;  // of `health`
    // Of the latest failure: why it is down, or in doubt. Empty: it is neither, or nothing failed
    // yet under this process.
    std::string reason;
    std::optional<Outcome> last;
    std::chrono::system_clock::time_point last_at;  // its end
    std::chrono::microseconds last_duration{0};
    // How long after it was due it started. All start at ticks of 4 ms, so half of that is usual.
    std::chrono::microseconds last_late{0};
    std::chrono::system_clock::time_point next_at;
    std::uint32_t against = 0;  // results in a row that disagree with `health`
    std::uint32_t needed = 0;   // how many change it
    // Down, and not up before this, since it has flapped.
    std::optional<std::chrono::system_clock::time_point> held_until;
    bool kept_down = false;  // and only that keeps it down
    std::uint64_t checks = 0;
    std::uint64_t failures = 0;
    std::array<std::uint64_t, failure_kinds> by_failure{};  // of these, by Failure
    Durations durations;                                    // of all checks
    std::deque<Change> changes;                             // the newest last; at most most_changes
};

}  // namespace bascule::health
