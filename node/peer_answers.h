// SPDX-License-Identifier: Apache-2.0
// The cluster as this node sees it, as a message of the control protocol; and what `bascule status`
// says of it. Thread: control.
#pragma once

#include <vector>

#include "control/control.pb.h"
#include "node/daemon.h"
#include "node/findings.h"
#include "node/peer_findings.h"

namespace bascule::node {

control::Peers make_peers(const Daemon& daemon);

// What peer_findings() is asked about; of a node without a cluster, its shared map alone.
ClusterFacts gather_cluster_facts(const Daemon& daemon);

}  // namespace bascule::node
