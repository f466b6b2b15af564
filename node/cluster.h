// SPDX-License-Identifier: Apache-2.0
// This node's part in its cluster: joins heartbeats, streams, replication and the shared map to the
// daemon. One arrow a line:
//   heartbeats (own thread)          -> who is alive     -> events, status, streams' choice of a
//   path delta logs, sweep (session)      -> Replica          -> streams streams (session) ->
//   Replica          -> session table streams (session)                -> shared map (control) ->
//   State, like the operator's own words State, links, reload (control)   -> facts            ->
//   heartbeats
//
// Thread: control, but for what it says of others. What another thread posts here after it is gone
// does nothing.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/plan.h"
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
};

class Cluster {
public:
    // Reads nothing from disk: keys come with it. `config` has a cluster; `tables` are what stands;
    // `worker`, `sessions` and `shared` outlive it. `clock`: the data plane's seconds. Throws
    // std::exception when this host has no descriptors, no random bytes, or no TLS 1.3.
    Cluster(boost::asio::io_context& control, const model::Config& config,
            const model::Tables& tables, const sync::ClusterKeys& keys, SessionWorker& worker,
            dataplane::SessionTable& sessions, std::function<std::uint32_t()> clock,
            SharedState& shared, EventLog& events);
    ~Cluster();

    // What this node says of itself in heartbeats. What it is that this class knows better (synced,
    // leaving, digest of the shared map, release) is put in here.
    void set_facts(const sync::NodeFacts& facts);
    void set_keys(const sync::ClusterKeys& keys);
    // Around each plan: what it takes away is nobody's before it is carried out, and what is new is
    // known after it.
    void retire(const model::Plan& plan);
    void set_tables(const model::Tables& tables);
    // Says "I leave", and Bye on the streams; at most a second.
    boost::asio::awaitable<void> leave();

    const ClusterView& view() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace bascule::node
