// SPDX-License-Identifier: Apache-2.0
// ARP frames of IPv4 over Ethernet: made and read. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/address.h"

namespace bascule::node {

constexpr std::size_t arp_frame_size = 42;
using ArpFrame = std::array<std::uint8_t, arp_frame_size>;

// Is `target` taken? A broadcast request whose sender address is 0.0.0.0, so that no cache learns
// from it (RFC 5227).
ArpFrame make_arp_probe(const Mac& source, const Address& target);

// `address` is at `source`: gratuitous ARP, in the form of a request or of a reply.
ArpFrame make_arp_announcement(const Mac& source, const Address& address, bool reply);

struct Arp {
    Mac source;         // of the Ethernet header
    Mac sender;         // as the packet itself says
    Address sender_ip;  // 0.0.0.0 in a probe
    Address target_ip;
    bool reply = false;

    bool operator==(const Arp&) const = default;
};

// Nullopt: not an ARP request or reply of IPv4 over Ethernet, or cut short. Bytes after it are
// padding.
std::optional<Arp> parse_arp(std::span<const std::uint8_t> frame);

// Whose claim to `address` the frame is: that of a host that has it, or one that probes for it too.
std::optional<Mac> arp_claim(const Arp& arp, const Address& address);

}  // namespace bascule::node
