// SPDX-License-Identifier: Apache-2.0
#include "sync/peer_said.h"

#include <algorithm>

namespace bascule::sync {
namespace {

using std::chrono::milliseconds;

// Two values off the wire and the clock: any difference, without overflow.
Nanoseconds skew(WallMilliseconds theirs, WallMilliseconds ours) {
    constexpr std::int64_t most = milliseconds(std::chrono::hours(24 * 365 * 100)).count();
    const auto ahead = static_cast<std::int64_t>(theirs - ours);
    return milliseconds(std::clamp(ahead, -most, most));
}

}  // namespace

void PeerSaid::hear(const Heartbeat& heartbeat, Nanoseconds delayed, Nanoseconds way, Moment now,
                    WallMilliseconds wall) {
    if (heartbeat.sent < sent) return;
    sent = heartbeat.sent;
    at = now - std::max(delayed, Nanoseconds(0));
    hears_us = heartbeat.hears;
    version = heartbeat.version;
    incompatible = heartbeat.needs > protocol_version;
    facts = heartbeat.facts;
    claims = heartbeat.claims;
    if (incompatible) {
        // What it says may mean something else by now; that it lives, and which release, does not.
        facts = {};
        facts.release = heartbeat.facts.release;
        claims.clear();
    }
    wall_skew = skew(heartbeat.wall, wall) + way;
}

}  // namespace bascule::sync
