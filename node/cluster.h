// SPDX-License-Identifier: Apache-2.0
// This node's part in its cluster: joins heartbeats, streams, replication and the shared map to the
// daemon. One arrow a line:
//   heartbeats (own thread)     -> who is alive        -> events, status, streams' choice of a path
//   heartbeats                  -> who holds a VIP     -> ClusterVips
//   delta logs, sweep (session) -> Replica             -> streams
//   streams (session)           -> Replica             -> session table
//   streams                     -> shared map (control) -> State, like the operator's own words
//   State, links, reload, witnesses (control) -> facts and fitness -> heartbeats
//
// Thread: control, but for what it says of others. What another thread posts here after it is gone
// does nothing.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/plan.h"
#include "node/cluster_vips.h"
#include "node/event_log.h"
#include "node/peer_watch.h"
#include "node/replication.h"
#include "node/session_worker.h"
#include "node/shared_state.h"
#include "sync/heartbeat_port.h"

namespace bascule::node {

// As last reported; at most 200 ms old.
struct ClusterView {
    sync::HeartbeatReport heartbeats;
    std::vector<model::ClusterNodeConfig> peers;  // in the order of `heartbeats`
    ReplicationView replication;                  // of the same peers
    std::vector<PeerNotes> notes;                 // of the same peers
    std::vector<UnopenedNotes> unopened;          // by own path
    sync::NodeFacts facts;                        // what this node says of itself
    bool synced = false;                          // is_in_step()
    bool alone = false;                           // no peer is alive
    std::string key;                              // fingerprint of the key that is spoken by
    std::size_t accepted_keys = 0;
    sync::Moment began{};
    sync::OwnFitness fitness;  // as the heartbeat thread was told
};

// What outlives it, and what it is made with.
struct ClusterParts {
    SessionWorker& worker;
    dataplane::SessionTable& sessions;
    std::function<std::uint32_t()> clock;  // the data plane's seconds
    SharedState& shared;
    EventLog& events;
    dataplane::VipGuard guard;
    EpochFile& epochs;
    std::vector<Address> kept;  // VIPs that this node has had by itself until now
    // This host has the address of a VIP, or has it no more.
    std::function<void(const Address& vip, bool here)> on_here;
    // See ClusterVips.
    std::function<void(const std::set<Address>&)> on_takers;
};

class Cluster {
public:
    // Reads nothing from disk: keys come with it. `config` has a cluster; `tables` are what stands.
    // Throws std::exception when this host has no descriptors, no random bytes, or no TLS 1.3.
    Cluster(boost::asio::io_context& control, const model::Config& config,
            const model::Tables& tables, const sync::ClusterKeys& keys, ClusterParts parts);
    ~Cluster();

    // What this node says of itself in heartbeats, and what it can. What it is that this class
    // knows better (synced, leaving, witness, digest of the shared map, release) is put in here.
    void set_facts(const sync::NodeFacts& facts, const sync::OwnFitness& fitness);
    void set_keys(const sync::ClusterKeys& keys);
    // Around each plan: what it takes away is nobody's before it is carried out, and what is new is
    // known after it.
    void retire(const model::Plan& plan);
    void set_tables(const model::Tables& tables);
    // Around each change of VIPs that leaves the channels alone: see ClusterVips.
    void release_others(const model::Config& next);
    void set_vips(const model::Config& config);
    void look_at(const std::string& interface);
    // The operator's word: gives the VIP away, or takes it. False: too many at once.
    bool move_vip(const Address& vip);
    // Hands its VIPs over to peers that can take them, if that is wanted; says "I leave", and Bye
    // on the streams. At most a second each.
    boost::asio::awaitable<void> leave(bool hand_over);

    const ClusterView& view() const;
    const ClusterVipsView& vips() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace bascule::node
