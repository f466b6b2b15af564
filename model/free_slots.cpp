// SPDX-License-Identifier: Apache-2.0
#include "model/free_slots.h"

#include <algorithm>
#include <bitset>
#include <vector>

namespace bascule::model {
namespace {

std::uint8_t next_generation(std::uint8_t generation) {
    return generation == 255 ? 1 : static_cast<std::uint8_t>(generation + 1);
}

// Generations go round, so "oldest" is the one after the widest stretch that no slot has.
std::uint8_t oldest_generation(const Tables& now, const Tables& before) {
    std::bitset<256> seen;
    for (const auto& [slot, generation] : now.retired_generations)
        if (!before.backends.contains(slot)) seen.set(generation);
    seen.reset(0);
    std::uint8_t oldest = 1;
    int widest = -1;
    int gap = 0;
    // Twice around, so that a stretch across the end is counted whole.
    for (int step = 1; step < 512; ++step) {
        const auto generation = static_cast<std::uint8_t>(step % 256);
        if (!seen[generation]) {
            ++gap;
            continue;
        }
        if (gap > widest && step >= 256) {
            widest = gap;
            oldest = generation;
        }
        gap = 0;
    }
    return oldest;
}

}  // namespace

FreeBackendSlots::FreeBackendSlots(const Tables& before, const Tables& now, std::size_t needed) {
    if (needed == 0) return;
    const std::uint8_t oldest = oldest_generation(now, before);
    std::vector<Candidate> found;
    for (std::uint16_t slot = 1; slot <= backend_slots; ++slot) {
        if (now.backends.contains(slot)) continue;
        const auto retired = now.retired_generations.find(slot);
        const std::uint8_t last =
            retired == now.retired_generations.end() ? std::uint8_t{0} : retired->second;
        const int wear = last == 0 ? 0 : 1 + static_cast<std::uint8_t>(last - oldest);
        found.push_back({before.backends.contains(slot), wear, slot, next_generation(last)});
    }
    const auto end = found.begin() + static_cast<std::ptrdiff_t>(needed);
    std::partial_sort(found.begin(), end, found.end());
    candidates_.assign(found.begin(), end);
}

FreeBackendSlots::Grant FreeBackendSlots::take() {
    const Candidate first = candidates_.front();
    candidates_.pop_front();
    return {first.slot, first.generation};
}

}  // namespace bascule::model
