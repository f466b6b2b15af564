// SPDX-License-Identifier: Apache-2.0
// Round trips of one path, smoothed as RFC 6298 says, and the least of a value over about the last
// minute. Pure; any thread.
#pragma once

#include <algorithm>
#include <optional>

#include "sync/moment.h"

namespace bascule::sync {

// The least of what came within the last 30 to 60 s; what is known stays known while nothing comes.
class RecentLeast {
public:
    void add(Nanoseconds value, Moment now) {
        if (!current_) {
            current_ = value;
            began_ = now;
        } else if (now - began_ >= half) {
            before_ = current_;
            current_ = value;
            began_ = now;
        } else {
            current_ = std::min(*current_, value);
        }
    }
    std::optional<Nanoseconds> least() const {
        return before_ ? std::min(*before_, *current_) : current_;
    }

private:
    static constexpr std::chrono::seconds half{30};
    std::optional<Nanoseconds> current_;
    std::optional<Nanoseconds> before_;
    Moment began_{};
};

class RoundTrip {
public:
    void add(Nanoseconds sample, Moment now) {
        least_.add(sample, now);
        if (!measured_) {
            measured_ = true;
            smoothed_ = sample;
            deviation_ = sample / 2;
            return;
        }
        const Nanoseconds error = sample - smoothed_;
        deviation_ += (std::chrono::abs(error) - deviation_) / 4;
        smoothed_ += error / 8;
    }
    // 0: not measured.
    Nanoseconds smoothed() const { return smoothed_; }
    Nanoseconds least() const { return least_.least().value_or(Nanoseconds(0)); }
    // Almost every answer has come after so long.
    Nanoseconds patience() const { return smoothed_ + 4 * deviation_; }

private:
    bool measured_ = false;
    Nanoseconds smoothed_{0};
    Nanoseconds deviation_{0};
    RecentLeast least_;
};

}  // namespace bascule::sync
