// SPDX-License-Identifier: Apache-2.0
// The asking side of comparing tables with one peer: digests of partitions go out, fingerprints of
// those that differ, and what the peer then turns out to lack; what this node lacks comes in.
//
// The list of a partition is always older than what the answerer compares it with (it walks its
// table when it has the digests). So what the answerer misses of it, it does not have; and a copy
// that its owner does not have is over.
//
// Bounds: `room` entries; no list goes out while fingerprints_ahead are without an answer. (Not a
// number of lists: over a long way, small ones would each wait for their turn.)
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

inline constexpr std::size_t fingerprints_ahead = 65'536;

class ResyncAsker {
public:
    ResyncAsker(PeerContext& peer, std::size_t room);

    // A round over all partitions; over these alone, which rise.
    void begin_whole(Moment now);
    void begin_audit(std::vector<std::uint32_t> which, Moment now);
    // Whatever was under way; what the peer still says of it is ignored.
    void abort();

    bool is_busy() const { return state_ != State::idle; }
    bool is_whole() const { return is_busy() && whole_; }
    // Records that had no room in the table before the last whole round.
    std::uint64_t refused_before() const { return refused_before_; }
    // Partitions of the round that are in step.
    std::uint32_t done() const { return done_; }
    Moment last_progress() const { return progress_; }

    bool has_next() const;
    std::optional<StreamMessage> next(Moment now);
    Result<void> on_differing(const Differing& differing, Moment now);
    Result<void> on_repair(const Repair& repair, Moment now);

private:
    enum class State { idle, walking, walked, awaiting, listing };
    // To be supplied: what is in the table when it is sent.
    struct Due {
        Flow flow;
        std::uint64_t fingerprint = 0;      // 0: whatever it is by now
        std::optional<SessionRecord> over;  // what to say if it is nothing
    };
    // Listed, and not answered yet.
    struct Listed {
        std::uint32_t partition = 0;
        std::size_t missing = 0;  // so many it has said
        std::size_t of = 0;       // at most
        std::set<Flow> held;      // it has them otherwise, and we hold to ours
    };

    void collect(Moment now);
    bool can_list() const { return listed_ < differing_.size() && ahead_ < fingerprints_ahead; }
    Digests digests();
    Listing list();
    std::optional<Supply> supply();
    // Nullopt: there is nothing to say.
    std::optional<SessionRecord> answer_to(const Due& due) const;
    std::optional<StreamMessage> finish(Moment now);
    void apply(const SessionRecord& told, Listed& listed);
    void on_missing(std::uint64_t fingerprint, const TableIndex::Part& part, const Listed& listed);
    void tell_over(const SessionRecord& record);
    bool is_over(const StoredSession& session) const;

    PeerContext& peer_;
    TableIndex index_;
    State state_ = State::idle;
    bool whole_ = false;
    std::uint32_t round_ = 0;
    std::uint32_t from_ = 0;            // first partition of this stretch of a whole round
    std::vector<std::uint32_t> which_;  // asked for
    bool theirs_done_ = false;          // the peer's, when the digests were made
    std::size_t asked_ = 0;             // so many of them: the index had room for no more
    Seconds32 began_ = 0;               // by this node's clock
    std::vector<std::uint32_t> differing_;
    std::size_t listed_ = 0;  // of those
    std::vector<Listed> open_;
    std::size_t ahead_ = 0;  // fingerprints in those
    std::deque<Due> due_;
    std::uint32_t done_ = 0;
    std::uint64_t refused_before_ = 0;
    Moment progress_{};
};

}  // namespace bascule::sync
