// SPDX-License-Identifier: Apache-2.0
// What `bascule status` says of a cluster's VIPs: facts in, findings out. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "node/cluster_vips.h"
#include "node/findings.h"

namespace bascule::node {

struct VipFacts {
    std::string self;
    std::vector<std::string> peers;                     // names, in the order of `heartbeats`
    std::size_t paths = 1;                              // by which nodes hear each other
    const sync::HeartbeatReport* heartbeats = nullptr;  // nullptr: a node by itself
    const ClusterVipsView* vips = nullptr;
    sync::Moment now{};
};

// Whatever passes by itself within a few seconds is no finding. Several VIPs of which the same is
// to be said are named together.
std::vector<Finding> vip_findings(const VipFacts& facts);

// nullptr: the heartbeats have not said anything of it.
const sync::VipView* find_view(const VipFacts& facts, const Address& vip);
// Why none but its holder could have it: "lb2 is dead, lb3 is not in step".
std::string why_nobody(const VipFacts& facts, const sync::VipView& view);
// Whether the operator's word can move it, by this node. The error says why not.
Result<void> may_move(const VipFacts& facts, const sync::VipView& view);

// Another host says that a VIP is its own, and what becomes of that is told to whoever runs it.
std::string in_words(const VipRival& rival);

}  // namespace bascule::node
