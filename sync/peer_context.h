// SPDX-License-Identifier: Apache-2.0
// What all parts of the replication with one peer look at. Thread: the session thread's.
#pragma once

#include <bitset>

#include "sync/clock_offset.h"
#include "sync/common_targets.h"
#include "sync/log_cursor.h"
#include "sync/record_applier.h"
#include "sync/table_walk.h"

namespace bascule::sync {

struct PeerContext {
    PeerContext(SessionStore& its_store, TableWalk& its_walk, const Fingerprinter& its_prints,
                bool is_only_peer, bool does_come_first)
        : store(its_store),
          walk(its_walk),
          prints(its_prints),
          only_peer(is_only_peer),
          comes_first(does_come_first),
          common(its_prints) {}

    SessionStore& store;
    TableWalk& walk;
    const Fingerprinter& prints;
    const bool only_peer;    // a cluster of two nodes
    const bool comes_first;  // its name is less than ours

    CommonTargets common;
    ClockOffset offset;
    LogCursor cursor;
    Seconds32 since = 0;      // when the peer's run began, by its own clock
    Seconds32 own_since = 0;  // and ours, by ours
    PeerCounters counters;

    // Since the stream came up, a gap, or a target that has become common: we have finished a round
    // over all partitions as the asker; and the peer has.
    bool mine_done = false;
    bool theirs_done = false;
    std::bitset<partitions> theirs_covered;

    // Partitions in which the two sides may have decided otherwise, or a copy may be of what is
    // over: to be compared soon.
    std::bitset<partitions> disputed;
    Moment disputed_since{};

    void dispute(const Flow& flow, Moment now) {
        if (disputed.none()) disputed_since = now;
        disputed.set(prints.partition_of(flow));
    }

    bool in_step() const { return mine_done && theirs_done; }

    // Who brought this session would have it: a copy whose owner does not have it is over. With
    // more than two nodes nobody knows whose a copy is. What was seen in the peer's present run it
    // has seen itself; what is older it has got from us (`has_all`) when it finished a round.
    bool is_theirs(const StoredSession& session, bool has_all) const {
        if (!only_peer || !session.from_peer) return false;
        return has_all || is_after(session.seen, offset.to_own(since));
    }
    // The other way round: a copy of the peer's, of what this node would have.
    bool is_ours(const SessionRecord& record) const {
        if (!only_peer || record.kind != SessionRecord::Kind::copy) return false;
        return mine_done || is_after(record.seen, own_since);
    }
    // It was seen at about the time when this run began: nobody can tell.
    bool may_be_ours(const SessionRecord& record) const {
        if (!only_peer || record.kind != SessionRecord::Kind::copy) return false;
        return static_cast<std::int32_t>(record.seen - own_since) > -uncertain;
    }

private:
    static constexpr std::int32_t uncertain = 5;  // seconds: two clocks, and the way
    static bool is_after(Seconds32 seen, Seconds32 since) {
        return static_cast<std::int32_t>(seen - since) >= uncertain;
    }
};

// Records in one frame of a resync: some milliseconds of work for who gets it.
inline constexpr std::size_t resync_records = 2048;

}  // namespace bascule::sync
