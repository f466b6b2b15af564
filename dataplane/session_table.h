// SPDX-License-Identifier: Apache-2.0
// The session tables as user space sees them: the same memory that XDP reads and writes, through a
// mapping, under the same rules (bpf/session_table.h). Both families behind one door.
//
// Thread: all members may be called from any thread at any time; the memory is lock-free. (The
// daemon's session thread sweeps; the control thread only reads.)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/address.h"
#include "bpf/contract.h"

namespace bascule::dataplane {

// Five-tuple without the VIP and the protocol, which the service slot stands for.
struct SessionKey {
    Address source;
    std::uint16_t source_port = 0;       // host order
    std::uint16_t destination_port = 0;  // host order
    std::uint16_t service = 0;           // slot

    auto operator<=>(const SessionKey&) const = default;
};

struct Session {
    SessionKey key;
    bsc_state state = BSC_FREE;
    bool from_peer = false;     // brought by a peer, and no packet of it was seen here since
    std::uint16_t backend = 0;  // slot
    std::uint8_t generation = 0;
    std::uint32_t idle = 0;  // seconds since it was last seen (embryonic: the last SYN)

    bool operator==(const Session&) const = default;
};

// Idle limits by service slot, as the sweep needs them. A slot that is not in use ends its
// sessions.
struct IdleLimits {
    bool in_use = false;
    std::uint32_t embryonic = 0;
    std::uint32_t established = 0;
    std::uint32_t closing = 0;
};

struct SweepReport {
    std::uint64_t by_state[BSC_ESTABLISHED + 1] = {};  // live ways after the sweep
    std::uint64_t by_family[2] = {};                   // of these: IPv4, IPv6
    std::uint64_t from_peer = 0;
    std::map<std::uint16_t, std::uint64_t> by_backend;  // established and closing, by slot
    std::uint64_t expired = 0;                          // ways freed for idleness
    std::uint64_t ended = 0;       // of those, established ones seen here: their end is announced
    std::uint64_t duplicates = 0;  // copies of one key that were removed
    std::uint64_t abandoned = 0;   // claims whose writer died, freed
};

// Whom a sweep tells what it meets. Both are about established sessions that packets were seen of
// here: a copy from a peer is the peer's to speak of.
struct SweepEvents {
    std::function<void(const Session&)> on_end;        // ended by idleness: the only word of it
    std::function<void(const Session&)> on_seen_here;  // goes on; empty: nobody asks
};

class SessionTable {
public:
    // Memory of both tables as mapped; `pages` are 4096-byte pages. `table_key` keys placement.
    // `services`: BSC_MAX_SERVICES entries as mapped, by whose limits put() tells expired sessions
    // when it chooses a victim, as XDP does; without it none counts as expired there.
    struct Memory {
        __u64* sets4 = nullptr;
        std::uint32_t pages4 = 0;
        __u64* sets6 = nullptr;
        std::uint32_t pages6 = 0;
        std::uint64_t table_key[2] = {};
        const bsc_service* services = nullptr;
    };
    // `clock`: the data plane's seconds (not wall time), as the XDP program reads them.
    SessionTable(Memory memory, std::function<std::uint32_t()> clock);

    // Sessions that fit: half of the ways of each family.
    std::uint64_t capacity_v4() const;
    std::uint64_t capacity_v6() const;

    std::optional<Session> find(const SessionKey& key) const;

    // Inserts or overwrites a session; victims are chosen as in the data plane, but an established
    // newcomer may take the oldest established way (counted by the caller through `displaced`,
    // which is set when a session that was not expired made room), unless it is a peer's: no copy
    // is worth a session that lives here.
    // False when all races for a way were lost, or nothing could be taken.
    bool put(const Session& session, std::optional<Session>* displaced = nullptr);
    bool erase(const SessionKey& key);

    // One pass over a part of the table: `part` of `parts`. Frees expired ways, removes duplicates,
    // frees claims whose writer died.
    void sweep(std::uint32_t part, std::uint32_t parts, std::span<const IdleLimits> limits,
               const SweepEvents& events, SweepReport& report);

    // Visits live sessions until `visit` returns false. A session that changes meanwhile is seen
    // as it was at one moment, or not at all; never as a mixture.
    void for_each(const std::function<bool(const Session&)>& visit) const;
    // The same for established and closing sessions of one part: all parts together see every one
    // that is there all the while.
    void walk(std::uint32_t part, std::uint32_t parts,
              const std::function<void(const Session&)>& visit) const;

private:
    Memory memory_;
    std::function<std::uint32_t()> clock_;
};

}  // namespace bascule::dataplane
