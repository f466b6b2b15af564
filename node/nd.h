// SPDX-License-Identifier: Apache-2.0
// IPv6 neighbour solicitations and advertisements: made and read. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/address.h"

namespace bascule::node {

// Where the hosts that may have `target` listen: ff02::1:ff00:0 with its last three bytes.
Mac solicited_node_mac(const Address& target);
// Where all hosts listen: ff02::1.
Mac all_nodes_mac();

// Is `target` taken? A solicitation from "::", so that no cache learns from it (RFC 4862, 5.4.2).
std::vector<std::uint8_t> make_nd_probe(const Mac& source, const Address& target);

// `address` is at `source`: an unsolicited advertisement to all nodes that overrides their caches.
std::vector<std::uint8_t> make_nd_announcement(const Mac& source, const Address& address);

struct NeighbourMessage {
    Mac source;  // of the Ethernet header
    Address source_ip;
    Address target;
    bool advertisement = false;  // else a solicitation
    std::optional<Mac> option;  // link-layer address of the target, or of the solicitation's source

    bool operator==(const NeighbourMessage&) const = default;
};

// Nullopt: not one of the two, cut short, not from this link (hop limit not 255), or with a wrong
// checksum. Bytes after the IPv6 payload are padding.
std::optional<NeighbourMessage> parse_nd(std::span<const std::uint8_t> frame);

// Whose claim to `address` the message is: that of a host that has it, or one that probes for it
// too.
std::optional<Mac> nd_claim(const NeighbourMessage& message, const Address& address);

}  // namespace bascule::node
