// SPDX-License-Identifier: Apache-2.0
// Tables in which a packet can meet every kind of end, and packets that meet them in random order.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "frame.h"
#include "model/tables.h"

namespace bascule::test {

// The same numbers from the same seed.
class Dice {
public:
    explicit Dice(std::uint32_t seed) : engine_(seed) {}

    std::uint32_t below(std::uint32_t limit) {
        return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(engine_);
    }
    bool one_in(std::uint32_t count) { return below(count) == 0; }
    template <typename T>
    T of(const std::vector<T>& choices) {
        return choices[below(static_cast<std::uint32_t>(choices.size()))];
    }

private:
    std::mt19937 engine_;
};

// Both VIPs with a service for each forwarding mode, option and lack; and a VIP that is not held.
model::Desired all_offers();

// TCP, UDP, fragments, ICMP errors, other protocols; whole, broken and cut; of few clients and
// ports, so that flows are met again. Most are for these tables.
Bytes random_packet(Dice& dice);

}  // namespace bascule::test
