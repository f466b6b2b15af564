// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "node/doctor_look.h"

namespace bascule::node {

namespace {

using namespace std::chrono_literals;

// What passes by itself within this time is not told.
constexpr auto start_patience = 3s;
constexpr auto path_patience = 1s;
constexpr auto step_patience = 3s;
constexpr auto refusal_memory = 10s;

bool lasts(const Since& since, std::chrono::nanoseconds time, sync::Moment now) {
    return since && now - *since >= time;
}

void look_at_own(const model::Config& config, NetlinkRequests& requests, ClusterLook& look) {
    const auto* self = config.cluster->find(config.node.name);
    if (self == nullptr) return;  // the configuration would have been refused
    look.paths = self->addresses.size();
    look.witnesses = config.cluster->witness.size();
    const auto here = local_addresses(requests);
    if (!here) {
        look.own_known = failure(here.error());
        return;
    }
    for (const auto& endpoint : self->addresses)
        look.own.emplace_back(endpoint.to_string(), here->contains(endpoint.address));
}

std::string why_behind(const ClusterView& view, std::size_t i) {
    std::string why;
    if (i < view.replication.replica.size()) why = view.replication.replica[i].behind;
    if (i < view.replication.streams.peers.size()) {
        const sync::StreamView& stream = view.replication.streams.peers[i];
        if (!stream.connected && !stream.problem.empty()) why = stream.problem;
    }
    return why.empty() ? "they are being compared" : why;
}

PeerLook look_at_peer(const ClusterView& view, std::size_t i, sync::Moment now) {
    const PeerNotes& notes = view.notes[i];
    const sync::PeerView& heard = view.heartbeats.peers[i];
    PeerLook peer;
    peer.name = view.peers[i].name;
    peer.incompatible = notes.incompatible;
    peer.silent = notes.dead &&
                  (heard.liveness != sync::Liveness::unknown || now - view.began >= start_patience);
    if (notes.dead) return peer;
    peer.other_config = lasts(notes.other_config, step_patience, now);
    peer.other_ring = lasts(notes.other_ring, step_patience, now);
    if (lasts(notes.behind, step_patience, now)) peer.behind = why_behind(view, i);
    peer.skew = heard.wall_skew;
    for (std::size_t path = 0; path < notes.paths.size(); ++path)
        peer.paths.push_back({view.peers[i].addresses[path].to_string(),
                              lasts(notes.paths[path].silent, path_patience, now),
                              lasts(notes.paths[path].unheard, path_patience, now)});
    return peer;
}

void look_at_refused(const ClusterView& view, sync::Moment now, ClusterLook& look) {
    for (std::size_t path = 0; path < view.unopened.size(); ++path)
        for (std::size_t i = 1; i < view.unopened[path].reasons.size(); ++i) {
            const auto why = static_cast<sync::Unopened>(i);
            const Since& grew = view.unopened[path].reasons[i].grew;
            if (why == sync::Unopened::too_short || why == sync::Unopened::not_for_us) continue;
            if (grew && now - *grew <= refusal_memory)
                look.refused.emplace_back(view.heartbeats.paths.at(path).own.to_string(),
                                          meaning_of(why));
        }
}

void look_at_view(const ClusterView& view, const ClusterVipsView& vips, ClusterLook& look) {
    const sync::Moment now = std::chrono::steady_clock::now();
    for (std::size_t i = 0;
         i < view.peers.size() && i < view.notes.size() && i < view.heartbeats.peers.size(); ++i)
        look.peers.push_back(look_at_peer(view, i, now));
    for (const auto& path : view.heartbeats.paths)
        if (!path.problem.empty()) look.closed.emplace_back(path.own.to_string(), path.problem);
    look.wire_problem = view.heartbeats.wire.problem;
    look_at_refused(view, now, look);
    look.priority = view.heartbeats.priority;
    for (const auto& witness : vips.witnesses)
        if (!witness.answers)
            look.silent_witnesses.emplace_back(witness.address.to_string(), witness.problem);
    if (!vips.epoch_problem.empty()) look.state_problems.push_back(vips.epoch_problem);
}

}  // namespace

ClusterLook look_at_cluster(DaemonOrNone daemon, const model::Config& config,
                            NetlinkRequests& requests) {
    ClusterLook look;
    look.configured = config.cluster.has_value();
    if (!look.configured) return look;
    look_at_own(config, requests, look);
    if (daemon == nullptr || daemon->cluster() == nullptr) {
        look.known = failure(daemon == nullptr ? "no basculed answers that could tell of peers"
                                               : daemon->cluster_problem());
        return look;
    }
    look.state_dir = daemon->options().state_dir;
    if (!daemon->shared().problem().empty())
        look.state_problems.push_back(daemon->shared().problem());
    look_at_view(daemon->cluster()->view(), daemon->cluster()->vips(), look);
    return look;
}

}  // namespace bascule::node
