// SPDX-License-Identifier: Apache-2.0
// A node's heartbeat thread: Membership and takeover, in the order of
// sync/heartbeat_thread.cpp.
#include <algorithm>
#include <utility>

#include "sim/breaking.h"
#include "sim/node.h"

namespace bascule::sim {

void Node::start_vips() {
    if (plan_.breakage == Breakage::forgotten_epoch) vips_host_.disk = 0;
    NodeVips::Around around{
        .index = index_,
        .plan = plan_,
        .random = random_,
        .host = vips_host_,
        .events = vip_events_,
        .later = [this](Time span, Schedule::Action action) { later(span, std::move(action)); },
        .now = [this] { return local(); },
        .in_step = [this] { return is_in_step(); },
        .digest = [this] { return map_->digest(); },
        .turn =
            [this] {
                running_->vips->read();
                look_at_vips(sync::Nanoseconds(0));
                want_tick();
            },
        .end =
            [this] {
                schedule_.after(Time(0), [this, run = run_] {
                    if (run_ == run) crash(Death::daemon);
                });
            }};
    std::vector<std::string> peers;
    for (std::size_t peer = 0; peer + 1 < plan_.nodes; ++peer)
        peers.push_back(name(node_of(peer)));
    running_->vips =
        std::make_unique<NodeVips>(std::move(around), std::move(peers), running_->membership);
}

// As node/peer_watch.cpp has it.
bool Node::is_in_step() const {
    bool any = false;
    const auto views = replica_peers();
    for (std::size_t peer = 0; peer < views.size(); ++peer) {
        const sync::Liveness liveness = running_->membership.liveness(peer);
        const bool lives = liveness == sync::Liveness::alive || liveness == sync::Liveness::suspect;
        if (lives && !views[peer].synced) return false;
        any = any || lives;
    }
    return any;
}

void Node::wake_control() {
    if (running_) running_->vips->wake_control();
}

void Node::leave() {
    if (running_) running_->vips->leave();
}

void Node::tick_membership() {
    // One that was wanted earlier has taken its place.
    if (tick_due_ > schedule_.now()) return;
    last_tick_ = schedule_.now();
    tick_due_ = Time::max();
    const sync::Moment now = local();
    const auto slept = running_->membership.overslept(now);
    if (slept > sync::Nanoseconds(0)) look_at_vips(slept);
    take(running_->membership.on_tick(now, clock_.wall(schedule_.now())));
    look_at_vips(sync::Nanoseconds(0));
    want_tick();
}

// As HeartbeatThread::set_due().
void Node::want_tick() {
    const sync::Moment next = std::min(running_->membership.next_tick(), running_->vips->next());
    const Time span = std::min<Time>(next - local(), plan_.interval);
    const Time wanted = std::max(schedule_.now() + span, last_tick_ + plan_.interval / 16);
    const Time due = std::min(wanted, last_tick_ + plan_.interval);
    if (due >= tick_due_) return;
    tick_due_ = due;
    later(std::max<Time>(due - schedule_.now(), Time(0)), [this] { tick_membership(); });
}

void Node::on_heartbeat(std::size_t from, std::size_t path, const sync::Heartbeat& heartbeat) {
    const bool deaf = plan_.breakage == Breakage::deaf_ear && from == 0;
    if (!running_ || deaf) return;
    sync::Heartbeat heard = heartbeat;
    break_claims(plan_, from, heard);
    if (plan_.breakage == Breakage::misunderstood && is_newer()) heard.version = heard.needs + 1;
    take(running_->membership.on_heartbeat(index_of(from), path, heard, local(),
                                           clock_.wall(schedule_.now())));
    look_soon();
}

sync::Heartbeat Node::words_for(std::size_t peer) {
    return running_->words.empty() ? sync::Heartbeat{} : running_->words[index_of(peer)];
}

void Node::on_stream_answer(std::size_t peer, const sync::Heartbeat& said, Time asked) {
    if (!running_) return;
    world_.on_stream_answer();
    std::optional<sync::Heartbeat> heard = said;
    if (plan_.breakage == Breakage::wordless_answer) heard.reset();
    take(running_->membership.on_stream_answer(index_of(peer), heard, clock_.monotonic(asked),
                                               local(), clock_.wall(schedule_.now())));
    look_soon();
}

// After all that has come at once. Who has just woken ticks first.
void Node::look_soon() {
    const bool wakes = schedule_.now() < awake_since_ + 2us;
    if (wakes || std::exchange(look_due_, true)) return;
    later(Time(0), [this] {
        look_due_ = false;
        look_at_vips(sync::Nanoseconds(0));
        want_tick();
    });
}

void Node::look_at_vips(sync::Nanoseconds slept) {
    const bool at_once = running_->vips->look(slept);
    if (at_once) take(running_->membership.speak(local(), clock_.wall(schedule_.now())));
}

void Node::take(const sync::MembershipOutput& out) {
    for (const sync::MembershipChange& change : out.changes)
        world_.on_change(index_, change);
    if (!out.changes.empty()) wake_control();
    for (const std::size_t peer : out.probe_streams) {
        streams_.probe(index_, node_of(peer));
        if (plan_.breakage == Breakage::eternal_answer)
            running_->membership.on_stream_answer(peer, std::nullopt, local(), local(),
                                                  clock_.wall(schedule_.now()));
    }
    for (const sync::HeartbeatToSend& send : out.send)
        world_.send(index_, node_of(send.peer), send.path, send.heartbeat);
    if (!out.round) return;
    running_->vips->sent_round();
    running_->words.clear();
    for (std::size_t peer = 0; peer + 1 < plan_.nodes; ++peer)
        running_->words.push_back(
            running_->membership.for_stream(peer, local(), clock_.wall(schedule_.now())));
}

}  // namespace bascule::sim
