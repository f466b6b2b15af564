// SPDX-License-Identifier: Apache-2.0
#include "sync/replica_peer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sync/codec.h"
#include "sync/codec_bounds.h"

namespace bascule::sync {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Of all rounds with all peers, each side: 40 bytes each.
constexpr std::size_t index_entries = std::size_t{1} << 20;
// Records of rounds: a second, and at once.
constexpr std::int64_t round_pace = 2'000'000;
constexpr std::int64_t round_burst = 4096;
// The log is kept for a peer whose stream broke.
constexpr seconds expected_again{10};
// The node whose name is less asks first: what it finds then serves both.
constexpr milliseconds first_word{500};
constexpr seconds still_going{1};
constexpr seconds stalled{30};
// For an acknowledgement.
constexpr seconds patience{1};
// Until what was disputed is compared, and between two such rounds: each is a walk over the table.
// Both sides may ask; two rounds that cross would each take the other's side, so who comes first
// by name has time to end its own.
constexpr milliseconds dispute_delay{200};
constexpr milliseconds dispute_delay_second{1200};
constexpr seconds dispute_interval{1};

std::size_t count_of(const StreamMessage& message) {
    if (const auto* repair = std::get_if<Repair>(&message)) return repair->records.size();
    if (const auto* supply = std::get_if<Supply>(&message)) return supply->records.size();
    // Sorted and listed: less work each.
    if (const auto* list = std::get_if<Listing>(&message)) return list->fingerprints.size() / 4;
    return 0;
}

}  // namespace

ReplicaCore::ReplicaCore(ReplicaOptions its_options, SessionStore& its_store)
    : options(std::move(its_options)),
      store(its_store),
      prints(options.fingerprint_key),
      walk(store, prints, options.walk_parts),
      log({options.log_bytes, std::clamp(options.batch_records, std::size_t{1}, most_records),
           options.batch_delay}),
      pace(round_pace, round_burst),
      began(store.now()) {}

ReplicaPeer::ReplicaPeer(ReplicaCore& core, std::string name)
    : core_(core),
      name_(std::move(name)),
      peer_(core.store, core.walk, core.prints, core.options.peers.size() == 1,
            name_ < core.options.self),
      asker_(peer_, index_entries / core.options.peers.size()),
      answerer_(peer_, index_entries / core.options.peers.size()) {}

Hello ReplicaPeer::hello() const {
    Hello hello;
    hello.cluster = core_.options.cluster;
    hello.node = core_.options.self;
    hello.incarnation = core_.options.incarnation;
    hello.release = core_.options.release;
    hello.received_incarnation = theirs_;
    hello.received_batch = received_;
    hello.now = core_.store.now();
    hello.since = core_.began;
    return hello;
}

void ReplicaPeer::connect(const Hello& theirs, Moment now) {
    connected_ = was_connected_ = true;
    changed_ = now;
    gap_counts_ = theirs_ == theirs.incarnation;
    if (!gap_counts_) received_ = 0;
    theirs_ = theirs.incarnation;
    ack_due_ = false;
    catalogue_due_ = true;
    peer_.offset.begin(core_.store.now(), theirs.now, now);
    peer_.since = theirs.since;
    peer_.own_since = core_.began;
    peer_.common.forget_theirs();
    fall_out_of_step();
    answerer_.begin_stream();
    std::optional<std::uint64_t> received;
    if (theirs.received_incarnation == core_.options.incarnation) received = theirs.received_batch;
    peer_.cursor.connect(core_.log, received, now);
}

void ReplicaPeer::disconnect(Moment now) {
    connected_ = false;
    changed_ = now;
    fall_out_of_step();
    answerer_.begin_stream();
}

void ReplicaPeer::fall_out_of_step() {
    peer_.mine_done = peer_.theirs_done = false;
    peer_.theirs_covered.reset();
    asker_.abort();
    answerer_.discount();
    next_whole_ = {};
}

bool ReplicaPeer::is_expected(Moment now) const {
    return connected_ || (was_connected_ && now - changed_ < expected_again);
}

void ReplicaPeer::set_targets() {
    catalogue_due_ = true;
    if (peer_.common.set_own(core_.targets)) fall_out_of_step();
}

void ReplicaPeer::lose(Moment now) {
    if (connected_) peer_.cursor.lose(core_.log, now);
    peer_.theirs_done = false;
    peer_.theirs_covered.reset();
    answerer_.discount();
}

// ---- what the peer says ----

Result<void> ReplicaPeer::on_message(const StreamMessage& message, Moment now) {
    Result<void> result = take(message, now);
    gap_counts_ = true;
    return result;
}

