// SPDX-License-Identifier: Apache-2.0
// plan: the difference between what stands in the tables and what is wanted, as ordered writes.
//
// Pure. The order is the safety: whatever a packet may follow is in place before the word that
// leads to it, and is taken away only after that word is gone. Every prefix of the list leaves
// tables that send no packet to a stranger.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/ring_memo.h"
#include "model/tables.h"

namespace bascule::model {

// Also for one that stands already, when it is held or no longer held by this node.
struct SetVip {
    std::uint16_t id;
    TableVip vip;
    bool operator==(const SetVip&) const = default;
};
struct RemoveVip {
    std::uint16_t id;
    Address address;
    bool operator==(const RemoveVip&) const = default;
};
// Fills the service's entry (limits, flags, identity); not yet reachable by packets. Its counters
// are zeroed first when `fresh`.
struct SetService {
    std::uint16_t slot;
    TableService service;
    bool fresh;
    bool operator==(const SetService&) const = default;
};
// Makes packets of the key find the slot.
struct PublishService {
    std::uint16_t slot;
    ServiceKey key;
    bool operator==(const PublishService&) const = default;
};
struct WithdrawService {
    std::uint16_t slot;
    ServiceKey key;
    bool operator==(const WithdrawService&) const = default;
};
struct ClearService {
    std::uint16_t slot;
    bool operator==(const ClearService&) const = default;
};
// Counters are zeroed first when `fresh`.
struct SetBackend {
    std::uint16_t slot;
    TableBackend backend;
    bool fresh;
    bool operator==(const SetBackend&) const = default;
};
// Frees the slot and leaves `generation` in it.
struct ClearBackend {
    std::uint16_t slot;
    std::uint8_t generation;
    bool operator==(const ClearBackend&) const = default;
};
// Swaps the whole ring at once; an empty ring takes it away.
struct SetRing {
    std::uint16_t service;
    Ring ring;
    bool operator==(const SetRing&) const = default;
};

using Write = std::variant<SetVip, RemoveVip, SetService, PublishService, WithdrawService,
                           ClearService, SetBackend, ClearBackend, SetRing>;

struct Plan {
    std::vector<Write> writes;
    Tables after;
};

// What a write leaves in the tables.
void record(Tables& tables, const Write& write);

// Fails only when a limit of the contract is exceeded (services, backends, VIPs), naming it.
//
// A backend slot that is freed is used again only with the next generation, and the slot whose
// turn is longest ago is taken first: those that never served, then, for want of a clock, the
// least worn ones (by generation, in circular order), and last those that this very plan frees.
// Generations run 1..255 and then from 1 again: 0 stands in a slot that never served.
//
// A backend with weight 0, not up, or without a next hop is not in its service's ring, and a backup
// is only when no other backend is. Of services or backends wanted twice the first counts. A
// service's VIP counts as wanted. A service that goes is withdrawn first, but after a new one that
// has some of its ports, where there is room for both.
Result<Plan> plan(const Tables& now, const Desired& want);
// The same plan; `memo`, kept from one plan to the next, spares the rings that do not change.
Result<Plan> plan(const Tables& now, const Desired& want, RingMemo& memo);

}  // namespace bascule::model
