// SPDX-License-Identifier: Apache-2.0
// The paths between nodes, each direction by itself: what they do to what is
// sent, and since when a path has been without fault, by which nodes'
// judgements of each other are measured.
#pragma once

#include <vector>

#include "sim/plan.h"

namespace bascule::sim {

struct Way {
    bool cut = false;
    bool no_streams = false;     // nothing but heartbeats comes through
    bool no_heartbeats = false;  // nothing but streams
    bool deaf_start = false;     // nothing yet: a link, or who asks for a neighbour, is late
    double loss = 0;
    double twice = 0;
    Time delay = 100us;
    Time jitter{0};                  // more than that, evenly; so one may overtake another
    Time clean_since{0};             // nothing is lost or held up
    Time quiet_since = Time::max();  // nothing comes through

    bool is_clean(Time interval) const {
        return carries_heartbeats() && loss == 0 && delay + jitter <= interval / 4;
    }
    bool carries_heartbeats() const { return !cut && !no_heartbeats && !deaf_start; }
    bool carries_anything() const { return !cut && !deaf_start; }
};

class Paths {
public:
    explicit Paths(const Plan& plan)
        : nodes_(plan.nodes), paths_(plan.paths), ways_(nodes_ * nodes_ * paths_) {}

    const Way& way(std::size_t from, std::size_t to, std::size_t path) const {
        return ways_[(from * nodes_ + to) * paths_ + path];
    }
    // Changes one, and remembers since when it is as it is.
    template <typename Change>
    void change(std::size_t from, std::size_t to, std::size_t path, Time interval, Time now,
                Change change) {
        Way& way = ways_[(from * nodes_ + to) * paths_ + path];
        const bool was_clean = way.is_clean(interval);
        // What is still on its way comes so late.
        const Time still = way.delay + way.jitter;
        change(way);
        if (!was_clean || !way.is_clean(interval)) way.clean_since = now;
        if (way.carries_anything())
            way.quiet_since = Time::max();
        else if (way.quiet_since == Time::max())
            way.quiet_since = now + still;
    }
    // A stream needs both directions, or its acknowledgements are lost.
    bool carries_stream(std::size_t one, std::size_t other, std::size_t path) const {
        const auto stops = [](const Way& way) { return !way.carries_anything() || way.no_streams; };
        return !stops(way(one, other, path)) && !stops(way(other, one, path));
    }
    std::size_t count() const { return paths_; }

private:
    std::size_t nodes_;
    std::size_t paths_;
    std::vector<Way> ways_;
};

}  // namespace bascule::sim
