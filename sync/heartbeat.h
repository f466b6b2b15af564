// SPDX-License-Identifier: Apache-2.0
// What a heartbeat says, as a value. Times of a node are its own CLOCK_MONOTONIC in nanoseconds: a
// peer never compares them with its own, it only sends them back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "sync/moment.h"
#include "sync/vip_claim.h"

namespace bascule::sync {

// Of this release; and the least that one who reads its messages has to know.
inline constexpr std::uint32_t protocol_version = 1;
inline constexpr std::uint32_t protocol_needs = 1;

// Sent back to its sender: proof that this one hears it now, and a measure of the round trip.
struct Echo {
    Incarnation incarnation = 0;  // of who is told
    std::uint64_t sequence = 0;   // newest that was heard from it on this path
    std::uint64_t sent = 0;       // its time in that one
    // Nanoseconds between hearing that one and sending this; all ones: it does not know (it slept).
    std::uint64_t held = 0;

    bool operator==(const Echo&) const = default;
};

// What a node says of itself for takeover and for the operator.
struct NodeFacts {
    bool attached = false;  // every interface of the configuration carries the program
    bool links_up = false;  // and has carrier
    bool witness = true;    // one answers, or none is asked for
    bool synced = false;   // its sessions are in step with those of every live peer, or it is alone
    bool leaving = false;  // says good-bye: a planned end
    std::uint64_t config_hash = 0;
    std::uint64_t ring_hash = 0;      // of what chooses backends: equal ones choose alike
    std::uint64_t shared_digest = 0;  // of the shared map
    std::string release;              // "0.1.0"

    bool operator==(const NodeFacts&) const = default;
};

// Heartbeat::path of what goes by the link of a VIP: the same however many paths a node knows of.
inline constexpr std::uint32_t wire_path = 255;

struct Heartbeat {
    std::uint32_t version = protocol_version;
    std::uint32_t needs = protocol_needs;
    std::string node;             // who speaks
    std::string to;               // to whom: a packet that is led astray is nobody else's
    Incarnation incarnation = 0;  // of who speaks
    std::uint32_t path = 0;      // by which it was sent: one led to another path counts for nothing
    std::uint64_t sequence = 0;  // counts from 1 on each path to each peer
    std::uint64_t sent = 0;      // its own time
    WallMilliseconds wall = 0;
    std::vector<Echo> echoes;  // of the peer's incarnations that are heard on this path; at most 2
    bool probe = false;        // to be answered at once
    bool hears = false;        // it holds the peer for alive
    NodeFacts facts;
    std::vector<VipClaim> claims{};  // at most most_vips, each VIP once

    bool operator==(const Heartbeat&) const = default;
};

}  // namespace bascule::sync