Result<void> ReplicaPeer::take(const StreamMessage& message, Moment now) {
    if (const auto* batch = std::get_if<Batch>(&message)) return on(*batch, now);
    if (const auto* ack = std::get_if<Ack>(&message))
        return peer_.cursor.acknowledge(*ack, core_.log, now);
    if (const auto* gap = std::get_if<Gap>(&message)) return on(*gap);
    if (const auto* catalogue = std::get_if<Catalogue>(&message)) return on(*catalogue);
    if (const auto* digests = std::get_if<Digests>(&message))
        return answerer_.on_digests(*digests, now);
    if (const auto* differing = std::get_if<Differing>(&message))
        return asker_.on_differing(*differing, now);
    if (const auto* listing = std::get_if<Listing>(&message))
        return answerer_.on_listing(*listing, now);
    if (const auto* repair = std::get_if<Repair>(&message)) return asker_.on_repair(*repair, now);
    if (const auto* supply = std::get_if<Supply>(&message))
        return answerer_.on_supply(*supply, now);
    return {};  // not the replica's
}

Result<void> ReplicaPeer::on(const Batch& batch, Moment now) {
    // Sent again over a new stream: it was said to be missing before it had come by the old one.
    if (batch.number <= received_) {
        acknowledge(batch.number, batch.made);
        return {};
    }
    if (batch.number != received_ + 1)
        return failure(fmt::format("batch {} comes after batch {}", batch.number, received_));
    peer_.offset.sample(core_.store.now(), batch.now, now);
    peer_.counters.received += batch.records.size();
    for (SessionRecord record : batch.records) {
        record.seen = peer_.offset.to_own(record.seen);
        const Applied applied = apply_record(core_.store, record, peer_.counters);
        if (applied.stale) answer_stale(record, now);
        if (applied.disputed) peer_.dispute(record.flow, now);
    }
    received_ = batch.number;
    acknowledge(batch.number, batch.made);
    return {};
}

// The peer acts on what it takes for news; it ought to hear what we know. Never in answer to such
// an answer.
void ReplicaPeer::answer_stale(const SessionRecord& record, Moment now) {
    using Kind = SessionRecord::Kind;
    if (record.kind == Kind::refreshed || record.kind == Kind::copy) return;
    const std::optional<StoredSession> session = core_.store.find(record.flow);
    std::optional<SessionRecord> ours = describe(core_.store, record.flow);
    if (!ours || session->from_peer || ours->target == 0) return;
    if (ours->kind == Kind::established) ours->kind = Kind::refreshed;
    core_.log.add(*ours, now);
    if (core_.log.due(now)) core_.log.close(core_.store.now(), true);
}

Result<void> ReplicaPeer::on(const Gap& gap) {
    if (gap.number < received_)
        return failure(fmt::format("a gap up to batch {} after batch {}", gap.number, received_));
    received_ = gap.number;
    if (gap_counts_) ++peer_.counters.gaps_heard;
    peer_.mine_done = false;
    asker_.abort();
    next_whole_ = {};
    acknowledge(gap.number, 0);
    return {};
}

Result<void> ReplicaPeer::on(const Catalogue& catalogue) {
    if (peer_.common.set_theirs(catalogue.targets)) fall_out_of_step();
    return {};
}

void ReplicaPeer::acknowledge(std::uint64_t number, std::uint64_t made) {
    ack_ = {number, made};
    ack_due_ = true;
}

// ---- what it is told ----

bool ReplicaPeer::has_next(Moment now) const {
    if (!connected_) return false;
    return ack_due_ || catalogue_due_ || peer_.cursor.has_next(core_.log) || core_.log.due(now) ||
           asker_.has_next() || answerer_.has_next(now);
}

// Acknowledgements first, since they are small and the peer's log waits for them; then the log;
// what is left of the time is for rounds.
Frame ReplicaPeer::next_frame(Moment now) {
    if (!connected_) return nullptr;
    if (std::exchange(ack_due_, false)) return encode(ack_);
    if (core_.log.due(now)) core_.log.close(core_.store.now(), true);
    if (Frame frame = peer_.cursor.next(core_.log, now)) {
        // Until it has acknowledged a gap, nothing that it does shows that it is in step.
        if (peer_.cursor.in_gap()) {
            peer_.theirs_done = false;
            peer_.theirs_covered.reset();
            answerer_.discount();
        }
        return frame;
    }
    if (std::exchange(catalogue_due_, false)) return encode(Catalogue{core_.targets});
    if (!asker_.has_next() && !answerer_.has_next(now)) return nullptr;
    if (!core_.pace.allows(now)) return nullptr;
    // Records of rounds are by the table as it is now, so what led to it goes first.
    if (core_.log.has_open()) {
        core_.log.close(core_.store.now(), true);
        return next_frame(now);
    }
    return next_of_rounds(now);
}

