// SPDX-License-Identifier: Apache-2.0
// The packet that a trace sends through the program: whole, with lengths and checksums as a client
// makes them. Pure; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "model/config.h"

namespace bascule::node {

inline constexpr std::uint8_t tcp_fin = 1, tcp_syn = 2, tcp_rst = 4, tcp_ack = 16;

struct TracePacket {
    Address source;
    Address destination;            // of the same family
    std::uint16_t source_port = 0;  // host order, as all numbers here
    std::uint16_t destination_port = 0;
    model::Protocol protocol = model::Protocol::tcp;
    std::uint8_t tcp_flags = tcp_syn;
    std::uint32_t bytes = 0;         // of the IP packet; 0: its headers alone
    bool may_be_fragmented = false;  // IPv4 without "don't fragment"
    std::uint16_t vlan = 0;          // 0: untagged
    Mac station;                     // whom the frame is addressed to
};

// The frame, from its Ethernet header on. Error: addresses of two families, or so many bytes do
// not hold the headers or are more than an IP packet can have.
Result<std::vector<std::uint8_t>> make_frame(const TracePacket& packet);

}  // namespace bascule::node
