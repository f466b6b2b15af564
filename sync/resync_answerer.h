// SPDX-License-Identifier: Apache-2.0
// The answering side of comparing tables with one peer: says which partitions differ, what the
// asker lacks of them and what it lacks itself, and takes what it is then supplied with.
//
// Bounds: `room` entries; lists that wait: one for a partition, twice fingerprints_ahead in all;
// frames of resync_records records.
// Thread: the session thread's.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <vector>

#include "base/result.h"
#include "sync/peer_context.h"
#include "sync/table_index.h"

namespace bascule::sync {

class ResyncAnswerer {
public:
    ResyncAnswerer(PeerContext& peer, std::size_t room);

    // A new stream: the peer's rounds begin anew.
    void begin_stream();
    // What the peer does of a round that is under way does not show that it is in step: it has
    // missed something since.
    void discount() { counts_ = false; }

    // A round of an asker that is not in step goes on.
    bool is_in_whole() const { return state_ != State::idle && joining_; }
    Moment last_progress() const { return progress_; }

    bool has_next(Moment now) const;
    std::optional<StreamMessage> next(Moment now);
    Result<void> on_digests(const Digests& digests, Moment now);
    Result<void> on_listing(const Listing& listing, Moment now);
    Result<void> on_supply(const Supply& supply, Moment now);

private:
    enum class State { idle, walking, walked, serving, collecting };
    struct Job {
        std::uint32_t partition = 0;
        std::vector<std::uint64_t> listed;  // rising
    };
    // What the asker lacks of the first job's partition.
    struct Answer {
        std::vector<TableIndex::Entry> send;
        std::size_t sent = 0;
        std::vector<std::uint64_t> missing;
    };

    void abort();
    void on_walked(Moment now);
    bool is_ready(Moment now) const;
    void collect_more();
    Answer compare(const TableIndex::Part& part, const Job& job) const;
    Repair repair();
    bool is_to_be_sent(const TableIndex::Entry& entry, const SessionRecord& record) const;
    bool is_copy(const Flow& flow) const;
    Result<void> finish();

    PeerContext& peer_;
    TableIndex index_;
    State state_ = State::idle;
    std::uint32_t round_ = 0;
    Seconds32 began_ = 0;  // by this node's clock
    bool joining_ = false;
    bool counts_ = false;  // when it ends, the asker is in step as far as it went
    Digests asked_;
    std::vector<std::uint32_t> differing_;
    std::set<std::uint32_t> unlisted_;  // of those
    std::deque<Job> jobs_;
    std::size_t waiting_ = 0;  // fingerprints in those
    std::optional<Answer> answer_;
    Moment settled_{};  // not before
    Moment progress_{};
};

}  // namespace bascule::sync
