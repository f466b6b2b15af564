// SPDX-License-Identifier: Apache-2.0
// Keeps the session tables of all nodes in step. A pure state machine: what happens here, what
// peers say and time in; frames for peers and writes to the SessionStore out.
//
// Log. What is established, moved, closed, ended or to be refreshed here becomes numbered batches,
// encoded once and kept until every connected peer has acknowledged them, at most `log_bytes`. A
// peer that falls behind what is kept gets a Gap, and a resync instead.
// Resync. Digests of 1,024 partitions by hash of the flow are compared; of those that differ the
// asker lists fingerprints, gets what it lacks and supplies what the answerer lacks. Each side is
// the asker of rounds of its own; frames of it go out only while the log has nothing for the peer.
// In step ("synced" with a peer) is who, since the stream came up, a gap, or a target that has
// become common, has finished a round over all partitions as the asker, and whose peer has as well;
// whose table had room for all that came; and whose peer acknowledges what it is sent.
// Audit. While in step, rounds over some partitions go on for ever, all of them in turn. What such
// a round finds missing and is no longer young is drift: repaired and counted. With two nodes, a
// copy whose owner is in step and does not have it is removed; with more, it stays until it is
// idle. Partitions in which the two sides may have decided otherwise within a second come first.
//
// Bounds: log_bytes; one round at a time as asker and one as answerer for each peer; lists of at
// most most_fingerprints (what of a larger partition is not listed is sent, known or not).
// Thread: the session thread's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sync/fingerprint.h"
#include "sync/messages.h"
#include "sync/session_store.h"

namespace bascule::sync {

struct ReplicaOptions {
    std::string cluster;
    std::string self;
    Incarnation incarnation = 0;
    std::string release;
    std::vector<std::string> peers;  // names; an index into this names a peer below
    RingSecretWords fingerprint_key{};
    std::size_t log_bytes = std::size_t{64} << 20;
    std::size_t batch_records = 4096;            // a batch is full with so many
    Nanoseconds batch_delay{5'000'000};          // and waits no longer than this
    Nanoseconds audit_interval{10'000'000'000};  // between two rounds with a peer
    std::uint32_t audit_partitions = 32;         // in each
    std::uint32_t walk_parts = 64;               // a walk over the table is done in so many steps
};

struct ReplicaPeerView {
    std::string name;
    bool connected = false;
    bool synced = false;            // in step, both ways
    std::string behind;             // why not: "resync: 311 of 1024 partitions"; empty: synced
    std::uint32_t resync_done = 0;  // partitions of the round under way that are in step
    bool resyncing = false;
    std::optional<Nanoseconds> lag;  // of the last acknowledged batch, or the age of the oldest not
                                     // acknowledged, whichever is more; none: nothing was sent yet
    std::uint64_t sent = 0;          // records: deltas
    std::uint64_t received = 0;
    std::uint64_t resync_sent = 0;  // records of repairs and supplies
    std::uint64_t resync_received = 0;
    std::uint64_t resyncs = 0;         // whole rounds begun
    std::uint64_t gaps = 0;            // by us and by the peer
    std::uint64_t audits = 0;          // rounds finished
    std::uint64_t drift = 0;           // sessions that an audit had to bring or take away
    std::uint64_t unknown_target = 0;  // records of services or backends that are not known here
    std::uint64_t no_room = 0;         // records that the table had no place for
    std::uint64_t stale = 0;           // records that were ignored since we knew better
};

class Replica {
public:
    Replica(ReplicaOptions options, SessionStore& store, Moment now);
    ~Replica();
    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;

    // ---- what happens here ----
    // Established, moved, closed (from the data plane's delta logs); `ended` from the sweep, of
    // sessions that are not from_peer. `seen` is by this node's clock.
    void on_local(const SessionRecord& record, Moment now);
    // The delta logs of the data plane have overflowed: every peer resyncs from us.
    void on_lost(Moment now);
    // A whole pass over the table begins: on_swept() is called for its sessions, about every
    // second.
    void on_pass(Moment now);
    // Seen on that pass: each established session that a packet was seen of here (not from_peer).
    // Decides by itself whether its copies need a refresh: each partition has its turn four times
    // in an idle limit, or with every pass if that is less often. Cheap.
    void on_swept(const Flow& flow, const StoredSession& session, Moment now);
    // Services or backends have changed.
    void set_targets(std::vector<TargetId> sorted);

    // ---- peers ----
    Hello hello(std::size_t peer) const;
    // Both have said hello; versions and names are checked by the caller.
    void on_connected(std::size_t peer, const Hello& theirs, Moment now);
    void on_disconnected(std::size_t peer, Moment now);
    // Error: the peer breaks the protocol; to be disconnected with these words.
    Result<void> on_message(std::size_t peer, const StreamMessage& message, Moment now);
    // The next frame for a peer, or none now. Called while its socket takes more.
    Frame next_frame(std::size_t peer, Moment now);
    // Called when there may be something for a peer after next_frame() had nothing.
    void set_wake(std::function<void(std::size_t peer)> wake);

    // ---- time ----
    // Every few milliseconds.
    void on_tick(Moment now);

    // In step with every connected peer, at least one of them; `alone` is the caller's to add.
    bool synced() const;
    std::vector<ReplicaPeerView> view(Moment now) const;
    std::size_t bytes_kept() const;  // of the log

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::sync
