// SPDX-License-Identifier: Apache-2.0
// What a frame says, in words: Ethernet, VLAN tags, IPv4, IPv6, TCP, UDP, ICMP, and what tunnels
// and ICMP errors hold inside.
//
// Pure, any thread. The bytes come from the wire: each is length-checked before it is read, and
// nesting is bounded.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bascule::cli {

struct Layer {
    std::string name;  // "ethernet", "ipv4", "tcp", ...
    std::string text;  // "198.51.100.7 > 10.9.0.100, ttl 64, 44 bytes"
};

struct Decoded {
    std::vector<Layer> layers;  // outermost first
    // All of it short: "198.51.100.7:40000 > 10.9.0.100:80 tcp syn, 0 bytes".
    std::string line;
};

// `encapsulated`: the frame is known to be a tunnel's, so UDP that holds an IP header is GUE
// variant 1. (By bytes alone it could be anything.)
Decoded decode(std::span<const std::uint8_t> frame, bool encapsulated);

}  // namespace bascule::cli
