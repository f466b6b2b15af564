// SPDX-License-Identifier: Apache-2.0
#include "node/peer_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace bascule::node {

namespace {

using namespace std::chrono_literals;
using Kind = Event::Kind;

// Loss makes short silences; what is shorter is no event.
constexpr auto path_patience = 1s;
// Between two events about the same refusal: a peer with a wrong key tries for ever.
constexpr auto refusal_pause = 60s;

void follow(Since& since, bool holds, sync::Moment now) {
    if (!holds)
        since.reset();
    else if (!since)
        since = now;
}

bool lasts(const Since& since, std::chrono::nanoseconds time, sync::Moment now) {
    return since && now - *since >= time;
}

bool may_tell(Since& told, sync::Moment now) {
    if (told && now - *told < refusal_pause) return false;
    told = now;
    return true;
}

// Hashes are 0 until they are known.
bool differ(std::uint64_t ours, std::uint64_t theirs) {
    return ours != 0 && theirs != 0 && ours != theirs;
}

// Of what opens no heartbeat, that which somebody has to mend.
bool is_refusal(sync::Unopened why) {
    switch (why) {
        case sync::Unopened::other_format:
        case sync::Unopened::other_cluster:
        case sync::Unopened::unknown_sender:
        case sync::Unopened::unknown_key:
        case sync::Unopened::not_authentic:
        case sync::Unopened::not_understood:
            return true;
        default:
            return false;
    }
}

}  // namespace

bool lives(const sync::PeerView& peer) {
    return peer.liveness == sync::Liveness::alive || peer.liveness == sync::Liveness::suspect;
}

bool is_in_step(const sync::HeartbeatReport& heartbeats, const ReplicationView& replication,
                bool listened) {
    bool any = false;
    for (std::size_t i = 0; i < heartbeats.peers.size(); ++i) {
        if (!lives(heartbeats.peers[i])) continue;
        if (i >= replication.replica.size() || !replication.replica[i].synced) return false;
        any = true;
    }
    return any || listened;
}

PeerWatch::PeerWatch(std::vector<model::ClusterNodeConfig> peers, std::size_t own_paths)
    : nodes_(std::move(peers)), peers_(nodes_.size()), unopened_(own_paths) {
    for (std::size_t i = 0; i < nodes_.size(); ++i)
        peers_[i].paths.resize(nodes_[i].addresses.size());
}

bool PeerWatch::is_new(std::size_t peer, sync::Incarnation incarnation) {
    return std::exchange(peers_.at(peer).incarnation, incarnation) != incarnation;
}

bool PeerWatch::has_left_paths(std::size_t peer, const sync::PeerView& view) {
    return !std::exchange(peers_.at(peer).by_wire, view.by_wire) && view.by_wire;
}

std::optional<PeerWatch::Told> PeerWatch::on_change(const sync::MembershipChange& change) const {
    const std::string& name = nodes_.at(change.peer).name;
    if (change.to == sync::Liveness::dead) return Told{Kind::peer_dead, name, change.why};
    if (change.restarted) return Told{Kind::peer_alive, name, "it was restarted"};
    const bool lived =
        change.from == sync::Liveness::alive || change.from == sync::Liveness::suspect;
    if (lived) return std::nullopt;
    if (change.to == sync::Liveness::suspect) return Told{Kind::peer_alive, name, change.why};
    return Told{Kind::peer_alive, name,
                change.from == sync::Liveness::unknown ? "it is heard" : "it is heard again"};
}

