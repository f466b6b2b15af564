// SPDX-License-Identifier: Apache-2.0
// A check program's word on the weight, damped: one that says another weight with each result must
// not have the ring built anew each time. Pure; time is an argument. Any thread, one at a time.
//
// The first word counts at once, and so does another once the last change is `pause` ago; what is
// said sooner counts then. So a minute has at most 60 s / pause + 1 changes: 7.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace bascule::health {

class SteadyWeight {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds pause{10};

    // Per cent of the configured weight.
    void say(std::uint32_t percent, Time now) {
        said_ = percent;
        settle(now);
    }
    // Takes what was said, if it is time.
    void settle(Time now) {
        if (said_ == counts_ || (changed_ && now < *changed_ + pause)) return;
        counts_ = said_;
        changed_ = now;
    }
    std::uint32_t percent() const { return counts_; }
    // When what was said last will count.
    std::optional<Time> next() const {
        if (said_ == counts_ || !changed_) return std::nullopt;
        return *changed_ + pause;
    }

private:
    std::uint32_t said_ = 100;
    std::uint32_t counts_ = 100;
    std::optional<Time> changed_;
};

}  // namespace bascule::health
