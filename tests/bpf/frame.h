// SPDX-License-Identifier: Apache-2.0
// Builds Ethernet frames layer by layer, so that a test shows the packet it sends:
//   Frame().vlan(100).ipv4({.source = client, .destination = vip}).tcp({.flags = syn}).payload(20)
//
// Lengths and the "next protocol" of each layer are filled in from what follows, unless a test
// gives a wrong one on purpose. Ports and sequence numbers are in host order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.h"

namespace bascule::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16, urg = 32, ece = 64,
                              cwr = 128;

inline constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, destination_options = 60;

struct Ipv4 {
    Address source{};
    Address destination{};
    std::size_t option_bytes = 0;     // padded with "no operation"; a multiple of 4
    std::uint16_t fragment_word = 0;  // flags and offset, as in the header
    std::uint8_t version = 4;
    std::optional<std::uint8_t> header_words{};
    std::optional<std::uint16_t> total_length{};
    std::optional<std::uint8_t> protocol{};
    std::uint8_t tos = 0;
    std::uint16_t id = 0x1234;
    std::uint8_t ttl = 64;
};

struct Ipv6 {
    Address source{};
    Address destination{};
    std::uint8_t version = 6;
    std::optional<std::uint16_t> payload_length{};
    std::optional<std::uint8_t> next_header{};
    std::uint8_t traffic_class = 0;
    std::uint32_t flow_label = 0;
    std::uint8_t hop_limit = 64;
};

struct Tcp {
    std::uint16_t source = 40000;
    std::uint16_t destination = 80;
    std::uint32_t sequence = 1000;
    std::uint8_t flags = ack;
    std::size_t option_bytes = 0;  // a multiple of 4
    std::optional<std::uint8_t> header_words{};
    Bytes options{};  // instead of option_bytes; a multiple of 4
    std::uint32_t acknowledgement = 0;
};

struct Udp {
    std::uint16_t source = 40000;
    std::uint16_t destination = 53;
    std::optional<std::uint16_t> length{};
    std::uint16_t checksum = 0xbeef;
};

struct Icmp {
    std::uint8_t type = 3;
    std::uint8_t code = 3;
    std::uint32_t rest = 0;  // the second word
    Bytes quoted{};
};

// The stations of the tests: the interface under test, and the router in front of it.
inline constexpr Mac our_mac{{0x02, 0, 0, 0, 0, 0x01}};
inline constexpr Mac router_mac{{0x02, 0, 0, 0, 0, 0xfe}};

class Frame {
public:
    explicit Frame(Mac destination = our_mac, Mac source = router_mac,
                   std::uint16_t ethertype = 0x88b5 /* local experiment */);

    Frame& vlan(std::uint16_t id, std::uint16_t ethertype = 0x8100);
    Frame& ipv4(const Ipv4& header);
    Frame& ipv6(const Ipv6& header);
    // Either, by the family of the destination.
    Frame& ip(const Address& source, const Address& destination);
    // An IPv6 extension header of `bytes`, a multiple of 8; its body is padding options.
    Frame& extension(std::uint8_t type, std::size_t bytes = 8);
    // An IPv6 fragment header; `offset` in bytes, a multiple of 8.
    Frame& piece(std::size_t offset, bool more, std::uint32_t id = 0x12345678);
    Frame& tcp(const Tcp& header);
    Frame& udp(const Udp& header);
    // ICMP or ICMPv6, whichever goes with the IP header, with its right checksum.
    Frame& icmp(const Icmp& header);
    // Any other protocol with so many bytes of its own.
    Frame& protocol(std::uint8_t number, std::size_t bytes);
    Frame& payload(std::size_t bytes);
    // Bytes after the end of what IP says, as a short frame has them.
    Frame& padding(std::size_t bytes);
    // TCP's or UDP's checksum as it should be. Without this it is a wrong one: the engine looks at
    // none.
    Frame& checked();

    Bytes bytes() const;
    operator Bytes() const { return bytes(); }

private:
    void next_ethertype(std::uint16_t ethertype);
    void next_protocol(std::uint8_t number);
    std::size_t append(std::size_t bytes);
    void fill_checksum(Bytes& frame) const;

    Bytes bytes_;
    std::size_t ethertype_at_ = 12;
    std::size_t protocol_at_ = 0;  // 0: there is none, or a test has set it
    std::size_t padding_ = 0;
    // Where lengths go once all is there; 0: nowhere.
    std::size_t ipv4_at_ = 0;
    std::size_t ipv6_at_ = 0;
    std::size_t udp_at_ = 0;
    bool total_given_ = false;
    bool payload_given_ = false;
    bool udp_given_ = false;
    bool checked_ = false;
};

// The IP packet of a frame without tags; at most so many bytes of it.
Bytes packet_of(const Bytes& frame, std::size_t most = SIZE_MAX);

// The first `size` bytes, IP's own length as it was.
Bytes cut(const Bytes& frame, std::size_t size);
// The first `size` bytes, with IP's length made to fit (`l3_at`: where its header begins).
Bytes cut_honestly(const Bytes& frame, std::size_t size, std::size_t l3_at = 14);

}  // namespace bascule::test
