// SPDX-License-Identifier: Apache-2.0
// What a tunnel takes of a packet, and what has to be left. Bytes. Pure; any thread.
#pragma once

#include <cstdint>

#include "base/address.h"
#include "model/config.h"

namespace bascule::node {

// Headers that are put around a packet; 0: none.
inline unsigned tunnel_overhead(model::Forward forward, const Address& outer) {
    constexpr unsigned ipv4_header = 20, ipv6_header = 40, udp_header = 8;
    const unsigned ip = outer.is_v4() ? ipv4_header : ipv6_header;
    if (forward == model::Forward::ipip) return ip;
    if (forward == model::Forward::gue) return ip + udp_header;
    return 0;
}

// What clients send, however large a frame the link would carry: Ethernet's, for all that comes by
// way of a router. (A larger MTU of the link is what makes room for the tunnel.)
inline constexpr std::uint32_t most_usual_packet = 1500;

// RFC 1122, 3.3.3: what every host takes whole. RFC 8200, section 5.
inline unsigned least_payload(bool v4) {
    return v4 ? 576 : 1280;
}

}  // namespace bascule::node
