// SPDX-License-Identifier: Apache-2.0
// Packets that the self-test makes. Pure; everything as on the wire, checksums right.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/address.h"

namespace bascule::backend {

using Bytes = std::vector<std::uint8_t>;

// Ports in host order. Both addresses are of one family.
struct UdpFlow {
    Address source;
    Address destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
};

// IP packet, IPv4 without a UDP checksum only where the RFC allows it: never here.
Bytes udp_packet(const UdpFlow& flow, std::span<const std::uint8_t> payload);
// The packet in an outer header of the family of `source`, by IP or by UDP (GUE variant 1).
Bytes in_ip(const Address& source, const Address& destination, const Bytes& inner);
Bytes in_gue(const Address& source, const Address& destination, std::uint16_t port,
             const Bytes& inner);

// Ethernet frame of an IP packet, padded to 60 bytes.
Bytes frame(const Mac& destination, const Mac& source, const Bytes& packet);
// "Does anybody have this?", asked by nobody (RFC 5227, RFC 4862): answered like any question, and
// nobody's caches learn from it. To all who may have it, or, IPv6, to `destination` alone.
Bytes question_frame(const Mac& source, const Address& target);
Bytes question_frame_to(const Mac& destination, const Mac& source, const Address& target);
// Whether the frame is an answer: ARP reply or neighbour advertisement for the address.
bool is_answer_for(std::span<const std::uint8_t> frame, const Address& target);

}  // namespace bascule::backend
