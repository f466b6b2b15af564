// SPDX-License-Identifier: Apache-2.0
// What a peer's record becomes in the table here, counted; and what the table here says of a flow
// as a record. Thread: the session thread's.
#pragma once

#include <cstdint>
#include <optional>

#include "sync/common_targets.h"
#include "sync/merge.h"
#include "sync/session_store.h"

namespace bascule::sync {

// Of one peer, since the start.
struct PeerCounters {
    std::uint64_t received = 0;
    std::uint64_t resync_sent = 0;
    std::uint64_t resync_received = 0;
    std::uint64_t resyncs = 0;
    std::uint64_t gaps_heard = 0;
    std::uint64_t audits = 0;
    std::uint64_t drift = 0;
    std::uint64_t unknown_target = 0;
    std::uint64_t no_room = 0;
    std::uint64_t stale = 0;
};

struct Applied {
    bool changed = false;   // the table
    bool stale = false;     // we know better
    bool disputed = false;  // of two of about the same second one has won
};

// `record.seen` is by this node's clock.
Applied apply_record(SessionStore& store, const SessionRecord& record, PeerCounters& counters);

// Over sessions at one of `targets`, of which the asker was told: so not over what was seen here
// since the second, by this node's clock, in which its round began, nor over what is closing here
// where it has another target.
struct HeadStart {
    Seconds32 seconds = 0;
    Seconds32 began = 0;
    const CommonTargets& targets;
};
// Of an asker that holds to what it has.
Applied apply_decided(SessionStore& store, const SessionRecord& record, PeerCounters& counters,
                      const HeadStart& head_start);

// What this node would say of a flow now: `established` when packets were seen here, `copy` when a
// peer brought it, `closed`; nullopt: nothing.
std::optional<SessionRecord> describe(const SessionStore& store, const Flow& flow);

}  // namespace bascule::sync
