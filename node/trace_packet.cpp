// SPDX-License-Identifier: Apache-2.0
#include "node/trace_packet.h"

#include <fmt/format.h>

#include <algorithm>

namespace bascule::node {

namespace {

using Bytes = std::vector<std::uint8_t>;

// Whom the frame comes from: the next router stands for every client, and its address counts for
// nothing.
constexpr Mac sender{{0x02, 0, 0, 0, 0, 0x01}};
constexpr std::size_t ipv4_header = 20, ipv6_header = 40, tcp_header = 20;
// A SYN says its maximum segment size, so that a trace shows what becomes of it.
constexpr std::size_t mss_option = 4;
constexpr std::uint8_t tcp_protocol = 6, udp_protocol = 17;
constexpr std::uint8_t ttl = 64;
constexpr std::uint16_t window = 64240;
constexpr std::uint32_t sequence = 1000, acknowledged = 2000;

void put16(Bytes& into, std::uint32_t value) {
    into.push_back(static_cast<std::uint8_t>(value >> 8));
    into.push_back(static_cast<std::uint8_t>(value));
}

void put32(Bytes& into, std::uint32_t value) {
    put16(into, value >> 16);
    put16(into, value & 0xffff);
}

void set16(Bytes& into, std::size_t at, std::uint16_t value) {
    into[at] = static_cast<std::uint8_t>(value >> 8);
    into[at + 1] = static_cast<std::uint8_t>(value);
}

void put_address(Bytes& into, const Address& address) {
    const auto& bytes = address.bytes();
    into.insert(into.end(), bytes.begin() + (address.is_v4() ? 12 : 0), bytes.end());
}

// RFC 1071.
std::uint16_t checksum(const Bytes& bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i++)
        sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

Bytes tcp_segment(const TracePacket& packet) {
    const bool is_syn = (packet.tcp_flags & tcp_syn) != 0;
    Bytes segment;
    put16(segment, packet.source_port);
    put16(segment, packet.destination_port);
    put32(segment, sequence);
    put32(segment, (packet.tcp_flags & tcp_ack) != 0 ? acknowledged : 0);
    segment.push_back(static_cast<std::uint8_t>((tcp_header + (is_syn ? mss_option : 0)) / 4 << 4));
    segment.push_back(packet.tcp_flags);
    put16(segment, window);
    put32(segment, 0);  // checksum, urgent pointer
    if (is_syn) {
        segment.insert(segment.end(), {2, mss_option});
        put16(segment, packet.destination.is_v4() ? 1460 : 1440);
    }
    return segment;
}

Bytes udp_datagram(const TracePacket& packet) {
    Bytes datagram;
    put16(datagram, packet.source_port);
    put16(datagram, packet.destination_port);
    put32(datagram, 0);  // length, checksum
    return datagram;
}

// TCP or UDP with its payload of zeros, and the checksum over the pseudo header (RFC 9293 3.1,
// RFC 8200 8.1).
void finish_l4(const TracePacket& packet, Bytes& l4) {
    const bool is_udp = packet.protocol == model::Protocol::udp;
    const auto length = static_cast<std::uint16_t>(l4.size());
    if (is_udp) set16(l4, 4, length);
    Bytes summed;
    put_address(summed, packet.source);
    put_address(summed, packet.destination);
    put16(summed, is_udp ? udp_protocol : tcp_protocol);
    put16(summed, length);
    summed.insert(summed.end(), l4.begin(), l4.end());
    const std::uint16_t sum = checksum(summed);
    // A UDP checksum of 0 would say that there is none.
    set16(l4, is_udp ? 6 : 16, is_udp && sum == 0 ? 0xffff : sum);
}

Bytes ip_header(const TracePacket& packet, std::size_t l4_bytes) {
    const std::uint8_t protocol =
        packet.protocol == model::Protocol::udp ? udp_protocol : tcp_protocol;
    Bytes header;
    if (packet.destination.is_v4()) {
        header = {0x45, 0};
        put16(header, static_cast<std::uint32_t>(ipv4_header + l4_bytes));
        put16(header, 1);  // identification
        put16(header, packet.may_be_fragmented ? 0 : 0x4000);
        header.insert(header.end(), {ttl, protocol, 0, 0});
        put_address(header, packet.source);
        put_address(header, packet.destination);
        set16(header, 10, checksum(header));
        return header;
    }
    put32(header, 0x60000000);
    put16(header, static_cast<std::uint32_t>(l4_bytes));
    header.insert(header.end(), {protocol, ttl});
    put_address(header, packet.source);
    put_address(header, packet.destination);
    return header;
}

Bytes ethernet_header(const TracePacket& packet) {
    Bytes header(packet.station.bytes.begin(), packet.station.bytes.end());
    header.insert(header.end(), sender.bytes.begin(), sender.bytes.end());
    if (packet.vlan != 0) {
        put16(header, 0x8100);
        put16(header, packet.vlan);
    }
    put16(header, packet.destination.is_v4() ? 0x0800 : 0x86dd);
    return header;
}

}  // namespace

Result<Bytes> make_frame(const TracePacket& packet) {
    const bool v4 = packet.destination.is_v4();
    if (packet.source.is_v4() != v4)
        return failure(fmt::format("{} and {} are not of one family", packet.source.to_string(),
                                   packet.destination.to_string()));
    Bytes l4 = packet.protocol == model::Protocol::udp ? udp_datagram(packet) : tcp_segment(packet);
    const std::size_t least = (v4 ? ipv4_header : ipv6_header) + l4.size();
    if (packet.bytes != 0 && (packet.bytes < least || packet.bytes > 65535))
        return failure(fmt::format("an IP packet of {} bytes: it has {} to 65535 of them",
                                   packet.bytes, least));
    if (packet.bytes != 0) l4.resize(l4.size() + packet.bytes - least);
    finish_l4(packet, l4);
    Bytes frame = ethernet_header(packet);
    const Bytes ip = ip_header(packet, l4.size());
    frame.insert(frame.end(), ip.begin(), ip.end());
    frame.insert(frame.end(), l4.begin(), l4.end());
    return frame;
}

}  // namespace bascule::node
