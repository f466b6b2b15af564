// SPDX-License-Identifier: Apache-2.0
// How long the rest of a drain may take.
//
// Pure; any thread. Times are the caller's, in seconds since any moment.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace bascule::cli {

class DrainProgress {
public:
    void take(double now, std::uint64_t sessions);

    // As last taken.
    std::uint64_t sessions() const { return samples_.empty() ? 0 : samples_.back().sessions; }

    // Seconds until the last session ends, if they go on ending as in the last two minutes. Each
    // ends by itself, so n of them need the sum of 1/k for k = 1..n of one's mean life. Nullopt:
    // too little was seen, or none has ended.
    std::optional<double> estimate() const;

private:
    struct Sample {
        double time;
        std::uint64_t sessions;
    };

    std::deque<Sample> samples_;  // of the last two minutes, a bounded number
};

}  // namespace bascule::cli
