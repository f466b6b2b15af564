// SPDX-License-Identifier: Apache-2.0
#include "sync/replica.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "sync/codec_bounds.h"
#include "sync/refresh_turns.h"
#include "sync/replica_peer.h"

namespace bascule::sync {

struct Replica::Impl {
    Impl(ReplicaOptions options, SessionStore& store) : core(std::move(options), store) {
        for (const std::string& each : core.options.peers)
            peers.push_back(std::make_unique<ReplicaPeer>(core, each));
    }

    bool is_anyone_expected(Moment now) const {
        return std::any_of(peers.begin(), peers.end(),
                           [&](const auto& each) { return each->is_expected(now); });
    }

    void add(const SessionRecord& record, Moment now) {
        core.log.add(record, now);
        if (core.log.due(now)) close(now);
    }
    void close(Moment now) { core.log.close(core.store.now(), is_anyone_expected(now)); }

    // What everybody has acknowledged, or nobody waits for.
    void trim(Moment now) {
        std::uint64_t needed = std::numeric_limits<std::uint64_t>::max();
        for (const auto& each : peers)
            if (each->is_expected(now)) needed = std::min(needed, each->needs());
        core.log.drop_before(needed);
    }

    // Last of all: who is woken may ask for frames at once.
    void wake_all(Moment now) {
        if (!wake) return;
        for (std::size_t i = 0; i < peers.size(); ++i)
            if (peers[i]->has_next(now)) wake(i);
    }

    ReplicaCore core;
    RefreshTurns turns;
    std::vector<std::unique_ptr<ReplicaPeer>> peers;
    std::function<void(std::size_t)> wake;
};

Replica::Replica(ReplicaOptions options, SessionStore& store, Moment)
    : impl_(std::make_unique<Impl>(std::move(options), store)) {}

Replica::~Replica() = default;

void Replica::on_local(const SessionRecord& record, Moment now) {
    const std::uint64_t before = impl_->core.log.newest();
    impl_->add(record, now);
    if (impl_->core.log.newest() != before) impl_->wake_all(now);
}

void Replica::on_lost(Moment now) {
    impl_->core.log.lose();
    for (const auto& each : impl_->peers)
        each->lose(now);
    impl_->wake_all(now);
}

void Replica::on_pass(Moment now) {
    impl_->turns.on_pass(now);
}

void Replica::on_swept(const Flow& flow, const StoredSession& session, Moment now) {
    if (session.from_peer || session.state != StoredSession::State::established) return;
    const SessionStore& store = impl_->core.store;
    const std::uint32_t age = store.now() - session.seen;
    const std::uint32_t partition = impl_->core.prints.partition_of(flow);
    if (!impl_->turns.due(partition, age, store.established_limit(flow.service))) return;
    on_local({SessionRecord::Kind::refreshed, flow, session.target, session.seen}, now);
}

void Replica::set_targets(std::vector<TargetId> sorted) {
    if (sorted.size() > most_targets) sorted.resize(most_targets);
    impl_->core.targets = std::move(sorted);
    for (const auto& each : impl_->peers)
        each->set_targets();
}

Hello Replica::hello(std::size_t peer) const {
    return impl_->peers[peer]->hello();
}

void Replica::on_connected(std::size_t peer, const Hello& theirs, Moment now) {
    impl_->peers[peer]->connect(theirs, now);
    impl_->wake_all(now);
}

void Replica::on_disconnected(std::size_t peer, Moment now) {
    impl_->peers[peer]->disconnect(now);
}

Result<void> Replica::on_message(std::size_t peer, const StreamMessage& message, Moment now) {
    Result<void> result = impl_->peers[peer]->on_message(message, now);
    if (!result) return result;
    if (std::holds_alternative<Ack>(message)) impl_->trim(now);
    impl_->wake_all(now);
    return {};
}

Frame Replica::next_frame(std::size_t peer, Moment now) {
    return impl_->peers[peer]->next_frame(now);
}

void Replica::set_wake(std::function<void(std::size_t peer)> wake) {
    impl_->wake = std::move(wake);
}

void Replica::on_tick(Moment now) {
    if (impl_->core.log.due(now)) impl_->close(now);
    impl_->trim(now);
    impl_->core.walk.advance(now);
    for (const auto& each : impl_->peers) {
        const bool other = std::any_of(
            impl_->peers.begin(), impl_->peers.end(),
            [&](const auto& another) { return another != each && another->is_asking(now); });
        each->tick(now, other);
    }
    impl_->wake_all(now);
}

bool Replica::synced() const {
    bool any = false;
    for (const auto& each : impl_->peers) {
        if (!each->is_connected()) continue;
        if (!each->in_step()) return false;
        any = true;
    }
    return any;
}

std::vector<ReplicaPeerView> Replica::view(Moment now) const {
    std::vector<ReplicaPeerView> views;
    for (const auto& each : impl_->peers)
        views.push_back(each->view(now));
    return views;
}

std::size_t Replica::bytes_kept() const {
    return impl_->core.log.bytes();
}

}  // namespace bascule::sync
