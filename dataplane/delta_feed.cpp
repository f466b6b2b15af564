// SPDX-License-Identifier: Apache-2.0
#include "dataplane/delta_feed.h"

#include <algorithm>

#include "bpf/atomics.h"

namespace bascule::dataplane {

DeltaFeed::DeltaFeed(std::span<bsc_delta_log> logs) : logs_(logs) {}

std::size_t DeltaFeed::drain(std::size_t limit,
                             const std::function<void(const bsc_delta&)>& consume) {
    std::size_t taken = 0;
    for (std::size_t i = 0; i < logs_.size() && taken < limit; i++) {
        // Each call starts one CPU further, so that a busy one cannot starve the others.
        bsc_delta_log& log = logs_[(first_ + i) % logs_.size()];
        const std::uint64_t head = bsc_load(&log.head);
        std::uint64_t tail = bsc_load(&log.tail);
        // A producer never runs further ahead than the log is long. If the indexes say so, the
        // memory was damaged: start again where the producer is, rather than read old entries.
        if (head - tail > BSC_DELTA_LOG_ENTRIES) {
            bsc_store(&log.tail, head);
            continue;
        }
        while (tail != head && taken < limit) {
            // A copy: the entry belongs to the producer again once the tail has passed it.
            const bsc_delta delta = log.entry[tail % BSC_DELTA_LOG_ENTRIES];
            bsc_store(&log.tail, ++tail);
            consume(delta);
            taken++;
        }
    }
    if (!logs_.empty()) first_ = (first_ + 1) % logs_.size();
    consumed_ += taken;
    return taken;
}

std::uint64_t DeltaFeed::lost() const {
    std::uint64_t total = 0;
    for (const bsc_delta_log& log : logs_)
        total += bsc_load(&log.lost);
    return total;
}

}  // namespace bascule::dataplane
