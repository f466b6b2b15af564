// SPDX-License-Identifier: Apache-2.0
#include "frame.h"

#include <algorithm>

#include "checksum.h"

namespace bascule::test {

namespace {

constexpr std::size_t ipv4_header = 20, ipv6_header = 40, tcp_header = 20, udp_header = 8,
                      icmp_header = 8;

}  // namespace

Frame::Frame(Mac destination, Mac source, std::uint16_t ethertype) {
    bytes_.insert(bytes_.end(), destination.bytes.begin(), destination.bytes.end());
    bytes_.insert(bytes_.end(), source.bytes.begin(), source.bytes.end());
    bytes_.resize(14);
    put16(bytes_, 12, ethertype);
}

void Frame::next_ethertype(std::uint16_t ethertype) {
    put16(bytes_, ethertype_at_, ethertype);
}

void Frame::next_protocol(std::uint8_t number) {
    if (protocol_at_ != 0) bytes_[protocol_at_] = number;
}

std::size_t Frame::append(std::size_t bytes) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + bytes);
    return at;
}

Frame& Frame::vlan(std::uint16_t id, std::uint16_t ethertype) {
    next_ethertype(ethertype);
    const std::size_t at = append(4);
    put16(bytes_, at, id);
    ethertype_at_ = at + 2;
    return *this;
}

Frame& Frame::ipv4(const Ipv4& header) {
    next_ethertype(0x0800);
    const std::size_t at = append(ipv4_header);
    const auto words = static_cast<std::uint8_t>((ipv4_header + header.option_bytes) / 4);
    bytes_[at] =
        static_cast<std::uint8_t>(header.version << 4 | header.header_words.value_or(words));
    bytes_[at + 1] = header.tos;
    put16(bytes_, at + 2, header.total_length.value_or(0));
    put16(bytes_, at + 4, header.id);
    put16(bytes_, at + 6, header.fragment_word);
    bytes_[at + 8] = header.ttl;
    bytes_[at + 9] = header.protocol.value_or(0);
    std::copy_n(header.source.bytes().begin() + 12, 4, bytes_.begin() + static_cast<long>(at) + 12);
    std::copy_n(header.destination.bytes().begin() + 12, 4,
                bytes_.begin() + static_cast<long>(at) + 16);
    bytes_.resize(bytes_.size() + header.option_bytes, 1);
    ipv4_at_ = at;
    total_given_ = header.total_length.has_value();
    protocol_at_ = header.protocol ? 0 : at + 9;
    return *this;
}

Frame& Frame::ipv6(const Ipv6& header) {
    next_ethertype(0x86dd);
    const std::size_t at = append(ipv6_header);
    put32(bytes_, at,
          static_cast<std::uint32_t>(header.version) << 28 |
              static_cast<std::uint32_t>(header.traffic_class) << 20 | header.flow_label);
    put16(bytes_, at + 4, header.payload_length.value_or(0));
    bytes_[at + 6] = header.next_header.value_or(59);  // no next header
    bytes_[at + 7] = header.hop_limit;
    std::copy_n(header.source.bytes().begin(), 16, bytes_.begin() + static_cast<long>(at) + 8);
    std::copy_n(header.destination.bytes().begin(), 16,
                bytes_.begin() + static_cast<long>(at) + 24);
    ipv6_at_ = at;
    payload_given_ = header.payload_length.has_value();
    protocol_at_ = header.next_header ? 0 : at + 6;
    return *this;
}

Frame& Frame::ip(const Address& source, const Address& destination) {
    if (destination.is_v4()) return ipv4({.source = source, .destination = destination});
    return ipv6({.source = source, .destination = destination});
}

Frame& Frame::extension(std::uint8_t type, std::size_t bytes) {
    next_protocol(type);
    const std::size_t at = append(bytes);
    bytes_[at] = 59;  // no next header
    bytes_[at + 1] = static_cast<std::uint8_t>(type == fragment ? 0 : bytes / 8 - 1);
    if (type == hop_by_hop || type == destination_options) {
        bytes_[at + 2] = 1;  // PadN
        bytes_[at + 3] = static_cast<std::uint8_t>(bytes - 4);
    }
    protocol_at_ = at;
    return *this;
}

Frame& Frame::piece(std::size_t offset, bool more, std::uint32_t id) {
    const std::size_t at = bytes_.size();
    extension(fragment);
    put16(bytes_, at + 2, static_cast<std::uint16_t>(offset | (more ? 1 : 0)));
    put32(bytes_, at + 4, id);
    return *this;
}

