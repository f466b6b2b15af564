// SPDX-License-Identifier: Apache-2.0
// Who is found by a VIP: a deadline for each, after which XDP drops ARP requests and neighbour
// solicitations that ask for it, though the host still has the address; and who else on the link
// says that he has it.
//
// A VIP without an entry is answered as Linux likes. Entries outlive the process, like all maps: a
// daemon that dies stops being found. Thread: set() that of the heartbeats, the rest as said.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace bascule::dataplane {

// Somebody whose ARP or neighbour advertisement claims a VIP, as last seen.
struct VipRivalSeen {
    Address vip;
    Mac mac;
    std::uint32_t ifindex = 0;
    std::uint64_t count = 0;        // frames since the entry was made
    std::uint64_t nanoseconds = 0;  // CLOCK_MONOTONIC of the last
};

class VipGuard {
public:
    // Descriptors of the two maps, which outlive it.
    VipGuard(int guards, int rivals) : guards_(guards), rivals_(rivals) {}

    // Found until then (CLOCK_MONOTONIC); time_point::min(): not at all. `yields`: only until
    // another host announces it. `own`: what this node announces it with, so what comes back of
    // that is no other host's; zeros: not known. One system call; never waits. Fails when the map
    // is full or the VIP is none of keep().
    Result<void> set(const Address& vip, std::chrono::steady_clock::time_point until,
                     bool yields = false, const Mac& own = {}) const;

    // Control thread: these VIPs have entries from now on, new ones as not to be found; all others
    // have none.
    Result<void> keep(std::span<const Address> vips) const;

    // Any thread: what has been claimed since the entry was made.
    std::vector<VipRivalSeen> rivals() const;

private:
    int guards_;
    int rivals_;
};

}  // namespace bascule::dataplane
