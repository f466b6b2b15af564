// SPDX-License-Identifier: Apache-2.0
// What a peer says of itself, by its newest heartbeat. Pure; no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sync/heartbeat.h"
#include "sync/moment.h"

namespace bascule::sync {

// Of what a release says that is not understood here (more than one lies between) this means the
// same in all: which VIPs it has. The rest of a claim is left out.
std::vector<VipClaim> only_what_it_has(const std::vector<VipClaim>& claims);

struct PeerSaid {
    std::uint64_t sent = 0;  // by its clock
    bool hears_us = false;
    bool incompatible = false;  // it needs a newer release than this one
    std::uint32_t version = 0;
    NodeFacts facts{};
    std::vector<VipClaim> claims{};
    Moment at{};  // when it said so, by our clock, or somewhat earlier
    std::optional<Nanoseconds> wall_skew{};

    // Nothing when it is older than what is known. `delayed`: how long it was under way or waited,
    // as far as that is known; `way`: how long it takes at least.
    // `version_here`: what this node understands.
    void hear(const Heartbeat& heartbeat, std::uint32_t version_here, Nanoseconds delayed,
              Nanoseconds way, Moment now, WallMilliseconds wall);
    // Another incarnation counts from now on: its clock begins anew.
    void begin() {
        sent = 0;
        wall_skew.reset();
    }
};

}  // namespace bascule::sync
