// SPDX-License-Identifier: Apache-2.0
#include "backend/packets.h"

#include <algorithm>

namespace bascule::backend {
namespace {

using Span = std::span<const std::uint8_t>;

constexpr std::size_t least_frame = 60;
constexpr std::uint8_t ttl = 64;
constexpr std::uint8_t nd_hop_limit = 255;
constexpr std::uint16_t gue_source_port = 0xc000;

enum Protocol : std::uint8_t { ip_in_ip = 4, udp = 17, ipv6_in_ip = 41, icmpv6 = 58 };
enum Ethertype : std::uint16_t { ipv4 = 0x0800, arp = 0x0806, ipv6 = 0x86dd };
constexpr std::uint8_t neighbour_solicitation = 135;
constexpr std::uint8_t neighbour_advertisement = 136;
constexpr std::uint8_t arp_reply = 2;

void add(Bytes& bytes, Span more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
}

void add_16(Bytes& bytes, std::size_t value) {
    bytes.push_back(static_cast<std::uint8_t>(value >> 8));
    bytes.push_back(static_cast<std::uint8_t>(value));
}

void set_16(Bytes& bytes, std::size_t at, std::uint16_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

Span wire(const Address& address) {
    const Span all(address.bytes());
    return address.is_v4() ? all.last(4) : all;
}

// RFC 1071.
std::uint16_t checksum(Span bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

// With the addresses, protocol and length that it covers besides (RFC 768, RFC 8200).
std::uint16_t l4_checksum(const Address& source, const Address& destination, Protocol protocol,
                          const Bytes& l4) {
    Bytes covered;
    add(covered, wire(source));
    add(covered, wire(destination));
    add_16(covered, l4.size());
    add_16(covered, protocol);
    add(covered, l4);
    return checksum(covered);
}

Bytes in_header(const Address& source, const Address& destination, Protocol protocol,
                std::uint8_t hops, const Bytes& payload) {
    Bytes packet;
    if (source.is_v4()) {
        packet = {0x45, 0};
        add_16(packet, 20 + payload.size());
        add_16(packet, 0);
        add_16(packet, 0x4000);  // don't fragment
        packet.push_back(hops);
        packet.push_back(protocol);
        add_16(packet, 0);
    } else {
        packet = {0x60, 0, 0, 0};
        add_16(packet, payload.size());
        packet.push_back(protocol);
        packet.push_back(hops);
    }
    add(packet, wire(source));
    add(packet, wire(destination));
    if (source.is_v4()) set_16(packet, 10, checksum(packet));
    add(packet, payload);
    return packet;
}

Bytes udp_datagram(std::uint16_t source, std::uint16_t destination, Span payload) {
    Bytes l4;
    add_16(l4, source);
    add_16(l4, destination);
    add_16(l4, 8 + payload.size());
    add_16(l4, 0);
    add(l4, payload);
    return l4;
}

Bytes in_ethernet(const Mac& destination, const Mac& source, Ethertype type, Span payload) {
    Bytes bytes;
    add(bytes, destination.bytes);
    add(bytes, source.bytes);
    add_16(bytes, type);
    add(bytes, payload);
    if (bytes.size() < least_frame) bytes.resize(least_frame);
    return bytes;
}

Bytes arp_question(const Mac& source, const Address& target) {
    Bytes bytes = {0, 1, 8, 0, 6, 4, 0, 1};  // Ethernet, IPv4, their lengths, request
    add(bytes, source.bytes);
    bytes.resize(bytes.size() + 4 + 6);  // no sender's address, no target's MAC address
    add(bytes, wire(target));
    return bytes;
}

Bytes solicitation(const Address& destination, const Address& target) {
    Bytes l4 = {neighbour_solicitation, 0, 0, 0, 0, 0, 0, 0};
    add(l4, wire(target));
    const Address nobody;
    set_16(l4, 2, l4_checksum(nobody, destination, icmpv6, l4));
    return in_header(nobody, destination, icmpv6, nd_hop_limit, l4);
}

bool equal(Span bytes, const Address& address) {
    const Span expected = wire(address);
    return std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end());
}

}  // namespace

Bytes udp_packet(const UdpFlow& flow, Span payload) {
    Bytes l4 = udp_datagram(flow.source_port, flow.destination_port, payload);
    const std::uint16_t sum = l4_checksum(flow.source, flow.destination, udp, l4);
    set_16(l4, 6, sum == 0 ? 0xffff : sum);
    return in_header(flow.source, flow.destination, udp, ttl, l4);
}

Bytes in_ip(const Address& source, const Address& destination, const Bytes& inner) {
    return in_header(source, destination, inner[0] >> 4 == 4 ? ip_in_ip : ipv6_in_ip, ttl, inner);
}

// No UDP checksum (RFC 6935 for IPv6).
Bytes in_gue(const Address& source, const Address& destination, std::uint16_t port,
             const Bytes& inner) {
    return in_header(source, destination, udp, ttl, udp_datagram(gue_source_port, port, inner));
}

Bytes frame(const Mac& destination, const Mac& source, const Bytes& packet) {
    return in_ethernet(destination, source, packet[0] >> 4 == 4 ? ipv4 : ipv6, packet);
}

Bytes question_frame(const Mac& source, const Address& target) {
    if (target.is_v4())
        return in_ethernet({{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, source, arp,
                           arp_question(source, target));
    // The solicited-node group (RFC 4291, 2.7.1).
    const Address::Bytes& last = target.bytes();
    const Address group(Address::Bytes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, last[13],
                                       last[14], last[15]});
    return in_ethernet({{0x33, 0x33, 0xff, last[13], last[14], last[15]}}, source, ipv6,
                       solicitation(group, target));
}

Bytes question_frame_to(const Mac& destination, const Mac& source, const Address& target) {
    if (target.is_v4()) return in_ethernet(destination, source, arp, arp_question(source, target));
    return in_ethernet(destination, source, ipv6, solicitation(target, target));
}

bool is_answer_for(Span frame, const Address& target) {
    if (frame.size() < 14) return false;
    const int type = frame[12] << 8 | frame[13];
    const Span l3 = frame.subspan(14);
    if (target.is_v4())
        return type == arp && l3.size() >= 28 && l3[7] == arp_reply &&
               equal(l3.subspan(14, 4), target);
    return type == ipv6 && l3.size() >= 64 && l3[6] == icmpv6 &&
           l3[40] == neighbour_advertisement && equal(l3.subspan(48, 16), target);
}

}  // namespace bascule::backend
