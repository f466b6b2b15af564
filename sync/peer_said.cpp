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

std::vector<VipClaim> only_what_it_has(const std::vector<VipClaim>& claims) {
    std::vector<VipClaim> had;
    for (const VipClaim& claim : claims)
        if (has_it(claim.role)) had.push_back({.vip = claim.vip, .role = VipRole::holding});
    return had;
}

void PeerSaid::hear(const Heartbeat& heartbeat, std::uint32_t version_here, Nanoseconds delayed,
                    Nanoseconds way, Moment now, WallMilliseconds wall) {
    if (heartbeat.sent < sent) return;
    sent = heartbeat.sent;
    at = now - std::max(delayed, Nanoseconds(0));
    hears_us = heartbeat.hears;
    version = heartbeat.version;
    incompatible = heartbeat.needs > version_here;
    facts = heartbeat.facts;
    claims = heartbeat.claims;
    if (incompatible) {
        // What it says may mean something else by now; that it lives, whether it hears this node,
        // which release it is, and which VIPs it has does not.
        facts = {};
        facts.release = heartbeat.facts.release;
        claims = only_what_it_has(heartbeat.claims);
    }
    wall_skew = skew(heartbeat.wall, wall) + way;
}

}  // namespace bascule::sync
