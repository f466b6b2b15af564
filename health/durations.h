// SPDX-License-Identifier: Apache-2.0
// How long the checks of a target took, counted in buckets. Pure; as large whatever it counts.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bascule::health {

class Durations {
public:
    // Longest durations of the buckets; one more takes what is longer.
    static constexpr std::array<std::chrono::milliseconds, 12> bounds{
        std::chrono::milliseconds(1),    std::chrono::milliseconds(2),
        std::chrono::milliseconds(5),    std::chrono::milliseconds(10),
        std::chrono::milliseconds(20),   std::chrono::milliseconds(50),
        std::chrono::milliseconds(100),  std::chrono::milliseconds(200),
        std::chrono::milliseconds(500),  std::chrono::milliseconds(1000),
        std::chrono::milliseconds(2000), std::chrono::milliseconds(5000)};
    using Counts = std::array<std::uint64_t, bounds.size() + 1>;

    void add(std::chrono::microseconds took) {
        std::size_t bucket = 0;
        while (bucket < bounds.size() && took > bounds[bucket])
            ++bucket;
        ++counts_[bucket];
        sum_ += took;
    }
    // Each alone, not added up.
    const Counts& counts() const { return counts_; }
    std::chrono::microseconds sum() const { return sum_; }

private:
    Counts counts_{};
    std::chrono::microseconds sum_{0};
};

}  // namespace bascule::health
