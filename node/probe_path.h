// SPDX-License-Identifier: Apache-2.0
// The veth pair that probes by the VIP leave by: made or adopted, set up, and taken away.
//
// bscp0 is the stack's end: the made-up networks are routed to it, at an MTU of 1280 bytes, while
// its own takes in larger answers; no ARP, no IPv6 link-local address, checksum and segmentation
// offloads off, GRO on. bscp1 carries the probing program. Both outlive the daemon. Nothing else of
// the host is changed: no rule, no sysctl of all interfaces, one neighbour entry a family and not
// one an address. Thread: control.
#pragma once

#include <optional>

#include "base/address.h"
#include "base/result.h"
#include "dataplane/dataplane.h"
#include "model/config.h"

namespace bascule::node {

inline constexpr const char* probe_stack_end = "bscp0";
inline constexpr const char* probe_our_end = "bscp1";

// Where a backend's probes go: the made-up address that names its slot, of the VIP's family.
Address probe_address(const model::NodeConfig& node, const Address& vip, std::uint16_t slot,
                      std::uint8_t generation);

// Makes the pair, or makes a pair of an earlier daemon right. Fails when something else on this
// host has the name or a route into the made-up networks, naming it and the key that moves ours.
// Calling it again with other networks moves the routes; with the same ones it changes nothing, and
// nothing is reported of the pair's links. Reads all routes of this host. Without IPv6 on this host
// there is no way for IPv6.
Result<dataplane::ProbePath> open_probe_path(const model::NodeConfig& node);
// Whether any check of a configuration goes that way.
bool probes_by_vip(const model::Config& config);
// Takes it away; well when it is not there.
Result<void> remove_probe_path();

// What probes by this VIP come from: an address of its family that is no VIP of `config`, on the
// VIP's interface if there is one, else on one of [node] interfaces. Nullopt: there is none.
std::optional<Address> probe_source(const model::Config& config, const model::VipConfig& vip);

}  // namespace bascule::node
