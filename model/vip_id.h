// SPDX-License-Identifier: Apache-2.0
// How nodes of a cluster name a VIP to each other, and how many of them they can speak of. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/address.h"

namespace bascule::model {

// Of a VIP in heartbeats, where addresses would take too much room: 32 bits of FNV-1a over its
// family (4 or 6) and its bytes as on the wire. Never changes: nodes of two releases agree on it.
using VipId = std::uint32_t;
VipId vip_id(const Address& vip);

// VIPs that one cluster may have: their claims have to fit into a heartbeat.
inline constexpr std::size_t most_vips = 64;

}  // namespace bascule::model
