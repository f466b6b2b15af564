// SPDX-License-Identifier: Apache-2.0
// What `bascule status` says of the cluster: facts in, findings out. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "node/cluster.h"
#include "node/findings.h"

namespace bascule::node {

struct ClusterFacts {
    const ClusterView* view = nullptr;            // nullptr: a node by itself
    std::vector<model::ClusterNodeConfig> peers;  // as in the view
    std::string key_file;
    std::string shared_problem;   // of the shared map; empty: none
    std::string cluster_problem;  // why there is no view though there should be; empty: none
    sync::Moment now{};
};

// Whatever passes by itself within a few seconds is no finding.
std::vector<Finding> peer_findings(const ClusterFacts& facts);

}  // namespace bascule::node
