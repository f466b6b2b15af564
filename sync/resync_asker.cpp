// SPDX-License-Identifier: Apache-2.0
#include "sync/resync_asker.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "sync/codec_bounds.h"

namespace bascule::sync {
namespace {

// What the peer ought to hear since we know better. Beyond that it hears in a later round.
constexpr std::size_t most_stale = 65'536;

}  // namespace

ResyncAsker::ResyncAsker(PeerContext& peer, std::size_t room)
    : peer_(peer), index_(peer.walk, peer.common, room, false, [this](Moment now) {
          state_ = State::walked;
          progress_ = now;
      }) {}

void ResyncAsker::begin_whole(Moment now) {
    abort();
    whole_ = true;
    from_ = 0;
    done_ = 0;
    ++peer_.counters.resyncs;
    refused_before_ = peer_.counters.no_room;
    collect(now);
}

void ResyncAsker::begin_audit(std::vector<std::uint32_t> which, Moment now) {
    abort();
    whole_ = false;
    done_ = 0;
    which_ = std::move(which);
    collect(now);
}

void ResyncAsker::abort() {
    if (state_ != State::idle) ++round_;
    index_.clear();
    differing_.clear();
    open_.clear();
    due_.clear();
    listed_ = ahead_ = 0;
    state_ = State::idle;
}

void ResyncAsker::collect(Moment now) {
    ++round_;
    if (whole_) {
        which_.resize(partitions - from_);
        std::iota(which_.begin(), which_.end(), from_);
    }
    began_ = peer_.store.now();
    progress_ = now;
    state_ = State::walking;
    index_.collect(which_);
}

bool ResyncAsker::has_next() const {
    if (state_ == State::walked) return true;
    if (state_ != State::listing) return false;
    return can_list() || !due_.empty() || open_.empty();
}

std::optional<StreamMessage> ResyncAsker::next(Moment now) {
    if (!has_next()) return std::nullopt;
    progress_ = now;
    if (state_ == State::walked) {
        state_ = State::awaiting;
        return digests();
    }
    if (std::optional<Supply> records = supply()) return std::move(*records);
    if (can_list()) return list();
    if (!open_.empty() || !due_.empty()) return std::nullopt;
    return finish(now);
}

Digests ResyncAsker::digests() {
    asked_ = index_.covered();
    theirs_done_ = peer_.theirs_done;
    Digests digests;
    digests.round = round_;
    digests.joining = whole_;
    digests.common = peer_.common.hash();
    for (std::size_t i = 0; i < asked_; ++i) {
        const TableIndex::Part& part = index_.parts()[i];
        if (asked_ < partitions) digests.which.push_back(part.partition);
        digests.digests.push_back(part.digest);
        digests.counts.push_back(part.count);
    }
    return digests;
}

Result<void> ResyncAsker::on_differing(const Differing& differing, Moment now) {
    if (differing.round < round_) return {};
    if (differing.round > round_ || state_ != State::awaiting)
        return failure(
            fmt::format("partitions differ in round {}, which was not begun", differing.round));
    for (const std::uint32_t each : differing.which) {
        if (!std::binary_search(which_.begin(), which_.begin() + static_cast<long>(asked_), each))
            return failure(fmt::format("partition {} was not asked for", each));
    }
    if (differing.in_step && !peer_.cursor.in_gap()) peer_.theirs_done = true;
    differing_ = differing.which;
    done_ += static_cast<std::uint32_t>(asked_ - differing_.size());
    for (std::size_t i = 0, next = 0; i < asked_; ++i) {
        if (next < differing_.size() && differing_[next] == which_[i])
            ++next;
        else
            index_.drop(which_[i]);
    }
    state_ = State::listing;
    progress_ = now;
    return {};
}

Listing ResyncAsker::list() {
    Listing listing;
    listing.round = round_;
    listing.partition = differing_[listed_++];
    const TableIndex::Part& part = *index_.find(listing.partition);
    const std::size_t count = std::min(part.sessions.size(), most_fingerprints);
    listing.fingerprints.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
        listing.fingerprints.push_back(part.sessions[i].fingerprint);
    open_.push_back({listing.partition, 0, count, {}});
    ahead_ += count;
    return listing;
}

Result<void> ResyncAsker::on_repair(const Repair& repair, Moment now) {
    if (repair.round < round_) return {};
    const auto open = std::find_if(open_.begin(), open_.end(), [&](const Listed& each) {
        return each.partition == repair.partition;
    });
    if (repair.round > round_ || open == open_.end())
        return failure(fmt::format("a repair of partition {} in round {}, which was not listed",
                                   repair.partition, repair.round));
    open->missing += repair.missing.size();
    if (open->missing > open->of)
        return failure(fmt::format("partition {}: {} are missing of {}", repair.partition,
                                   open->missing, open->of));
    progress_ = now;
    peer_.offset.sample(peer_.store.now(), repair.now, now);
    peer_.counters.resync_received += repair.records.size();
    for (const SessionRecord& each : repair.records)
        apply(each, *open);
    const TableIndex::Part& part = *index_.find(repair.partition);
    for (const std::uint64_t each : repair.missing)
        on_missing(each, part, *open);
    if (repair.last) {
        index_.drop(repair.partition);
        ahead_ -= open->of;
        open_.erase(open);
        ++done_;
    }
    return {};
}

void ResyncAsker::apply(const SessionRecord& told, Listed& listed) {
    SessionRecord record = told;
    record.seen = peer_.offset.to_own(told.seen);
    if (peer_.is_ours(record) && !peer_.store.find(record.flow)) return tell_over(record);
    const bool may_be_over = peer_.may_be_ours(record) && !peer_.store.find(record.flow);
    const Applied applied = apply_record(peer_.store, record, peer_.counters);
    if (applied.changed && !whole_) ++peer_.counters.drift;
    if (applied.changed && (applied.disputed || may_be_over)) peer_.dispute(record.flow, progress_);
    // It has this flow, so that ours is not over even if it does not have it as it is here.
    if (!applied.changed && listed.held.size() < listed.of) listed.held.insert(record.flow);
    if (applied.stale && due_.size() < most_stale) due_.push_back({record.flow, 0, {}});
}

// It is over here, and the peer would find out only when it asks itself.
void ResyncAsker::tell_over(const SessionRecord& record) {
    const bool young = static_cast<std::int32_t>(peer_.store.now() - record.seen) <= 1;
    if (young || due_.size() >= most_stale) return;
    due_.push_back({record.flow, 0, record});
    due_.back().over->kind = SessionRecord::Kind::ended;
}

void ResyncAsker::on_missing(std::uint64_t fingerprint, const TableIndex::Part& part,
                             const Listed& listed) {
    const auto entry = std::lower_bound(part.sessions.begin(), part.sessions.end(),
                                        TableIndex::Entry{fingerprint, {}});
    if (entry == part.sessions.end() || entry->fingerprint != fingerprint) return;
    const std::optional<StoredSession> session = peer_.store.find(entry->flow);
    if (!session || session->state != StoredSession::State::established) return;
    // It has become another since; the log says what, or this very repair did.
    if (peer_.prints.of(entry->flow, session->target).fingerprint != fingerprint) return;
    if (listed.held.contains(entry->flow) || !is_over(*session)) {
        due_.push_back({entry->flow, fingerprint, {}});
        return;
    }
    peer_.store.erase(entry->flow);
    if (!whole_) ++peer_.counters.drift;
}

// Not what was seen since the round began: it may have begun anew, and the log will say so.
bool ResyncAsker::is_over(const StoredSession& session) const {
    // What the peer has got from us since it had our digests is not in what it compared them with.
    const bool has_all = theirs_done_ && peer_.theirs_done;
    return peer_.is_theirs(session, has_all) &&
           static_cast<std::int32_t>(began_ - session.seen) > 1;
}

// By the table as it is now: the log, which was sent up to here, says the same or less.
std::optional<Supply> ResyncAsker::supply() {
    if (due_.empty()) return std::nullopt;
    Supply supply{round_, false, peer_.store.now(), {}};
    for (std::size_t looked = 0; !due_.empty() && looked < resync_records; ++looked) {
        const Due due = due_.front();
        due_.pop_front();
        if (const std::optional<SessionRecord> record = answer_to(due))
            supply.records.push_back(*record);
    }
    if (supply.records.empty()) return std::nullopt;
    peer_.counters.resync_sent += supply.records.size();
    return supply;
}

std::optional<SessionRecord> ResyncAsker::answer_to(const Due& due) const {
    std::optional<SessionRecord> record = describe(peer_.store, due.flow);
    if (!record) return due.over;
    if (due.over) return std::nullopt;  // it has begun anew since; the log says so
    if (!peer_.common.contains(record->target)) {
        // The peer cannot store it, and holds to what is older: it has to hear that this is wrong,
        // since digests do not show what we have.
        if (due.fingerprint != 0 || record->target == 0) return std::nullopt;
        if (record->kind == SessionRecord::Kind::established)
            record->kind = SessionRecord::Kind::refreshed;
        return record;
    }
    const bool changed = due.fingerprint != 0 &&
                         peer_.prints.of(due.flow, record->target).fingerprint != due.fingerprint;
    // What an audit listed is old; what it has become since is in the log.
    if (changed && !whole_) return std::nullopt;
    return record;
}

// What had no room here is not in step, whoever's fault it is; so the peer is not told that it
// were.
std::optional<StreamMessage> ResyncAsker::finish(Moment now) {
    const Supply last{round_, true, peer_.store.now(), {}};
    const auto through = static_cast<std::uint32_t>(from_ + asked_);
    abort();
    if (!whole_) {
        ++peer_.counters.audits;
    } else if (through < partitions) {
        from_ = through;
        collect(now);
    } else if (peer_.counters.no_room != refused_before_) {
        return std::nullopt;
    } else {
        peer_.mine_done = true;
    }
    return last;
}

}  // namespace bascule::sync