std::vector<PeerWatch::Told> PeerWatch::on_heartbeats(const sync::HeartbeatReport& report,
                                                      const sync::NodeFacts& own,
                                                      sync::Moment now) {
    std::vector<Told> told;
    for (std::size_t i = 0; i < peers_.size() && i < report.peers.size(); ++i) {
        const sync::PeerView& view = report.peers[i];
        PeerNotes& notes = peers_[i];
        const bool alive = lives(view);
        follow(notes.dead, !alive, now);
        follow(notes.other_config, alive && differ(own.config_hash, view.facts.config_hash), now);
        follow(notes.other_ring, alive && differ(own.ring_hash, view.facts.ring_hash), now);
        follow(notes.other_shared, alive && own.shared_digest != view.facts.shared_digest, now);
        if (view.incompatible && !std::exchange(notes.incompatible, view.incompatible))
            told.push_back(
                {Kind::peer_refused, nodes_[i].name,
                 fmt::format("its release, {}, needs a newer one here",
                             view.facts.release.empty() ? "unknown" : view.facts.release)});
        notes.incompatible = view.incompatible;
        follow_paths(i, view, now, told);
    }
    for (std::size_t path = 0; path < unopened_.size() && path < report.paths.size(); ++path)
        follow_unopened(path, report.paths[path], now, told);
    return told;
}

void PeerWatch::follow_paths(std::size_t peer, const sync::PeerView& view, sync::Moment now,
                             std::vector<Told>& told) {
    const model::ClusterNodeConfig& node = nodes_[peer];
    auto& paths = peers_[peer].paths;
    for (std::size_t i = 0; i < paths.size() && i < view.paths.size(); ++i) {
        PathNotes& notes = paths[i];
        follow(notes.silent, !view.paths[i].heard, now);
        follow(notes.unheard, view.paths[i].heard && !view.paths[i].hears_us, now);
        const auto tell = [&](Kind kind, std::string text) {
            told.push_back(
                {kind, node.name + " " + node.addresses[i].to_string(), std::move(text)});
        };
        if (!notes.up) {
            notes.up = lives(view) && !notes.silent && !notes.unheard;
            if (notes.up) tell(Kind::path_up, "both hear each other");
        } else if (!lives(view)) {
            notes.up = false;  // the end of the peer is told already, by one event
        } else if (lasts(notes.silent, path_patience, now)) {
            notes.up = false;
            tell(Kind::path_down, "nothing is heard by it");
        } else if (lasts(notes.unheard, path_patience, now)) {
            notes.up = false;
            tell(Kind::path_down, "one way only: it is heard, and does not hear this node");
        }
    }
}

void PeerWatch::follow_unopened(std::size_t path, const sync::PathState& state, sync::Moment now,
                                std::vector<Told>& told) {
    for (std::size_t i = 0; i < sync::unopened_reasons; ++i) {
        auto& reason = unopened_[path].reasons[i];
        const std::uint64_t before = std::exchange(reason.count, state.unopened[i]);
        if (reason.count <= before) continue;
        reason.grew = now;
        const auto why = static_cast<sync::Unopened>(i);
        if (!is_refusal(why) || !may_tell(reason.told, now)) continue;
        told.push_back(
            {Kind::peer_refused, "heartbeats at " + state.own.to_string(), sync::meaning_of(why)});
    }
}

std::vector<PeerWatch::Told> PeerWatch::on_replication(const ReplicationView& view,
                                                       const sync::HeartbeatReport& heartbeats,
                                                       sync::Moment now) {
    std::vector<Told> told;
    for (std::size_t i = 0; i < peers_.size() && i < view.replica.size(); ++i) {
        PeerNotes& notes = peers_[i];
        const sync::ReplicaPeerView& replica = view.replica[i];
        const bool alive = i < heartbeats.peers.size() && lives(heartbeats.peers[i]);
        follow(notes.behind, alive && !replica.synced, now);
        if (replica.synced && !notes.synced)
            told.push_back({Kind::peer_synced, nodes_[i].name, "sessions are the same on both"});
        if (!replica.synced && notes.synced)
            told.push_back({Kind::peer_unsynced, nodes_[i].name,
                            replica.behind.empty() ? "not connected" : replica.behind});
        notes.synced = replica.synced;
        if (i >= view.streams.peers.size()) continue;
        const sync::StreamView& stream = view.streams.peers[i];
        const std::uint64_t before = std::exchange(notes.refused, stream.refused);
        if (stream.refused > before && may_tell(notes.refusal_told, now))
            told.push_back({Kind::peer_refused, nodes_[i].name,
                            stream.problem.empty() ? "its stream was refused" : stream.problem});
    }
    return told;
}

}  // namespace bascule::node
