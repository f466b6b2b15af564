// SPDX-License-Identifier: Apache-2.0
// Which of the newest sequence numbers were seen: keeps replays out, and tells how many are lost.
// Numbers compare modulo 2^64, so that a sender which wraps around goes on. Pure; any thread.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>

namespace bascule::sync {

class SequenceWindow {
public:
    static constexpr std::size_t size = 256;

    // True: new, and remembered from now on. False: seen before, or too old to tell. Whatever is
    // older than the first number counts as seen.
    bool take(std::uint64_t sequence);
    // 0..1: lost of the last `size` that should have come, of which `overdue` are behind the
    // newest.
    double loss(std::uint64_t overdue) const;

private:
    std::bitset<size> seen_;  // bit n: newest_ - n
    std::uint64_t newest_ = 0;
    std::size_t span_ = 0;  // numbers from the first to the newest, at most `size`; 0: none yet
};

}  // namespace bascule::sync
