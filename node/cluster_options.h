// SPDX-License-Identifier: Apache-2.0
// What the parts of a cluster's node are made with, from its configuration. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/session_table.h"
#include "model/config.h"
#include "node/replication.h"
#include "sync/cluster_key.h"
#include "sync/moment.h"

namespace bascule::node {

// Throws std::runtime_error when there are no random bytes.
sync::Incarnation random_incarnation();
// All nodes but this one, in the configuration's order.
std::vector<model::ClusterNodeConfig> peers_of(const model::Config& config);
ReplicationOptions replication_options(const model::Config& config, const sync::ClusterKeys& keys,
                                       sync::Incarnation incarnation,
                                       const dataplane::SessionTable& table);
// How long who starts hears who is there: by then every peer that lives was heard, and has shown
// that it is no replay.
std::chrono::nanoseconds listening_time(const model::ClusterConfig& cluster);

// Whether heartbeats of peers can come in: one of a node's own addresses is on this host, and its
// interface is up with carrier. Also true where an earlier run left one of `vips`, whose lease
// would end by waiting. nullopt: the kernel does not tell.
std::optional<bool> can_hear(const model::ClusterNodeConfig& own,
                             const std::vector<model::VipConfig>& vips);

}  // namespace bascule::node
