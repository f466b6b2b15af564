// SPDX-License-Identifier: Apache-2.0
#include "sim/calm_life.h"

namespace bascule::sim {
namespace {

constexpr Time between_packets = 500ms;
// A pass over the table, and the way by the log.
constexpr Time uncertain = 3s;

}  // namespace

void CalmLife::begin(Time end) {
    using State = sync::StoredSession::State;
    began_ = world_.now();
    end_ = end;
    for (std::size_t flow = 0; flow < world_.plan_.flows; ++flow) {
        for (std::size_t node = 0; node < world_.plan_.nodes; ++node) {
            const Table::Slot& here = world_.nodes_[node]->table().at(flow);
            if (!here || here->state != State::established || here->from_peer) continue;
            kept_.push_back({flow, node});
            break;
        }
    }
    next();
}

void CalmLife::next() {
    if (world_.now() >= end_) return;
    for (const Kept& kept : kept_)
        world_.nodes_[kept.node]->packet(kept.flow);
    world_.schedule_.after(between_packets, [this] { next(); });
}

// What was told before may be old; from its owner's first turn on a copy is
// kept young.
void CalmLife::judge() const {
    const Time young = began_ + std::chrono::seconds(world_.plan_.limit) / 4 + uncertain;
    for (const Kept& kept : kept_) {
        for (std::size_t node = 0; node < world_.plan_.nodes; ++node) {
            const std::optional<Time>& lapsed = world_.nodes_[node]->table().lapsed(kept.flow);
            if (!lapsed || *lapsed < young) continue;
            throw Violation("flow " + std::to_string(kept.flow) + " goes on at " +
                            Node::name(kept.node) + ", and its copy at " + Node::name(node) +
                            " became idle");
        }
    }
}

}  // namespace bascule::sim
