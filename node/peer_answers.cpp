// SPDX-License-Identifier: Apache-2.0
#include "node/peer_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "node/links.h"

namespace bascule::node {

namespace {

using std::chrono::duration_cast;
using sync::Liveness;
using sync::Moment;
using Milliseconds = std::chrono::duration<double, std::milli>;

double in_ms(sync::Nanoseconds time) {
    return Milliseconds(time).count();
}

std::uint64_t seconds_since(Moment since, Moment now) {
    if (since == Moment{} || since > now) return 0;
    return static_cast<std::uint64_t>(duration_cast<std::chrono::seconds>(now - since).count());
}

std::string in_hex(std::uint64_t hash) {
    return fmt::format("{:016x}", hash);
}

control::Peer::State state_of(Liveness liveness) {
    switch (liveness) {
        case Liveness::alive:
            return control::Peer::PEER_ALIVE;
        case Liveness::suspect:
            return control::Peer::PEER_SUSPECT;
        case Liveness::dead:
            return control::Peer::PEER_DEAD;
        case Liveness::unknown:
            break;
    }
    return control::Peer::PEER_UNKNOWN;
}

template <typename Message>
void add_counter(Message& message, const char* name, const char* meaning, std::uint64_t count) {
    auto* counter = message.add_counters();
    counter->set_name(name);
    counter->set_meaning(meaning);
    counter->set_count(count);
}

void fill_counters(control::Peer& message, const sync::ReplicaPeerView& replica,
                   const sync::PeerView& heard) {
    add_counter(message, "sent", "changes of sessions told to it", replica.sent);
    add_counter(message, "received", "changes of sessions told by it", replica.received);
    add_counter(message, "resync_sent", "sessions sent to it by comparisons", replica.resync_sent);
    add_counter(message, "resync_received", "sessions that comparisons brought from it",
                replica.resync_received);
    add_counter(message, "resyncs", "comparisons of all sessions", replica.resyncs);
    add_counter(message, "gaps", "times that changes were lost on the way to a comparison",
                replica.gaps);
    add_counter(message, "audits", "comparisons while in step", replica.audits);
    add_counter(message, "drift", "sessions that such a one had to mend", replica.drift);
    add_counter(message, "unknown_target",
                "records of services or backends that are not known here", replica.unknown_target);
    add_counter(message, "no_room", "records that the table had no place for", replica.no_room);
    add_counter(message, "stale", "records that were older than what is known here", replica.stale);
    add_counter(message, "suspected", "times that it was silent for nearly too long",
                heard.suspected);
    add_counter(message, "unverified", "heartbeats of runs that have not proven to be live",
                heard.unverified);
}

void fill_path(control::PeerPath& path, const sync::PathView& view) {
    path.set_heard(view.heard);
    path.set_hears_us(view.hears_us);
    if (view.rtt.count() > 0) path.set_rtt_ms(in_ms(view.rtt));
    if (view.rtt_least.count() > 0) path.set_rtt_least_ms(in_ms(view.rtt_least));
    path.set_loss(view.loss);
    path.set_received(view.received);
    path.set_replayed(view.replayed);
}

void fill_paths(control::Peer& message, const model::ClusterNodeConfig& node,
                const sync::PeerView& heard) {
    for (std::size_t i = 0; i < node.addresses.size(); ++i) {
        auto* path = message.add_paths();
        path->set_address(node.addresses[i].to_string());
        if (i < heard.paths.size()) fill_path(*path, heard.paths[i]);
    }
}

void fill_wire(control::Peer& message, const sync::HeartbeatReport& report, std::size_t peer) {
    if (peer >= report.wire_places.size() || report.wire_places[peer].ifindex == 0) return;
    const sync::WirePlace& place = report.wire_places[peer];
    const auto ifindex = static_cast<std::uint32_t>(place.ifindex);
    auto* path = message.mutable_wire();
    path->set_address(fmt::format("{} on {}", place.mac.to_string(), interface_name(ifindex)));
    fill_path(*path, report.peers[peer].wire);
    message.set_by_wire(report.peers[peer].by_wire);
}

void fill_heard(control::Peer& message, const sync::PeerView& heard, Moment now) {
    message.set_state(state_of(heard.liveness));
    message.set_state_seconds(seconds_since(heard.since, now));
    message.set_hears_us(heard.hears_us);
    message.set_incompatible(heard.incompatible);
    message.set_release(heard.facts.release);
    message.set_deaths(heard.died);
    message.set_leaving(heard.facts.leaving);
    message.set_peer_synced(heard.facts.synced);
    if (heard.wall_skew) message.set_skew_ms(in_ms(*heard.wall_skew));
}

void fill_stream(control::Peer& message, const sync::StreamView& stream, Moment now) {
    message.set_stream(stream.connected);
    message.set_stream_path(stream.path);
    message.set_stream_problem(stream.problem);
    if (stream.connected) message.set_stream_seconds(seconds_since(stream.since, now));
    message.set_bytes_sent(stream.bytes_sent);
    message.set_bytes_received(stream.bytes_received);
}

void fill_replica(control::Peer& message, const sync::ReplicaPeerView& replica) {
    message.set_synced(replica.synced);
    message.set_behind(replica.behind);
    message.set_resyncing(replica.resyncing);
    message.set_resync_done(replica.resync_done);
    if (replica.lag) message.set_lag_ms(in_ms(*replica.lag));
}

// Of a peer that has said something in this run.
void fill_equal(control::Peer& message, const sync::PeerView& heard, const sync::NodeFacts& own) {
    const bool known = heard.liveness == Liveness::alive || heard.liveness == Liveness::suspect;
    if (!known) return;
    const sync::NodeFacts& theirs = heard.facts;
    if (theirs.config_hash != 0) message.set_config_equal(theirs.config_hash == own.config_hash);
    if (theirs.ring_hash != 0) message.set_ring_equal(theirs.ring_hash == own.ring_hash);
    message.set_shared_equal(theirs.shared_digest == own.shared_digest);
}

template <typename Counts>
void fill_unopened(control::OwnPath& path, const Counts& unopened) {
    for (std::size_t i = 1; i < sync::unopened_reasons; ++i) {
        if (unopened[i] == 0) continue;
        auto* counter = path.add_unopened();
        counter->set_name(name_of(static_cast<sync::Unopened>(i)));
        counter->set_meaning(meaning_of(static_cast<sync::Unopened>(i)));
        counter->set_count(unopened[i]);
    }
}

void fill_own_paths(control::Peers& peers, const ClusterView& view) {
    for (const sync::PathState& state : view.heartbeats.paths) {
        auto* path = peers.add_paths();
        path->set_address(state.own.to_string());
        path->set_problem(state.problem);
        path->set_datagrams(state.datagrams);
        path->set_from_strangers(state.from_strangers);
        fill_unopened(*path, state.unopened);
    }
    const sync::WireState& wire = view.heartbeats.wire;
    auto* own = peers.mutable_wire();
    own->set_problem(wire.problem);
    own->set_datagrams(wire.received);
    own->set_from_strangers(wire.dropped);
    fill_unopened(*own, wire.unopened);
}

void fill_own(control::Peers& peers, const ClusterView& view) {
    peers.set_synced(view.synced);
    peers.set_alone(view.alone);
    peers.set_key(view.key);
    peers.set_accepted_keys(static_cast<std::uint32_t>(view.accepted_keys));
    peers.set_heartbeat_priority(view.heartbeats.priority);
    peers.set_slept(view.heartbeats.slept);
    peers.set_slept_longest_ms(in_ms(view.heartbeats.slept_longest));
    peers.set_config_hash(in_hex(view.facts.config_hash));
    peers.set_ring_hash(in_hex(view.facts.ring_hash));
    peers.set_shared_digest(in_hex(view.facts.shared_digest));
}

}  // namespace

control::Peers make_peers(const Daemon& daemon) {
    control::Peers peers;
    const model::Config& config = daemon.state().config();
    peers.set_node(config.node.name);
    peers.set_shared_items(daemon.shared().map().items().size());
    if (!config.cluster || daemon.cluster() == nullptr) return peers;
    const ClusterView& view = daemon.cluster()->view();
    peers.set_in_cluster(true);
    peers.set_cluster(config.cluster->name);
    peers.set_interval_ms(in_ms(config.cluster->heartbeat_interval));
    peers.set_dead_after(config.cluster->dead_after);
    fill_own(peers, view);
    fill_own_paths(peers, view);
    const Moment now = std::chrono::steady_clock::now();
    // Not those of State's configuration: while a reload waits, that is another one already.
    for (std::size_t i = 0; i < view.peers.size(); ++i) {
        const model::ClusterNodeConfig& node = view.peers[i];
        auto* peer = peers.add_peers();
        peer->set_name(node.name);
        sync::PeerView heard;
        if (i < view.heartbeats.peers.size()) heard = view.heartbeats.peers[i];
        fill_heard(*peer, heard, now);
        fill_paths(*peer, node, heard);
        if (i < view.heartbeats.peers.size()) fill_wire(*peer, view.heartbeats, i);
        fill_equal(*peer, heard, view.facts);
        if (i < view.replication.streams.peers.size())
            fill_stream(*peer, view.replication.streams.peers[i], now);
        if (i < view.replication.replica.size()) {
            fill_replica(*peer, view.replication.replica[i]);
            fill_counters(*peer, view.replication.replica[i], heard);
        }
    }
    return peers;
}

ClusterFacts gather_cluster_facts(const Daemon& daemon) {
    ClusterFacts facts;
    facts.shared_problem = daemon.shared().problem();
    facts.now = std::chrono::steady_clock::now();
    facts.cluster_problem = daemon.cluster_problem();
    const model::Config& config = daemon.state().config();
    if (!config.cluster || daemon.cluster() == nullptr) return facts;
    facts.view = &daemon.cluster()->view();
    facts.peers = facts.view->peers;
    facts.key_file = config.cluster->key_file;
    return facts;
}

}  // namespace bascule::node