Frame& Frame::tcp(const Tcp& header) {
    next_protocol(6);
    const std::size_t at = append(tcp_header);
    put16(bytes_, at, header.source);
    put16(bytes_, at + 2, header.destination);
    put32(bytes_, at + 4, header.sequence);
    put32(bytes_, at + 8, header.acknowledgement);
    const std::size_t option_bytes =
        header.options.empty() ? header.option_bytes : header.options.size();
    const auto words = static_cast<std::uint8_t>((tcp_header + option_bytes) / 4);
    bytes_[at + 12] = static_cast<std::uint8_t>(header.header_words.value_or(words) << 4);
    bytes_[at + 13] = header.flags;
    put16(bytes_, at + 14, 0xfaf0);  // window
    put16(bytes_, at + 16, 0xbeef);  // checksum
    bytes_.resize(bytes_.size() + option_bytes, 1);
    std::copy(header.options.begin(), header.options.end(),
              bytes_.begin() + static_cast<long>(at + tcp_header));
    return *this;
}

Frame& Frame::udp(const Udp& header) {
    next_protocol(17);
    const std::size_t at = append(udp_header);
    put16(bytes_, at, header.source);
    put16(bytes_, at + 2, header.destination);
    put16(bytes_, at + 4, header.length.value_or(0));
    put16(bytes_, at + 6, header.checksum);
    udp_at_ = at;
    udp_given_ = header.length.has_value();
    return *this;
}

Frame& Frame::icmp(const Icmp& header) {
    next_protocol(ipv6_at_ != 0 ? 58 : 1);
    const std::size_t at = append(icmp_header);
    bytes_[at] = header.type;
    bytes_[at + 1] = header.code;
    put32(bytes_, at + 4, header.rest);
    bytes_.insert(bytes_.end(), header.quoted.begin(), header.quoted.end());
    return checked();
}

Frame& Frame::protocol(std::uint8_t number, std::size_t bytes) {
    next_protocol(number);
    return payload(bytes);
}

Frame& Frame::payload(std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; i++)
        bytes_.push_back(static_cast<std::uint8_t>(0xa0 + i));
    return *this;
}

Frame& Frame::padding(std::size_t bytes) {
    padding_ += bytes;
    return *this;
}

Frame& Frame::checked() {
    checked_ = true;
    return *this;
}

void Frame::fill_checksum(Bytes& frame) const {
    const std::size_t l3_at = ipv4_at_ != 0 ? ipv4_at_ : ipv6_at_;
    const Bytes ip(frame.begin() + static_cast<long>(l3_at), frame.end());
    const IpLayout layout = layout_of(ip);
    const std::size_t at = checksum_at(layout);
    if (layout.family != 0 && at != 0) put16(frame, l3_at + at, right_l4_checksum(ip, layout));
}

Bytes Frame::bytes() const {
    Bytes frame = bytes_;
    const auto from = [&](std::size_t at) { return static_cast<std::uint16_t>(frame.size() - at); };
    if (udp_at_ != 0 && !udp_given_) put16(frame, udp_at_ + 4, from(udp_at_));
    if (ipv6_at_ != 0 && !payload_given_) put16(frame, ipv6_at_ + 4, from(ipv6_at_ + ipv6_header));
    if (ipv4_at_ != 0) {
        if (!total_given_) put16(frame, ipv4_at_ + 2, from(ipv4_at_));
        const Bytes ip(frame.begin() + static_cast<long>(ipv4_at_), frame.end());
        if (std::size_t{ip[0] & 0xfU} * 4 <= ip.size())
            put16(frame, ipv4_at_ + 10, right_ipv4_checksum(ip));
    }
    if (checked_) fill_checksum(frame);
    frame.resize(frame.size() + padding_);
    return frame;
}

Bytes packet_of(const Bytes& frame, std::size_t most) {
    constexpr std::size_t ethernet_header = 14;
    const std::size_t bytes = std::min(frame.size() - ethernet_header, most);
    return {frame.begin() + ethernet_header,
            frame.begin() + static_cast<long>(ethernet_header + bytes)};
}

Bytes cut(const Bytes& frame, std::size_t size) {
    return {frame.begin(), frame.begin() + static_cast<long>(size)};
}

Bytes cut_honestly(const Bytes& frame, std::size_t size, std::size_t l3_at) {
    Bytes result = cut(frame, size);
    if (result.size() < l3_at + 6) return result;
    const bool v4 = result[l3_at] >> 4 == 4;
    const std::size_t header = v4 ? 0 : ipv6_header;
    const std::size_t at = l3_at + (v4 ? 2 : 4);
    const std::size_t length = size > l3_at + header ? size - l3_at - header : 0;
    result[at] = static_cast<std::uint8_t>(length >> 8);
    result[at + 1] = static_cast<std::uint8_t>(length);
    return result;
}

}  // namespace bascule::test
