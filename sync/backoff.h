// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt: doubling, and a fifth of it random so that nodes which
// lost each other at once do not come back at once. Pure.
#pragma once

#include <algorithm>
#include <random>

#include "sync/moment.h"

namespace bascule::sync {

class Backoff {
public:
    Backoff(Nanoseconds least, Nanoseconds most)
        : least_(least), most_(most), next_(least), random_(std::random_device()()) {}

    // Between four and six fifths of what it is.
    Nanoseconds next() {
        const Nanoseconds base = next_;
        next_ = std::min(2 * next_, most_);
        std::uniform_int_distribution<std::int64_t> fifth(-(base / 5).count(), (base / 5).count());
        return base + Nanoseconds(fifth(random_));
    }
    void reset() { next_ = least_; }

private:
    Nanoseconds least_;
    Nanoseconds most_;
    Nanoseconds next_;
    std::minstd_rand random_;
};

}  // namespace bascule::sync
