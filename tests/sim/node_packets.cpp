// SPDX-License-Identifier: Apache-2.0
// What a node's data plane does with packets, and how the daemon hears of it.
#include <utility>

#include "sim/node.h"

namespace bascule::sim {
namespace {

using State = sync::StoredSession::State;
using Kind = sync::SessionRecord::Kind;

constexpr sync::Seconds32 closing_limit = 3;
constexpr Time busy = 4ms;
constexpr Time idle = 50ms;

}  // namespace

sync::TargetId Node::choose(sync::TargetId other_than) {
    std::vector<sync::TargetId> targets(table_.known().begin(), table_.known().end());
    if (targets.size() > 1) std::erase(targets, other_than);
    return targets[random_.below(targets.size())];
}

void Node::packet(std::size_t flow) {
    if (!packets_pass_) return;
    const Table::Slot here = table_.at(flow);
    const bool goes_on =
        here && here->state == State::established && table_.known().contains(here->target);
    const sync::TargetId target = goes_on ? here->target : choose(0);
    if (!table_.write(flow, {State::established, false, target, table_.now()})) return;
    truth_.packet(flow, target, schedule_.now());
    // A packet of a session that a peer has brought is not worth a word: it is
    // refreshed.
    if (!goes_on) tell(Kind::established, flow);
}

void Node::syn(std::size_t flow) {
    if (!packets_pass_ || table_.at(flow)) return;
    if (!table_.write(flow, {State::unproven, false, choose(0), table_.now()})) return;
    if (plan_.breakage == Breakage::embryonic) tell(Kind::established, flow);
}

void Node::move(std::size_t flow) {
    const Table::Slot here = table_.at(flow);
    if (!packets_pass_ || !here || here->state != State::established) return;
    const sync::TargetId target = choose(here->target);
    table_.write(flow, {State::established, false, target, table_.now()});
    truth_.packet(flow, target, schedule_.now());
    tell(Kind::established, flow);
}

void Node::close(std::size_t flow) {
    const Table::Slot here = table_.at(flow);
    if (!packets_pass_ || !here || here->state != State::established) return;
    table_.write(flow, {State::closing, false, here->target, table_.now()});
    truth_.end(flow, schedule_.now());
    tell(Kind::closed, flow);
    if (plan_.breakage != Breakage::late_end || !running_) return;
    later(2s, [this, flow, target = here->target] {
        running_->deltas.push_back({Kind::ended, truth_.flow(flow), target, table_.now()});
    });
}

void Node::set_known(std::set<sync::TargetId> targets) {
    table_.set_known(std::move(targets));
    if (running_) running_->replica.set_targets({table_.known().begin(), table_.known().end()});
}

// ---- to the daemon ----

void Node::tell(Kind kind, std::size_t flow) {
    if (!running_) return;
    const sync::StoredSession& session = *table_.at(flow);
    running_->deltas.push_back({kind, truth_.flow(flow), session.target, session.seen});
    want_replica_tick(2ms);
}

void Node::lose_deltas() {
    if (!running_) return;
    running_->deltas.clear();
    running_->deltas_lost = true;
}

void Node::want_replica_tick(Time span) {
    const Time due = schedule_.now() + span;
    if (due >= replica_due_) return;
    replica_due_ = due;
    later(span, [this] {
        // One that was wanted earlier has taken its place.
        if (replica_due_ > schedule_.now()) return;
        replica_due_ = Time::max();
        tick_replica();
    });
}

void Node::read_deltas() {
    if (running_->deltas_lost) running_->replica.on_lost(local());
    running_->deltas_lost = false;
    for (const sync::SessionRecord& record : std::exchange(running_->deltas, {}))
        running_->replica.on_local(record, local());
}

void Node::tick_replica() {
    if (!running_->deltas.empty() || running_->deltas_lost) {
        busy_until_ = schedule_.now() + 20ms;
        read_deltas();
    }
    if (running_->replica.synced()) in_step_at_ = schedule_.now();
    running_->replica.on_tick(local());
    for (std::size_t peer = 0; peer + 1 < plan_.nodes; ++peer)
        streams_.wake(index_, node_of(peer));
    const bool calm = schedule_.now() >= busy_until_ && running_->replica.synced();
    want_replica_tick(calm ? idle : busy);
}

void Node::tick_sweep() {
    read_deltas();
    running_->replica.on_pass(local());
    for (std::size_t flow = 0; flow < truth_.flows(); ++flow)
        sweep(flow);
    later(1s, [this] { tick_sweep(); });
}

void Node::sweep(std::size_t flow) {
    const Table::Slot here = table_.at(flow);
    if (!here) return;
    const sync::Seconds32 silent = table_.now() - here->seen;
    if (here->state != State::established) {
        if (silent >= closing_limit) table_.remove(flow);
        return;
    }
    if (silent < plan_.limit) {
        if (!here->from_peer) running_->replica.on_swept(truth_.flow(flow), *here, local());
        return;
    }
    if (here->from_peer) return table_.lapse(flow);
    truth_.end(flow, clock_.world_time(here->seen, schedule_.now()) + 1s);
    tell(Kind::ended, flow);
    table_.remove(flow);
}

}  // namespace bascule::sim
