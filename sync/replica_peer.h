// SPDX-License-Identifier: Apache-2.0
// The replication with one peer: what it was told, what it has said, and the rounds with it. Parts
// of Replica. Thread: the session thread's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sync/delta_log.h"
#include "sync/pace.h"
#include "sync/peer_context.h"
#include "sync/replica.h"
#include "sync/resync_answerer.h"
#include "sync/resync_asker.h"

namespace bascule::sync {

// What all peers share.
struct ReplicaCore {
    ReplicaCore(ReplicaOptions its_options, SessionStore& its_store);

    ReplicaOptions options;
    SessionStore& store;
    Fingerprinter prints;
    TableWalk walk;
    DeltaLog log;
    Pace pace;  // of records in rounds
    std::vector<TargetId> targets;
    Seconds32 began;  // this run
};

class ReplicaPeer {
public:
    ReplicaPeer(ReplicaCore& core, std::string name);

    Hello hello() const;
    void connect(const Hello& theirs, Moment now);
    void disconnect(Moment now);
    Result<void> on_message(const StreamMessage& message, Moment now);
    Frame next_frame(Moment now);
    bool has_next(Moment now) const;

    void set_targets();  // to those of the core
    void lose(Moment now);
    // `wait`: another peer's whole round is under way.
    void tick(Moment now, bool wait);

    bool is_connected() const { return connected_; }
    // The log is kept for it: it is connected, or was a moment ago.
    bool is_expected(Moment now) const;
    std::uint64_t needs() const { return peer_.cursor.needs(); }
    bool in_step() const { return connected_ && !silent_ && peer_.in_step(); }
    // Its whole round as the asker is under way and goes on.
    bool is_asking(Moment now) const;
    ReplicaPeerView view(Moment now) const;

private:
    Result<void> take(const StreamMessage& message, Moment now);
    Result<void> on(const Batch& batch, Moment now);
    Result<void> on(const Gap& gap);
    Result<void> on(const Catalogue& catalogue);
    void answer_stale(const SessionRecord& record, Moment now);
    void acknowledge(std::uint64_t number, std::uint64_t made);
    void fall_out_of_step();
    bool may_begin(Moment now) const;
    std::vector<std::uint32_t> audited();
    bool is_dispute_due(Moment now) const;
    std::vector<std::uint32_t> disputed();
    Frame next_of_rounds(Moment now);
    std::string behind() const;

    ReplicaCore& core_;
    std::string name_;
    PeerContext peer_;
    ResyncAsker asker_;
    ResyncAnswerer answerer_;

    bool connected_ = false;
    Moment changed_{};  // connected or disconnected
    bool was_connected_ = false;
    Incarnation theirs_ = 0;
    std::uint64_t received_ = 0;  // newest batch, of theirs_
    bool gap_counts_ = false;     // a Gap is more than where the log begins
    bool ack_due_ = false;
    Ack ack_;
    bool catalogue_due_ = false;
    bool silent_ = false;  // acknowledges nothing: what it has nobody knows
    bool answers_turn_ = false;
    Moment next_audit_{};
    Moment next_whole_{};        // not before, when the last one found no room here
    std::uint64_t refused_ = 0;  // records that had no room, as far as they were noticed
    std::uint64_t audit_ = 0;
    Moment next_dispute_{};
};

}  // namespace bascule::sync
