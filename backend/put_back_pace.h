// SPDX-License-Identifier: Apache-2.0
// When a VIP that somebody else takes off the host may be put back: each at most once a second, so
// that two who do not agree do not keep the host busy. Pure; the caller brings the time.
//
// Single-threaded. Invariant: as many entries as VIPs were asked about.
#pragma once

#include <chrono>
#include <map>
#include <optional>

#include "base/address.h"

namespace bascule::backend {

class PutBackPace {
public:
    using Clock = std::chrono::steady_clock;

    // A new round: who was too early in the one before is asked about again.
    void begin() { due_.reset(); }

    // Whether it may be tried now; if so, that is noted.
    bool may(const Address& vip, Clock::time_point now) {
        const auto [last, is_first] = last_.try_emplace(vip, now);
        if (is_first) return true;
        const auto next = last->second + pause;
        if (now >= next) {
            last->second = now;
            return true;
        }
        if (!due_ || next < *due_) due_ = next;
        return false;
    }

    // Milliseconds until the first that was too early may be tried, rounded up; -1: there is none.
    int due(Clock::time_point now) const {
        if (!due_) return -1;
        if (*due_ <= now) return 0;
        return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(*due_ - now).count());
    }

private:
    static constexpr std::chrono::seconds pause{1};

    std::map<Address, Clock::time_point> last_;
    std::optional<Clock::time_point> due_;
};

}  // namespace bascule::backend
