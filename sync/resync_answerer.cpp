// SPDX-License-Identifier: Apache-2.0
#include "sync/resync_answerer.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "sync/resync_asker.h"

namespace bascule::sync {
namespace {

// An audit lets the log bring what is only young: what it has not brought after so long is drift.
constexpr std::chrono::milliseconds settling{500};
// An asker whose name is less, that was told what is here and holds to what it has, wins by so many
// seconds: the two sides cannot both hold to theirs. More than all that clocks make uncertain. Not
// over what was seen here since its round began: a supply may come seconds after the flow went on
// here, and would send it back to where it was. Another round decides, if one has to.
constexpr Seconds32 asker_head_start = 8;

}  // namespace

ResyncAnswerer::ResyncAnswerer(PeerContext& peer, std::size_t room)
    : peer_(peer),
      index_(peer.walk, peer.common, room, true, [this](Moment now) { on_walked(now); }) {}

void ResyncAnswerer::begin_stream() {
    abort();
    round_ = 0;
}

void ResyncAnswerer::abort() {
    index_.clear();
    differing_.clear();
    unlisted_.clear();
    jobs_.clear();
    waiting_ = 0;
    answer_.reset();
    state_ = State::idle;
}

Result<void> ResyncAnswerer::on_digests(const Digests& digests, Moment now) {
    if (digests.round <= round_)
        return failure(fmt::format("round {} begins after round {}", digests.round, round_));
    if (!peer_.common.known()) return failure("digests before a catalogue");
    abort();
    round_ = digests.round;
    began_ = peer_.store.now();
    joining_ = digests.joining;
    counts_ = digests.common == peer_.common.hash() && !peer_.cursor.in_gap();
    peer_.theirs_done = !joining_ && (counts_ || peer_.theirs_done);
    asked_ = digests;
    if (asked_.which.empty()) {
        asked_.which.resize(partitions);
        std::iota(asked_.which.begin(), asked_.which.end(), 0);
    }
    state_ = State::walking;
    progress_ = now;
    index_.collect(asked_.which);
    return {};
}

void ResyncAnswerer::on_walked(Moment now) {
    progress_ = now;
    if (state_ == State::collecting) {
        state_ = State::serving;
        return;
    }
    state_ = State::walked;
    if (!joining_) settled_ = now + settling;
    for (std::size_t i = 0; i < asked_.which.size(); ++i) {
        const TableIndex::Part& part = index_.parts()[i];
        if (part.digest != asked_.digests[i] || part.count != asked_.counts[i])
            differing_.push_back(part.partition);
        else
            index_.drop(part.partition);
    }
    unlisted_ = {differing_.begin(), differing_.end()};
}

bool ResyncAnswerer::is_ready(Moment now) const {
    return state_ == State::serving && !jobs_.empty() && (joining_ || now >= settled_);
}

bool ResyncAnswerer::has_next(Moment now) const {
    return state_ == State::walked || is_ready(now);
}

std::optional<StreamMessage> ResyncAnswerer::next(Moment now) {
    if (!has_next(now)) return std::nullopt;
    progress_ = now;
    if (state_ == State::walked) {
        state_ = State::serving;
        return Differing{round_, differing_, peer_.mine_done};
    }
    if (!answer_) {
        const TableIndex::Part* part = index_.find(jobs_.front().partition);
        if (part == nullptr) {
            collect_more();
            return std::nullopt;
        }
        answer_ = compare(*part, jobs_.front());
    }
    return repair();
}

// There was no room for this partition's sessions: another walk, for it and those that follow.
void ResyncAnswerer::collect_more() {
    std::vector<std::uint32_t> which;
    for (const Job& each : jobs_)
        which.push_back(each.partition);
    which.insert(which.end(), unlisted_.begin(), unlisted_.end());
    state_ = State::collecting;
    index_.collect(which);
}

Result<void> ResyncAnswerer::on_listing(const Listing& listing, Moment now) {
    if (listing.round < round_) return {};
    const bool serving = state_ == State::serving || state_ == State::collecting;
    if (listing.round > round_ || !serving || unlisted_.erase(listing.partition) == 0)
        return failure(fmt::format("a list of partition {} in round {}, which was not asked for",
                                   listing.partition, listing.round));
    if (waiting_ + listing.fingerprints.size() > 2 * fingerprints_ahead)
        return failure(fmt::format("{} fingerprints ahead of their answers",
                                   waiting_ + listing.fingerprints.size()));
    progress_ = now;
    jobs_.push_back({listing.partition, listing.fingerprints});
    std::vector<std::uint64_t>& listed = jobs_.back().listed;
    std::sort(listed.begin(), listed.end());
    listed.erase(std::unique(listed.begin(), listed.end()), listed.end());
    waiting_ += listed.size();
    return {};
}

ResyncAnswerer::Answer ResyncAnswerer::compare(const TableIndex::Part& part, const Job& job) const {
    Answer answer;
    const auto is_listed = [&](const TableIndex::Entry& entry) {
        return std::binary_search(job.listed.begin(), job.listed.end(), entry.fingerprint);
    };
    for (const TableIndex::Entry& each : part.sessions) {
        if (!is_listed(each)) answer.send.push_back(each);
    }
    // The asker has not heard that they are closing.
    for (const TableIndex::Entry& each : part.closing) {
        if (is_listed(each)) answer.send.push_back(each);
    }
    // What there was no room for is not missing.
    if (part.cut) return answer;
    for (const std::uint64_t each : job.listed) {
        if (!std::binary_search(part.sessions.begin(), part.sessions.end(),
                                TableIndex::Entry{each, {}}))
            answer.missing.push_back(each);
    }
    return answer;
}

// By the table as it is now: the log, which was sent up to here, says the same or less.
Repair ResyncAnswerer::repair() {
    Repair repair;
    repair.round = round_;
    repair.partition = jobs_.front().partition;
    repair.now = peer_.store.now();
    const std::size_t until = std::min(answer_->send.size(), answer_->sent + resync_records);
    for (; answer_->sent < until; ++answer_->sent) {
        const TableIndex::Entry& entry = answer_->send[answer_->sent];
        const std::optional<SessionRecord> record = describe(peer_.store, entry.flow);
        if (!record || !is_to_be_sent(entry, *record)) continue;
        repair.records.push_back(*record);
    }
    peer_.counters.resync_sent += repair.records.size();
    repair.last = answer_->sent == answer_->send.size();
    if (repair.last) {
        repair.missing = std::move(answer_->missing);
        index_.drop(repair.partition);
        answer_.reset();
        waiting_ -= jobs_.front().listed.size();
        jobs_.pop_front();
    }
    return repair;
}

bool ResyncAnswerer::is_to_be_sent(const TableIndex::Entry& entry,
                                   const SessionRecord& record) const {
    if (!peer_.common.contains(record.target)) return false;
    const bool changed =
        peer_.prints.of(entry.flow, record.target).fingerprint != entry.fingerprint;
    // What an audit found is old; what it has become since is in the log.
    return joining_ || !changed;
}

Result<void> ResyncAnswerer::on_supply(const Supply& supply, Moment now) {
    if (supply.round < round_) return {};
    const bool serving = state_ == State::serving || state_ == State::collecting;
    if (supply.round > round_ || !serving)
        return failure(fmt::format("a supply in round {}, which was not answered", supply.round));
    progress_ = now;
    peer_.offset.sample(peer_.store.now(), supply.now, now);
    peer_.counters.resync_received += supply.records.size();
    for (SessionRecord record : supply.records) {
        record.seen = peer_.offset.to_own(record.seen);
        // Only what the asker was told of as its own copy can be over by its word.
        const bool ended = record.kind == SessionRecord::Kind::ended;
        if (ended && !is_copy(record.flow)) continue;
        const Applied applied = peer_.comes_first
                                    ? apply_decided(peer_.store, record, peer_.counters,
                                                    {asker_head_start, began_, peer_.common})
                                    : apply_record(peer_.store, record, peer_.counters);
        if (applied.changed && !joining_) ++peer_.counters.drift;
        if (applied.disputed) peer_.dispute(record.flow, now);
    }
    return supply.done ? finish() : Result<void>{};
}

bool ResyncAnswerer::is_copy(const Flow& flow) const {
    const std::optional<StoredSession> here = peer_.store.find(flow);
    return here && here->from_peer;
}

Result<void> ResyncAnswerer::finish() {
    if (!unlisted_.empty() || !jobs_.empty())
        return failure(fmt::format("round {} ends with {} partitions to be compared", round_,
                                   unlisted_.size() + jobs_.size()));
    if (counts_ && joining_) {
        for (const std::uint32_t each : asked_.which)
            peer_.theirs_covered.set(each);
        peer_.theirs_done = peer_.theirs_covered.all();
    }
    abort();
    return {};
}

}  // namespace bascule::sync
