// SPDX-License-Identifier: Apache-2.0
// Where this host itself has no way to backends: a route has gone, with an address or an interface,
// which another node may well have. Thread: control.
#pragma once

#include <vector>

#include "base/address.h"
#include "node/daemon.h"
#include "node/findings.h"

namespace bascule::node {

// Not so: every backend of the VIP's services is one that the kernel has no route to. Of those that
// nothing is known of yet, or that are this host itself, nothing is said.
bool is_routed(const State& state, const Address& vip);

// IPv4, IPv6.
std::vector<FamilyFacts> gather_families(const Daemon& daemon);

}  // namespace bascule::node
