// SPDX-License-Identifier: Apache-2.0
#include "cli/drain_progress.h"

#include <cmath>

namespace bascule::cli {

namespace {

constexpr double window_seconds = 120;
constexpr double least_seconds = 4;  // two passes of the daemon
constexpr std::size_t most_samples = 1000;

}  // namespace

void DrainProgress::take(double now, std::uint64_t sessions) {
    samples_.push_back({now, sessions});
    while (samples_.size() > most_samples ||
           (samples_.size() > 1 && samples_.front().time < now - window_seconds)) {
        samples_.pop_front();
    }
}

std::optional<double> DrainProgress::estimate() const {
    if (samples_.size() < 2) return std::nullopt;
    const Sample& first = samples_.front();
    const Sample& last = samples_.back();
    const double seconds = last.time - first.time;
    if (seconds < least_seconds || last.sessions >= first.sessions || last.sessions == 0) {
        return std::nullopt;
    }
    const auto left = static_cast<double>(last.sessions);
    const double mean_life = seconds / std::log(static_cast<double>(first.sessions) / left);
    constexpr double euler = 0.5772;
    const double sum = last.sessions == 1 ? 1 : std::log(left) + euler + 0.5 / left;
    return mean_life * sum;
}

}  // namespace bascule::cli
