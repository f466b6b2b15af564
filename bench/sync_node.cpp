// SPDX-License-Identifier: Apache-2.0
#include "bench/sync_node.h"

#include <time.h>

#include <algorithm>
#include <utility>

namespace bascule::bench {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds tick_interval{2};
// As many as are read of the delta logs at once.
constexpr std::uint32_t most_at_once = 8192;
// What may wait for the peer while as many as possible are announced.
constexpr std::size_t most_waiting = std::size_t{2} << 20;

}  // namespace

Nanoseconds cpu_of_thread() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec);
}

SyncNode::SyncNode(const Options& options)
    : options_(options),
      store_(options.room, static_cast<std::uint32_t>(100'000 * (1 + options.self))) {
    sync::ReplicaOptions replica;
    replica.cluster = options.cluster.name;
    replica.self = options.cluster.nodes[options.self].name;
    replica.incarnation = 1 + options.self;
    replica.peers = {options.cluster.nodes[1 - options.self].name};
    replica.fingerprint_key = {3, 4};
    // Sessions that are only announced are not in the table of who announces them.
    replica.audit_interval = std::chrono::hours(1);
    replica_.emplace(replica, store_, steady_clock::now());
    replica_->set_targets(TableStore::targets());
    replica_->set_wake([this](std::size_t peer) { streams_->wake(peer); });
}

SyncNode::~SyncNode() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
}

void SyncNode::start() {
    streams_.emplace(io_,
                     sync::PeerStreamsOptions{.cluster = options_.cluster,
                                              .self = options_.cluster.nodes[options_.self].name},
                     options_.keys, *this);
    tick();
    thread_ = std::thread([this] { io_.run(); });
}

void SyncNode::fill(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = first; i < first + count; ++i)
        store_.put(TableStore::flow(i), {sync::StoredSession::State::established, false,
                                         TableStore::target_of(i), store_.now()});
}

void SyncNode::announce(std::uint32_t first, std::uint32_t count, std::uint32_t rate) {
    call([=, this] {
        first_ = next_ = first;
        end_ = first + count;
        rate_ = rate;
        load_began_ = steady_clock::now();
    });
}

bool SyncNode::has_announced() {
    return call([this] { return next_ == end_; });
}

bool SyncNode::is_synced() {
    return call([this] { return replica_->synced(); });
}

bool SyncNode::is_acknowledged() {
    // The last records wait for a moment until they become a batch.
    return call([this] {
        return next_ == end_ && view_now().sent >= announced_ && replica_->bytes_kept() == 0;
    });
}

void SyncNode::reconnect() {
    call([this] { streams_->disconnect(0, "once more"); });
}

sync::ReplicaPeerView SyncNode::view_now() const {
    return replica_->view(steady_clock::now())[0];
}

Nanoseconds SyncNode::cpu() {
    return call(cpu_of_thread);
}

std::uint64_t SyncNode::bytes_sent() {
    return call([this] { return streams_->view().peers[0].bytes_sent; });
}

std::uint64_t SyncNode::sessions() {
    return call([this] { return store_.size(); });
}

sync::ReplicaPeerView SyncNode::view() {
    return call([this] { return view_now(); });
}

std::vector<Nanoseconds> SyncNode::take_lags() {
    return call([this] { return std::exchange(lags_, {}); });
}

Nanoseconds SyncNode::longest_step() {
    return call([this] { return std::exchange(longest_, {}); });
}

void SyncNode::note_step(Nanoseconds began) {
    longest_ = std::max(longest_, cpu_of_thread() - began);
}

void SyncNode::tick() {
    const Nanoseconds began = cpu_of_thread();
    load();
    replica_->on_tick(steady_clock::now());
    note_step(began);
    timer_.expires_after(tick_interval);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) tick();
    });
}

void SyncNode::load() {
    const auto now = steady_clock::now();
    std::uint32_t until = std::min(end_, next_ + most_at_once);
    if (rate_ == 0) {
        if (replica_->bytes_kept() > most_waiting) return;
    } else {
        const double passed = std::chrono::duration<double>(now - load_began_).count();
        const auto due = static_cast<std::uint64_t>(passed * rate_);
        until = static_cast<std::uint32_t>(std::min<std::uint64_t>(until, first_ + due));
    }
    for (; next_ < until; ++next_) {
        // As in life, its own table has it.
        fill(next_, 1);
        ++announced_;
        replica_->on_local({sync::SessionRecord::Kind::established, TableStore::flow(next_),
                            TableStore::target_of(next_), store_.now()},
                           now);
    }
}

sync::Hello SyncNode::hello(std::size_t peer) {
    return replica_->hello(peer);
}

void SyncNode::on_connected(std::size_t peer, const sync::Hello& theirs) {
    replica_->on_connected(peer, theirs, steady_clock::now());
}

void SyncNode::on_disconnected(std::size_t peer, const std::string&) {
    replica_->on_disconnected(peer, steady_clock::now());
}

Result<void> SyncNode::on_message(std::size_t peer, const sync::StreamMessage& message) {
    const Nanoseconds began = cpu_of_thread();
    Result<void> result = replica_->on_message(peer, message, steady_clock::now());
    note_step(began);
    // The clock is the same: both nodes are on this machine.
    if (const auto* batch = std::get_if<sync::Batch>(&message))
        lags_.push_back(steady_clock::now().time_since_epoch() -
                        Nanoseconds(static_cast<std::int64_t>(batch->made)));
    return result;
}

sync::Frame SyncNode::next_frame(std::size_t peer) {
    return replica_->next_frame(peer, steady_clock::now());
}

void SyncNode::on_answer(std::size_t, const sync::Pong&, sync::Moment) {}

}  // namespace bascule::bench
