// SPDX-License-Identifier: Apache-2.0
// How much may be done now of what is not urgent: so many at once, and so many a second. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sync/moment.h"

namespace bascule::sync {

class Pace {
public:
    Pace(std::int64_t a_second, std::int64_t at_once)
        : each_(std::int64_t{1'000'000'000} / a_second), most_(at_once * each_), saved_(most_) {}

    // There is something left; what is then taken may be more than that.
    bool allows(Moment now) {
        saved_ = std::min(most_, saved_ + std::max<std::int64_t>(0, (now - last_).count()));
        last_ = std::max(last_, now);
        return saved_ > 0;
    }
    void take(std::size_t count) { saved_ -= static_cast<std::int64_t>(count) * each_; }

private:
    std::int64_t each_;  // nanoseconds
    std::int64_t most_;
    std::int64_t saved_;
    Moment last_{};
};

}  // namespace bascule::sync
