// SPDX-License-Identifier: Apache-2.0
// The damper: from results of probes to whether a backend is up. Rise and fall, hold-down of a
// flapping one, slow start. A pure state machine: time is an argument. Any thread, one at a time.
//
// A fall is a change from up to down. The first `flap_limit` falls of a sliding `flap_window` are
// free. Each further one is followed by a hold-down: it stays down for `hold_down`, twice as long
// each further time, at most `hold_down_most`, however good its probes are. Once it was up for a
// whole `flap_window`, the back-off is forgotten. Therefore no minute has more changes than
// most_changes_a_minute() says, whatever the backend does.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "model/config.h"

namespace bascule::health {

enum class Health {
    unchecked,  // type = none
    checking,   // no verdict yet: no new flows
    up,
    down,
};

const char* name_of(Health health);

class Damper {
public:
    using Time = std::chrono::steady_clock::time_point;

    // `initial`: checking, or up or down as an earlier process left it. The first result of one
    // that is `checking` decides alone, and is no fall.
    Damper(const model::HealthConfig& options, Health initial, Time now);

    // True: health has changed. Times of successive calls do not run backwards.
    bool on_result(bool ok, Time now);
    // The configuration has changed: what is known stays, a hold-down under way too, unless there
    // are none any more.
    void set_options(const model::HealthConfig& options);

    Health health() const { return health_; }
    Time since() const { return since_; }
    // The last result disagrees with the health, and more of them would change it: probes come at
    // the fast interval. Not while a hold-down alone keeps it down.
    bool in_doubt(Time now) const;
    // Down, and not up before this, since it has flapped.
    std::optional<Time> held_until(Time now) const;
    // Only that keeps it down.
    bool kept_down(Time now) const;
    // Results in a row that disagree with the health (counted no further than they matter), and
    // how many change it.
    std::uint32_t against() const { return against_; }
    std::uint32_t needed() const;
    // Counted no further than flap_limit + 1.
    std::uint32_t falls_in_window(Time now) const;

    // Slow start: per cent of the weight, 10 on its return and 10 more at each of nine steps, the
    // last when `slow_start` is over. 100 without one, and when it is not up.
    std::uint32_t weight_percent(Time now) const;
    // When weight_percent() next changes.
    std::optional<Time> next_step(Time now) const;

private:
    // Of the configuration, what matters here.
    struct Options {
        explicit Options(const model::HealthConfig& health);

        std::uint32_t rise, fall, flap_limit;
        model::Milliseconds flap_window, hold_down, hold_down_most, slow_start;
    };

    void go(Health health, Time now);
    void on_fall(Time now);

    Options options_;
    Health health_;
    Time since_;
    std::uint32_t against_ = 0;
    bool slow_ = false;                 // came back from down
    std::deque<Time> falls_;            // the newest last; at most flap_limit + 1
    model::Milliseconds last_hold_{0};  // 0: none yet, or forgotten
    std::optional<Time> held_until_;
};

// A bound on how often a backend enters or leaves the ring in any 60 seconds, by its health alone.
// The lesser of two. By hold-down: in each span of a minute or a `flap_window`, whichever is
// shorter, there are flap_limit free falls and as many held ones as can begin in it, the k-th of
// them hold_down × 2^(k-1) long, and before each fall a return. By the speed of probes: from a
// return to a fall it takes interval + (fall - 1) × fast_interval, and back again
// interval + (rise - 1) × fast_interval. With the defaults: 12.
std::uint32_t most_changes_a_minute(const model::HealthConfig& health);

// The same for the steps of slow start: nine for each return, and nine of one before; no more
// than there is time for. None without a slow start.
std::uint32_t most_steps_a_minute(const model::HealthConfig& health);

}  // namespace bascule::health
