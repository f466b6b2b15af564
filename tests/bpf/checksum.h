// SPDX-License-Identifier: Apache-2.0
// The Internet checksum (RFC 1071) over whole packets, summed anew each time: what the tests hold
// the engine's incremental updates against. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "frame.h"

namespace bascule::test {

// Where things stand in an IP packet; offsets are from its first byte. Only for packets that are as
// long as they say.
struct IpLayout {
    int family = 0;  // 4, 6; 0: not an IP packet, or shorter than it says
    std::size_t bytes = 0;
    std::size_t l4 = 0;         // first byte behind the IP headers
    std::uint8_t protocol = 0;  // of what stands there
    bool is_fragment = false;
    std::size_t fragment_offset = 0;  // in bytes
    bool whole_l4 = false;            // no fragment, and not cut: l4 is all there
};

std::uint16_t get16(const Bytes& from, std::size_t at);
std::uint32_t get32(const Bytes& from, std::size_t at);
void put16(Bytes& into, std::size_t at, std::uint16_t value);
void put32(Bytes& into, std::size_t at, std::uint32_t value);

// One's complement sum, not folded; a last odd byte counts as if a zero followed.
std::uint32_t ones_sum(const Bytes& bytes, std::size_t from, std::size_t to);
std::uint16_t folded(std::uint32_t sum);

// `ip`: a packet from its IP header on; what follows its own length is not looked at.
IpLayout layout_of(const Bytes& ip);
// The same, of the beginning of a packet as an ICMP error quotes it: lengths may lie beyond.
IpLayout layout_of_quote(const Bytes& ip);

// Where the checksum of a transport header stands, from the packet's first byte; 0: it has none
// that is known.
std::size_t checksum_at(const IpLayout& layout);
// What stands in the checksum field when the packet is right: of TCP, UDP, ICMP, ICMPv6. UDP's
// length is what UDP says.
std::uint16_t right_l4_checksum(const Bytes& ip, const IpLayout& layout);
std::uint16_t right_ipv4_checksum(const Bytes& ip);

// Do the checksums hold? A UDP checksum of zero over IPv4 does.
bool is_l4_checksum_right(const Bytes& ip, const IpLayout& layout);

}  // namespace bascule::test
