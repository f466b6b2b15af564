// SPDX-License-Identifier: Apache-2.0
// Which free slot is given away next: the one whose turn is longest ago, as far as that can be told
// without a clock.
#pragma once

#include <cstdint>
#include <deque>
#include <map>

#include "bpf/contract.h"
#include "model/tables.h"

namespace bascule::model {

inline constexpr std::uint16_t backend_slots = BSC_MAX_BACKENDS - 1;  // 1 ..

// The free backend slots in the order in which they are given away.
class FreeBackendSlots {
public:
    // The first `needed` of them; there are as many.
    FreeBackendSlots(const Tables& before, const Tables& now, std::size_t needed);

    struct Grant {
        std::uint16_t slot;
        std::uint8_t generation;
    };
    // At most as often as was said to be needed.
    Grant take();

private:
    struct Candidate {
        bool freed_by_this_plan;
        int wear;
        std::uint16_t slot;
        std::uint8_t generation;

        auto operator<=>(const Candidate&) const = default;
    };

    std::deque<Candidate> candidates_;
};

// A free number from `first`, `count` in all: the next one above the highest that stood before, so
// that a number rests before it names something else; one freed by this plan only for want of
// others.
template <typename Value>
std::uint16_t free_number(const std::map<std::uint16_t, Value>& before,
                          const std::map<std::uint16_t, Value>& now, std::uint16_t first,
                          std::uint16_t count) {
    const unsigned start = before.empty() ? 0 : before.rbegin()->first - first + 1U;
    const auto number = [&](unsigned i) {
        return static_cast<std::uint16_t>(first + (start + i) % count);
    };
    for (unsigned i = 0; i < count; ++i)
        if (!now.contains(number(i)) && !before.contains(number(i))) return number(i);
    for (unsigned i = 0; i < count; ++i)
        if (!now.contains(number(i))) return number(i);
    return first;  // not reached: limits are checked before any number is given
}

}  // namespace bascule::model
