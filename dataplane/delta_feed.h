// SPDX-License-Identifier: Apache-2.0
// Reads the per-CPU delta logs that XDP writes: no lock, no system call.
//
// Thread: the session thread alone; it is the one consumer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "bpf/contract.h"

namespace bascule::dataplane {

class DeltaFeed {
public:
    // `logs`: one per possible CPU, as mapped.
    explicit DeltaFeed(std::span<bsc_delta_log> logs);

    // Hands over what has come since the last call, at most `limit` entries, in order for each
    // CPU. Returns how many. `consume` must not throw.
    std::size_t drain(std::size_t limit, const std::function<void(const bsc_delta&)>& consume);

    std::uint64_t consumed() const { return consumed_; }
    // Announcements that found a log full, over all CPUs.
    std::uint64_t lost() const;

private:
    std::span<bsc_delta_log> logs_;
    std::uint64_t consumed_ = 0;
    std::size_t first_ = 0;  // the CPU whose turn it is to be read first
};

}  // namespace bascule::dataplane
