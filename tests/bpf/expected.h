// SPDX-License-Identifier: Apache-2.0
// What a frame has to become on its way to a backend: a second implementation of delivery, from
// the documents and RFCs, that shares no line with the engine and sums every checksum anew. Pure.
//
// A field that was right comes out right; a checksum that was wrong comes out wrong by as much, as
// an incremental update leaves it (RFC 1624).
#pragma once

#include <cstdint>

#include "base/address.h"
#include "frame.h"
#include "model/config.h"

namespace bascule::test {

// How a backend is reached.
struct Way {
    model::Forward forward = model::Forward::l2;
    Mac mac;     // next hop
    Mac source;  // ours
    std::uint16_t vlan = 0;
    std::uint16_t port = 0;  // destination port to write; 0: as it is
    std::uint16_t mss = 0;   // a SYN's is lowered to it; 0: as it is
    Address remote;          // outer destination, and outer source
    Address tunnel_source;
    std::uint8_t entropy_bits = 0;
    std::uint16_t gue_port = 6080;
    bool copy_dscp = true;
};

// What an outer header may say as the sender likes.
struct Chosen {
    std::uint32_t address_bits = 0;  // the flow's bits in the outer source
    std::uint32_t flow_hash = 0;     // its last bits, as GUE's source port and the flow label show
    std::uint16_t id = 0;
};

// Where the IP header of a frame stands, behind at most two tags; and the innermost VLAN id.
struct Tagged {
    std::size_t l3 = 14;
    int tags = 0;
    std::uint16_t vlan = 0;
    std::uint16_t ethertype = 0;
};
Tagged tagging_of(const Bytes& frame);

// Bytes that the way adds to an IP packet.
std::size_t overhead_of(const Way& way);

// Reads what was chosen out of a delivered frame; all else in it may be wrong.
Chosen chosen_in(const Bytes& frame, const Way& way);

// The IP packet on its own: port and MSS as the way wants them. What is no whole IP packet, or has
// no ports, is as it was.
Bytes fitted(const Bytes& ip, const Way& way);
// The packet behind its outer headers.
Bytes encapsulated(const Bytes& ip, const Way& way, const Chosen& chosen);
// The frame that leaves, or that goes up to this host.
Bytes delivered_frame(const Bytes& in, const Way& way, const Chosen& chosen = {});

// ---- the engine's own answers ------------------------------------------------------------------

// ICMP "fragmentation needed" (RFC 1191) or "packet too big" (RFC 4443) to the frame's sender.
Bytes too_big_frame(const Bytes& in, std::uint16_t mtu);
// ICMP "port unreachable".
Bytes unreachable_frame(const Bytes& in);
// TCP RST (RFC 9293, 3.10.7.1).
Bytes reset_frame(const Bytes& in);

}  // namespace bascule::test
