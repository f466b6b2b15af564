// SPDX-License-Identifier: Apache-2.0
#include "mutator.h"

#include <algorithm>

#include "checksum.h"
#include "packet_case.h"

namespace bascule::test {

namespace {

using model::Protocol;

constexpr std::uint32_t ethernet_header = 14;
constexpr std::size_t longest_frame = 3000;  // what BPF_PROG_TEST_RUN holds in one piece, and less

std::uint8_t byte(std::uint32_t value) {
    return static_cast<std::uint8_t>(value);
}

}  // namespace

Mutator::Mutator(const FuzzTables& tables, std::uint64_t seed) : tables_(tables), random_(seed) {
    for (const auto& cases :
         {plain_packets(), vlan_packets(), ipv4_option_packets(), extension_packets(),
          length_packets(), tcp_flag_packets(), fragment_packets(), other_packets()})
        for (const PacketCase& each : cases)
            seeds_.push_back(each.in);
    for (const FuzzService& service : tables.services())
        add_service(service.served);
}

void Mutator::add_service(const Served& served) {
    for (const std::uint16_t port : {served.ports.first, served.ports.last})
        add_packets_of(served, port);
}

void Mutator::add_packets_of(const Served& served, std::uint16_t port) {
    const Family& family = served.family;
    const bool v4 = family.vip.is_v4(), is_tcp = served.protocol == Protocol::tcp;
    const auto header = [&](std::uint16_t word = 0x4000) {
        return v4 ? Frame().ipv4({.source = family.client,
                                  .destination = family.vip,
                                  .fragment_word = word,
                                  .tos = 0x28})
                  : Frame().ip(family.client, family.vip);
    };
    const auto l4 = [&](Frame frame, std::uint8_t flags, std::size_t payload) {
        if (is_tcp)
            frame.tcp({.destination = port,
                       .flags = flags,
                       .options = {2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7, 1, 1}});
        else
            frame.udp({.destination = port});
        return frame.payload(payload).checked();
    };
    for (const std::uint8_t flags : {syn, ack, std::uint8_t{fin | ack}, rst})
        seeds_.push_back(l4(header(), flags, 20));
    for (const std::size_t payload : {0U, 1U, 1180U, 1230U, 1260U, 1440U, 2900U})
        seeds_.push_back(l4(header(), ack, payload));
    seeds_.push_back(l4(header(0), ack, 1440));
    seeds_.push_back(l4(header(), ack, 3).padding(40));
    for (const int id : {100, 7, 0xa000}) {
        const auto tag = static_cast<std::uint16_t>(id);
        Frame frame;
        seeds_.push_back(l4(frame.vlan(tag).ip(family.client, family.vip), syn, 9));
        frame = Frame();
        seeds_.push_back(l4(frame.vlan(9, 0x88a8).vlan(tag).ip(family.client, family.vip), syn, 9));
    }
    if (v4) {
        seeds_.push_back(l4(header(0x2000), syn, 44));
        seeds_.push_back(header(0x2000 | 8).protocol(is_tcp ? 6 : 17, 64));
        seeds_.push_back(header(16).protocol(is_tcp ? 6 : 17, 30));
    } else {
        seeds_.push_back(l4(header().piece(0, true), syn, 44));
        seeds_.push_back(header().piece(64, true).protocol(is_tcp ? 6 : 17, 64));
        seeds_.push_back(header().piece(128, false).protocol(is_tcp ? 6 : 17, 30));
        seeds_.push_back(
            l4(header().extension(hop_by_hop).extension(destination_options, 24), syn, 5));
    }
    Frame answer = Frame().ip(family.vip, family.client);
    if (is_tcp)
        answer.tcp({.source = port, .destination = client_port, .flags = ack});
    else
        answer.udp({.source = port, .destination = client_port});
    const Bytes quoted = packet_of(answer.payload(50).checked());
    for (const std::size_t most :
         {std::size_t{28}, std::size_t{48}, std::size_t{60}, quoted.size()})
        for (const std::uint8_t type : {std::uint8_t{3}, std::uint8_t(v4 ? 11 : 2)})
            seeds_.push_back(
                Frame()
                    .ip(family.other, family.vip)
                    .icmp({.type = type,
                           .code = 0,
                           .rest = 1400,
                           .quoted = Bytes(quoted.begin(),
                                           quoted.begin() +
                                               static_cast<long>(std::min(most, quoted.size())))}));
}

std::uint32_t Mutator::below(std::uint32_t limit) {
    return static_cast<std::uint32_t>((random_() >> 32) * limit >> 32);
}

const Bytes& Mutator::any_seed() {
    return seeds_[below(static_cast<std::uint32_t>(seeds_.size()))];
}

Bytes Mutator::next() {
    Bytes frame = any_seed();
    if (below(4) == 0) aim(frame);
    for (std::uint32_t i = below(5); i > 0; i--)
        damage(frame);
    if (below(2) == 0) mend(frame);
    frame.resize(std::clamp<std::size_t>(frame.size(), ethernet_header, longest_frame));
    return frame;
}

void Mutator::damage(Bytes& frame) {
    switch (below(5)) {
        case 0:
            return damage_bytes(frame);
        case 1:
        case 2:
            return damage_header(frame);
        case 3:
            return damage_length(frame);
        default:
            return splice(frame);
    }
}

// Anywhere: bits, bytes, words.
void Mutator::damage_bytes(Bytes& frame) {
    const std::uint32_t at = below(static_cast<std::uint32_t>(frame.size()));
    switch (below(4)) {
        case 0:
            frame[at] = byte(frame[at] ^ 1U << below(8));
            break;
        case 1:
            frame[at] = byte(below(256));
            break;
        case 2:
            frame[at] = below(2) == 0 ? 0 : 0xff;
            break;
        default:
            for (std::size_t i = at; i < std::min<std::size_t>(at + 4, frame.size()); i++)
                frame[i] = byte(below(256));
    }
}

// Where it matters more: in the first bytes behind the Ethernet header.
void Mutator::damage_header(Bytes& frame) {
    constexpr std::uint32_t headers = 80;
    const auto end =
        static_cast<std::uint32_t>(std::min<std::size_t>(frame.size(), ethernet_header + headers));
    if (end <= ethernet_header) return;
    const std::uint32_t at = ethernet_header + below(end - ethernet_header);
    frame[at] = below(2) == 0 ? byte(frame[at] ^ 1U << below(8)) : byte(frame[at] + below(3) - 1);
}

// The frame's length, or a length that a header tells.
void Mutator::damage_length(Bytes& frame) {
    const std::size_t l3 = ethernet_header;
    switch (below(6)) {
        case 0:
            frame.resize(below(static_cast<std::uint32_t>(frame.size()) + 1));
            break;
        case 1:
            frame = cut_honestly(
                frame, ethernet_header +
                           below(static_cast<std::uint32_t>(frame.size() - ethernet_header) + 1));
            break;
        case 2:
            frame.resize(frame.size() + below(64));
            break;
        case 3:
            if (frame.size() >= l3 + 6) {
                const std::size_t at = l3 + (frame[l3] >> 4 == 4 ? 2 : 4);
                put16(frame, at, static_cast<std::uint16_t>(get16(frame, at) + below(9) - 4));
            }
            break;
        case 4:  // words of the IPv4 header, of the TCP header
            if (frame.size() > l3) frame[l3] = byte((frame[l3] & 0xf0U) | below(16));
            break;
        default:
            if (frame.size() > l3 + 60) {
                const std::size_t at = l3 + (frame[l3] >> 4 == 4 ? 32 : 52);
                frame[at] = byte(below(256));
            }
    }
    frame.resize(std::max<std::size_t>(frame.size(), ethernet_header));
}

// The head of one frame and the tail of another, or a piece of itself once more or not at all.
void Mutator::splice(Bytes& frame) {
    const std::uint32_t at = below(static_cast<std::uint32_t>(frame.size()) + 1);
    const auto begin = frame.begin() + static_cast<long>(at);
    if (below(2) == 0) {
        const Bytes& other = any_seed();
        const std::uint32_t from = below(2) == 0
                                       ? std::min(at, static_cast<std::uint32_t>(other.size()))
                                       : below(static_cast<std::uint32_t>(other.size()) + 1);
        frame.erase(begin, frame.end());
        frame.insert(frame.end(), other.begin() + static_cast<long>(from), other.end());
    } else {
        const std::uint32_t bytes =
            std::min(below(24), static_cast<std::uint32_t>(frame.size()) - at);
        if (below(2) == 0)
            frame.erase(begin, begin + static_cast<long>(bytes));
        else
            frame.insert(begin, bytes, byte(below(256)));
    }
    frame.resize(std::max<std::size_t>(frame.size(), ethernet_header));
}

// To some service from another port: another flow of another fate.
void Mutator::aim(Bytes& frame) {
    const std::size_t l3 = ethernet_header;
    if (frame.size() < l3 + 44) return;
    const std::size_t l4 = l3 + (frame[l3] >> 4 == 4 ? 20 : 40);
    const FuzzService& service =
        tables_.services()[below(static_cast<std::uint32_t>(tables_.services().size()))];
    put16(frame, l4, static_cast<std::uint16_t>(below(65536)));
    if (below(2) == 0) put16(frame, l4 + 2, service.served.ports.first);
}

// Checksums as they should be, so that it shows whether they stay so.
void Mutator::mend(Bytes& frame) {
    const std::size_t l3 = tagging_of(frame).l3;
    if (frame.size() <= l3) return;
    Bytes ip(frame.begin() + static_cast<long>(l3), frame.end());
    const IpLayout layout = layout_of(ip);
    if (layout.family == 0) return;
    if (layout.family == 4) put16(ip, 10, right_ipv4_checksum(ip));
    const std::size_t at = checksum_at(layout);
    if (layout.whole_l4 && at != 0 && at + 2 <= layout.bytes)
        put16(ip, at, right_l4_checksum(ip, layout));
    std::copy(ip.begin(), ip.end(), frame.begin() + static_cast<long>(l3));
}

}  // namespace bascule::test
