// SPDX-License-Identifier: Apache-2.0
#include "sim/recorder.h"

namespace bascule::sim {
namespace {

constexpr std::size_t longest_tape = 64;

}  // namespace

void Recorder::record(Recorded recorded) {
    if (tape_.size() < longest_tape)
        tape_.push_back(std::move(recorded));
    else if (random_.chance(0.05))
        tape_[random_.below(tape_.size())] = std::move(recorded);
}

void Recorder::play(const std::vector<std::unique_ptr<Node>>& nodes, Time now,
                    const std::uint64_t& sent) {
    if (tape_.empty()) return;
    const Recorded& played = random_.one_of(tape_);
    Node& node = *nodes[played.to];
    if (!node.is_running() || node.paused_until() > now) return;
    // What is not older may be taken for one that was held up on its way; and
    // what its age is measured by may itself have come that late
    // (sync/freshness.h).
    const Time old = 2 * std::max<Time>(2s, 4 * plan_.interval * plan_.dead_after) + 1s;
    // Who is dead is not brought back by what is older than the silence it is dead for.
    const sync::PeerView known = node.peers()[node.index_of(played.from)];
    const bool dead = known.liveness == sync::Liveness::dead &&
                      known.incarnation == played.heartbeat->incarnation;
    const Time silence = plan_.interval * plan_.dead_after;
    if (now - played.sent < (dead ? std::max<Time>(2s, 4 * silence) + silence + 300ms : old))
        return;
    sync::Heartbeat heartbeat = *played.heartbeat;
    if (plan_.breakage == Breakage::let_replay_in) {
        heartbeat.sequence += 1'000'000;
        heartbeat.sent += static_cast<std::uint64_t>((now - played.sent).count());
    }
    const std::size_t peer = node.index_of(played.from);
    const sync::PeerView before = node.peers()[peer];
    const std::uint64_t sent_before = sent;
    node.on_heartbeat(played.from, random_.chance(0.7) ? played.path : random_.below(plan_.paths),
                      heartbeat);
    const sync::PeerView after = node.peers()[peer];
    const bool same = before.liveness == after.liveness && before.since == after.since &&
                      before.incarnation == after.incarnation && before.facts == after.facts &&
                      before.hears_us == after.hears_us;
    const auto received = [](const sync::PeerView& view) {
        std::uint64_t sum = 0;
        for (const sync::PathView& path : view.paths)
            sum += path.received;
        return sum;
    };
    if (!same || received(before) != received(after) || sent != sent_before)
        throw Violation(Node::name(played.to) + " took a recording of " + Node::name(played.from) +
                        ", " + std::to_string((now - played.sent) / 1ms) + " ms old, for new");
}

}  // namespace bascule::sim
