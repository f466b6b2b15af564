// SPDX-License-Identifier: Apache-2.0
#include "checksum.h"

#include <algorithm>

namespace bascule::test {

namespace {

constexpr std::uint8_t icmp4 = 1, tcp = 6, udp = 17, icmp6 = 58;
constexpr std::size_t ipv6_header = 40;

bool is_extension(std::uint8_t protocol) {
    return protocol == hop_by_hop || protocol == routing || protocol == fragment ||
           protocol == destination_options;
}

IpLayout layout_v4(const Bytes& ip) {
    IpLayout layout;
    const std::size_t header = std::size_t{ip[0] & 0xfU} * 4;
    layout.bytes = get16(ip, 2);
    layout.l4 = header;
    layout.protocol = ip[9];
    const std::uint16_t word = get16(ip, 6);
    layout.is_fragment = (word & 0x3fff) != 0;
    layout.fragment_offset = std::size_t{word & 0x1fffU} * 8;
    if (header >= 20 && header <= ip.size()) layout.family = 4;
    return layout;
}

IpLayout layout_v6(const Bytes& ip) {
    IpLayout layout;
    layout.bytes = ipv6_header + get16(ip, 4);
    layout.l4 = ipv6_header;
    layout.protocol = ip[6];
    while (is_extension(layout.protocol)) {
        if (layout.l4 + 8 > ip.size()) return {};
        std::size_t bytes = 8;
        if (layout.protocol == fragment) {
            const std::uint16_t word = get16(ip, layout.l4 + 2);
            layout.is_fragment = (word & 0xfff9) != 0;
            layout.fragment_offset = word & 0xfff8U;
        } else {
            bytes = (std::size_t{ip[layout.l4 + 1]} + 1) * 8;
        }
        layout.protocol = ip[layout.l4];
        layout.l4 += bytes;
        if (layout.fragment_offset != 0) break;  // what follows is the middle of something
    }
    if (layout.l4 <= ip.size()) layout.family = 6;
    return layout;
}

std::uint32_t pseudo_header(const Bytes& ip, const IpLayout& layout, std::size_t l4_bytes) {
    const std::uint32_t addresses =
        layout.family == 4 ? ones_sum(ip, 12, 20) : ones_sum(ip, 8, ipv6_header);
    return addresses + layout.protocol + static_cast<std::uint32_t>(l4_bytes);
}

}  // namespace

std::uint16_t get16(const Bytes& from, std::size_t at) {
    return static_cast<std::uint16_t>(from.at(at) << 8 | from.at(at + 1));
}

std::uint32_t get32(const Bytes& from, std::size_t at) {
    return static_cast<std::uint32_t>(get16(from, at)) << 16 | get16(from, at + 2);
}

void put16(Bytes& into, std::size_t at, std::uint16_t value) {
    into.at(at) = static_cast<std::uint8_t>(value >> 8);
    into.at(at + 1) = static_cast<std::uint8_t>(value);
}

void put32(Bytes& into, std::size_t at, std::uint32_t value) {
    put16(into, at, static_cast<std::uint16_t>(value >> 16));
    put16(into, at + 2, static_cast<std::uint16_t>(value));
}

std::uint32_t ones_sum(const Bytes& bytes, std::size_t from, std::size_t to) {
    std::uint32_t sum = 0;
    std::size_t at = from;
    for (; at + 1 < to; at += 2)
        sum += get16(bytes, at);
    if (at < to) sum += static_cast<std::uint32_t>(bytes.at(at)) << 8;
    return sum;
}

std::uint16_t folded(std::uint32_t sum) {
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

IpLayout layout_of_quote(const Bytes& ip) {
    if (ip.size() >= 20 && ip[0] >> 4 == 4) return layout_v4(ip);
    if (ip.size() >= ipv6_header && ip[0] >> 4 == 6) return layout_v6(ip);
    return {};
}

IpLayout layout_of(const Bytes& ip) {
    IpLayout layout = layout_of_quote(ip);
    if (layout.bytes > ip.size() || layout.l4 > layout.bytes) return {};
    layout.whole_l4 = layout.family != 0 && !layout.is_fragment;
    return layout;
}

std::size_t checksum_at(const IpLayout& layout) {
    switch (layout.protocol) {
        case tcp:
            return layout.l4 + 16;
        case udp:
            return layout.l4 + 6;
        case icmp4:
        case icmp6:
            return layout.l4 + 2;
        default:
            return 0;
    }
}

std::uint16_t right_l4_checksum(const Bytes& ip, const IpLayout& layout) {
    const std::size_t at = checksum_at(layout);
    const std::size_t l4_bytes =
        layout.protocol == udp ? get16(ip, layout.l4 + 4) : layout.bytes - layout.l4;
    const std::size_t end = std::min(layout.l4 + l4_bytes, ip.size());
    const std::uint32_t pseudo = layout.protocol == icmp4 ? 0 : pseudo_header(ip, layout, l4_bytes);
    const std::uint32_t sum = pseudo + ones_sum(ip, layout.l4, end) - get16(ip, at);
    const auto right = static_cast<std::uint16_t>(~folded(sum));
    return layout.protocol == udp && right == 0 ? 0xffff : right;
}

std::uint16_t right_ipv4_checksum(const Bytes& ip) {
    const std::size_t header = std::size_t{ip.at(0) & 0xfU} * 4;
    return static_cast<std::uint16_t>(~folded(ones_sum(ip, 0, header) - get16(ip, 10)));
}

bool is_l4_checksum_right(const Bytes& ip, const IpLayout& layout) {
    const std::size_t at = checksum_at(layout);
    if (at == 0 || at + 2 > layout.bytes) return false;
    const std::uint16_t is = get16(ip, at);
    if (layout.protocol == udp && layout.family == 4 && is == 0) return true;
    return is == right_l4_checksum(ip, layout);
}

}  // namespace bascule::test