Frame ReplicaPeer::next_of_rounds(Moment now) {
    for (int tries = 0; tries < 2; ++tries) {
        answers_turn_ = !answers_turn_;
        const std::optional<StreamMessage> message =
            answers_turn_ ? answerer_.next(now) : asker_.next(now);
        if (!message) continue;
        core_.pace.take(count_of(*message));
        return encode(*message);
    }
    return nullptr;
}

// ---- rounds ----

bool ReplicaPeer::is_asking(Moment now) const {
    return connected_ && asker_.is_whole() && now - asker_.last_progress() < still_going;
}

bool ReplicaPeer::may_begin(Moment now) const {
    if (core_.options.self < name_ || peer_.theirs_done) return true;
    if (now - changed_ < first_word) return false;
    return !answerer_.is_in_whole() || now - answerer_.last_progress() > still_going;
}

void ReplicaPeer::tick(Moment now, bool wait) {
    silent_ = connected_ && peer_.cursor.waiting(core_.log, now) > patience;
    if (connected_ && peer_.cursor.is_overtaken(core_.log)) lose(now);
    if (!connected_ || !peer_.common.known() || catalogue_due_) return;
    if (asker_.is_busy()) {
        next_audit_ = next_whole_ = now + core_.options.audit_interval;
        if (now - asker_.last_progress() <= stalled) return;
        asker_.abort();
        next_whole_ = now;
    }
    if (std::exchange(refused_, peer_.counters.no_room) != peer_.counters.no_room) {
        peer_.mine_done = false;
    }
    if (!peer_.mine_done) {
        if (!wait && now >= next_whole_ && may_begin(now)) asker_.begin_whole(now);
    } else if (peer_.theirs_done && is_dispute_due(now)) {
        next_dispute_ = now + dispute_interval;
        asker_.begin_audit(disputed(), now);
    } else if (peer_.theirs_done && now >= next_audit_) {
        asker_.begin_audit(audited(), now);
    }
}

bool ReplicaPeer::is_dispute_due(Moment now) const {
    if (peer_.disputed.none() || now < next_dispute_) return false;
    return now - peer_.disputed_since > (peer_.comes_first ? dispute_delay_second : dispute_delay);
}

std::vector<std::uint32_t> ReplicaPeer::disputed() {
    std::vector<std::uint32_t> which;
    for (std::uint32_t i = 0; i < partitions; ++i)
        if (peer_.disputed[i]) which.push_back(i);
    peer_.disputed.reset();
    return which;
}

// Every so many rounds each partition has had its turn; which comes first is nobody's to know.
std::vector<std::uint32_t> ReplicaPeer::audited() {
    const std::uint32_t each = std::clamp(core_.options.audit_partitions, 1U, partitions);
    const std::uint32_t step = partitions / each;
    const auto first = static_cast<std::uint32_t>(
        (core_.prints.random(core_.options.incarnation) + audit_++) % step);
    std::vector<std::uint32_t> which;
    for (std::uint32_t i = first; i < partitions; i += step)
        which.push_back(i);
    return which;
}

// ---- how it stands ----

std::string ReplicaPeer::behind() const {
    if (!connected_) return "not connected";
    if (in_step()) return "";
    if (silent_) return "it does not acknowledge what it was sent";
    if (!peer_.common.known()) return "it has not yet said which backends it has";
    if (asker_.is_whole())
        return fmt::format("resync: {} of {} partitions", asker_.done(), partitions);
    if (!peer_.mine_done && peer_.counters.no_room > asker_.refused_before())
        return "the table here has no room for some of its sessions";
    if (!peer_.mine_done) return "resync is about to begin";
    return "it has not yet finished its own resync";
}

ReplicaPeerView ReplicaPeer::view(Moment now) const {
    const PeerCounters& counters = peer_.counters;
    ReplicaPeerView view;
    view.name = name_;
    view.connected = connected_;
    view.synced = in_step();
    view.behind = behind();
    view.resyncing = asker_.is_whole();
    view.resync_done = view.resyncing ? asker_.done() : 0;
    if (connected_) view.lag = peer_.cursor.lag(core_.log, now);
    view.sent = peer_.cursor.sent();
    view.received = counters.received;
    view.resync_sent = counters.resync_sent;
    view.resync_received = counters.resync_received;
    view.resyncs = counters.resyncs;
    view.gaps = peer_.cursor.gaps() + counters.gaps_heard;
    view.audits = counters.audits;
    view.drift = counters.drift;
    view.unknown_target = counters.unknown_target;
    view.no_room = counters.no_room;
    view.stale = counters.stale;
    return view;
}

}  // namespace bascule::sync
