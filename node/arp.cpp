// SPDX-License-Identifier: Apache-2.0
#include "node/arp.h"

#include <algorithm>

namespace bascule::node {
namespace {

constexpr Mac broadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
// EtherType ARP; hardware Ethernet, protocol IPv4, lengths 6 and 4.
constexpr std::array<std::uint8_t, 8> preamble{0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4};
constexpr std::uint8_t request_code = 1;
constexpr std::uint8_t reply_code = 2;

// Offsets in the frame.
constexpr std::size_t source_at = 6;
constexpr std::size_t preamble_at = 12;
constexpr std::size_t code_at = 20;
constexpr std::size_t sender_at = 22;
constexpr std::size_t sender_ip_at = 28;
constexpr std::size_t target_at = 32;
constexpr std::size_t target_ip_at = 38;

void put_ip(ArpFrame& frame, std::size_t at, const Address& address) {
    std::copy(address.bytes().begin() + 12, address.bytes().end(),
              frame.begin() + static_cast<std::ptrdiff_t>(at));
}

void put_mac(ArpFrame& frame, std::size_t at, const Mac& mac) {
    std::copy(mac.bytes.begin(), mac.bytes.end(), frame.begin() + static_cast<std::ptrdiff_t>(at));
}

ArpFrame make_frame(const Mac& source, std::uint8_t code) {
    ArpFrame frame{};
    put_mac(frame, 0, broadcast);
    put_mac(frame, source_at, source);
    std::copy(preamble.begin(), preamble.end(), frame.begin() + preamble_at);
    frame[code_at + 1] = code;
    put_mac(frame, sender_at, source);
    return frame;
}

Mac mac_at(std::span<const std::uint8_t> frame, std::size_t at) {
    Mac mac;
    std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), mac.bytes.size(),
                mac.bytes.begin());
    return mac;
}

Address ip_at(std::span<const std::uint8_t> frame, std::size_t at) {
    return Address::v4({frame[at], frame[at + 1], frame[at + 2], frame[at + 3]});
}

}  // namespace

ArpFrame make_arp_probe(const Mac& source, const Address& target) {
    ArpFrame frame = make_frame(source, request_code);
    put_ip(frame, target_ip_at, target);
    return frame;
}

ArpFrame make_arp_announcement(const Mac& source, const Address& address, bool reply) {
    ArpFrame frame = make_frame(source, reply ? reply_code : request_code);
    put_ip(frame, sender_ip_at, address);
    put_ip(frame, target_ip_at, address);
    if (reply) put_mac(frame, target_at, broadcast);
    return frame;
}

std::optional<Arp> parse_arp(std::span<const std::uint8_t> frame) {
    if (frame.size() < arp_frame_size) return std::nullopt;
    if (!std::equal(preamble.begin(), preamble.end(), frame.begin() + preamble_at)) {
        return std::nullopt;
    }
    const std::uint8_t code = frame[code_at + 1];
    if (frame[code_at] != 0 || (code != request_code && code != reply_code)) return std::nullopt;
    return Arp{mac_at(frame, source_at), mac_at(frame, sender_at), ip_at(frame, sender_ip_at),
               ip_at(frame, target_ip_at), code == reply_code};
}

std::optional<Mac> arp_claim(const Arp& arp, const Address& address) {
    if (arp.sender_ip == address) return arp.sender;
    const bool probe = arp.sender_ip.is_unspecified() && !arp.reply;
    if (probe && arp.target_ip == address) return arp.sender;
    return std::nullopt;
}

}  // namespace bascule::node
