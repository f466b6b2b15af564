// SPDX-License-Identifier: Apache-2.0
#include "expected.h"

#include <algorithm>

#include "checksum.h"

namespace bascule::test {

namespace {

using model::Forward;

constexpr std::uint8_t ip_in_ip = 4, tcp = 6, udp = 17, ipv6_in_ip = 41, icmp4 = 1, icmp6 = 58;
constexpr std::size_t ipv4_header = 20, ipv6_header = 40, udp_header = 8, tcp_header = 20;
constexpr std::uint16_t dont_fragment = 0x4000;

Bytes part(const Bytes& bytes, std::size_t from, std::size_t to) {
    return {bytes.begin() + static_cast<long>(from), bytes.begin() + static_cast<long>(to)};
}

void append(Bytes& to, const Bytes& more) {
    to.insert(to.end(), more.begin(), more.end());
}

void place(Bytes& into, std::size_t at, const std::uint8_t* from, std::size_t bytes) {
    std::copy_n(from, bytes, into.begin() + static_cast<long>(at));
}

// The checksum that stands where `before` stood, when the right one has become another.
std::uint16_t carried(std::uint16_t before, std::uint16_t right_before, std::uint16_t right_after,
                      bool is_udp) {
    constexpr std::uint32_t modulus = 0xffff;
    const std::uint32_t after = (before + modulus - right_before + right_after) % modulus;
    return static_cast<std::uint16_t>(is_udp && after == 0 ? modulus : after);
}

bool is_icmp_error(std::uint8_t protocol, std::uint8_t type) {
    if (protocol == icmp4) return type == 3 || type == 11 || type == 12;
    return protocol == icmp6 && type >= 1 && type <= 4;
}

// The checksum that would be right: of a whole packet as RFCs have it; of a part of one, such as a
// first fragment or what an ICMP error quotes, as if it were all there is.
std::uint16_t right_checksum(const Bytes& ip, const IpLayout& layout) {
    if (layout.whole_l4) return right_l4_checksum(ip, layout);
    const std::uint32_t sum = ones_sum(ip, layout.l4, ip.size()) - get16(ip, checksum_at(layout));
    return static_cast<std::uint16_t>(~folded(sum));
}

// Changes something in the transport header by `change`, with the checksum after it.
template <typename Change>
void with_l4_checksum(Bytes& ip, const IpLayout& layout, Change change) {
    const std::size_t at = checksum_at(layout);
    if (at + 2 > ip.size()) {  // an ICMP error that quotes no more
        change();
        return;
    }
    const std::uint16_t is = get16(ip, at), before = right_checksum(ip, layout);
    change();
    if (layout.protocol == udp && is == 0) return;
    put16(ip, at, carried(is, before, right_checksum(ip, layout), layout.protocol == udp));
}

// Lowers the maximum segment size of a SYN; RFC 9293, 3.2 has the options.
void clamp_mss(Bytes& ip, const IpLayout& layout, std::uint16_t most) {
    constexpr int most_options = 10;
    constexpr std::uint8_t end_of_options = 0, no_operation = 1, maximum_segment_size = 2;
    const std::size_t end = layout.l4 + (ip[layout.l4 + 12] >> 4U) * std::size_t{4};
    std::size_t at = layout.l4 + tcp_header;
    for (int i = 0; i < most_options && at < end && ip[at] != end_of_options; i++) {
        if (ip[at] == no_operation) {
            at++;
            continue;
        }
        if (at + 1 >= end || ip[at + 1] < 2 || at + ip[at + 1] > end) return;
        if (ip[at] == maximum_segment_size) {
            // One of another length makes no sense: what is behind it is not looked at.
            if (ip[at + 1] == 4 && get16(ip, at + 2) > most)
                with_l4_checksum(ip, layout, [&] { put16(ip, at + 2, most); });
            return;
        }
        at += ip[at + 1];
    }
}

// The quoted packet's source port is the service's: it becomes the backend's.
void rewrite_quote(Bytes& ip, const IpLayout& layout, std::uint16_t port) {
    const std::size_t quote_at = layout.l4 + 8;
    Bytes quote = part(ip, quote_at, layout.bytes);
    const IpLayout quoted = layout_of_quote(quote);
    with_l4_checksum(ip, layout, [&] {
        with_l4_checksum(quote, quoted, [&] { put16(quote, quoted.l4, port); });
        place(ip, quote_at, quote.data(), quote.size());
    });
}

std::uint8_t traffic_class_of(const Bytes& ip) {
    return ip[0] >> 4 == 4 ? ip[1] : static_cast<std::uint8_t>(get16(ip, 0) >> 4);
}

// The tunnel's source with the flow's bits in its end.
Address::Bytes outer_source(const Way& way, std::uint32_t bits) {
    Address::Bytes bytes = way.tunnel_source.bytes();
    for (std::size_t bit = 0; bit < way.entropy_bits; bit++) {
        std::uint8_t& byte = bytes[15 - bit / 8];
        const auto mask = static_cast<std::uint8_t>(1U << bit % 8);
        byte = static_cast<std::uint8_t>((byte & ~mask) | ((bits >> bit & 1) != 0 ? mask : 0));
    }
    return bytes;
}

Bytes outer_ipv4(const Bytes& payload, const Bytes& inner, std::uint8_t tos, std::uint8_t protocol,
                 const Way& way, const Chosen& chosen) {
    const bool whole = inner[0] >> 4 == 6 || (get16(inner, 6) & dont_fragment) != 0;
    Bytes header(ipv4_header);
    header[0] = 0x45;
    header[1] = tos;
    put16(header, 2, static_cast<std::uint16_t>(ipv4_header + payload.size()));
    put16(header, 4, whole ? 0 : chosen.id);
    put16(header, 6, whole ? dont_fragment : 0);
    header[8] = 64;
    header[9] = protocol;
    place(header, 12, outer_source(way, chosen.address_bits).data() + 12, 4);
    place(header, 16, way.remote.bytes().data() + 12, 4);
    put16(header, 10, right_ipv4_checksum(header));
    append(header, payload);
    return header;
}

Bytes outer_ipv6(const Bytes& payload, std::uint8_t traffic_class, std::uint8_t protocol,
                 const Way& way, const Chosen& chosen) {
    Bytes header(ipv6_header);
    put32(
        header, 0,
        6U << 28 | static_cast<std::uint32_t>(traffic_class) << 20 | (chosen.flow_hash & 0xfffff));
    put16(header, 4, static_cast<std::uint16_t>(payload.size()));
    header[6] = protocol;
    header[7] = 64;
    place(header, 8, outer_source(way, chosen.address_bits).data(), 16);
    place(header, 24, way.remote.bytes().data(), 16);
    append(header, payload);
    return header;
}

// The Ethernet header with the tag that the way wants; `in` says which tags there are.
Bytes retagged(const Bytes& in, const Tagged& is, std::uint16_t vlan) {
    if (is.tags == 2 || is.vlan == vlan) return part(in, 0, is.l3);
    Bytes header = part(in, 0, 12);
    if (vlan != 0) {
        const bool was = is.tags == 1;
        const std::uint16_t priority = was ? get16(in, 14) & 0xf000 : 0;
        header.resize(16);
        put16(header, 12, was ? get16(in, 12) : 0x8100);
        put16(header, 14, static_cast<std::uint16_t>(priority | vlan));
    }
    header.resize(header.size() + 2);
    put16(header, header.size() - 2, is.ethertype);
    return header;
}

Bytes tunnel_ethernet(const Way& way) {
    Bytes header(way.vlan != 0 ? 18 : 14);
    if (way.vlan != 0) {
        put16(header, 12, 0x8100);
        put16(header, 14, way.vlan);
    }
    put16(header, header.size() - 2, way.remote.is_v4() ? 0x0800 : 0x86dd);
    return header;
}

}  // namespace

Tagged tagging_of(const Bytes& frame) {
    Tagged tagged;
    tagged.ethertype = get16(frame, 12);
    while (tagged.tags < 2 && (tagged.ethertype == 0x8100 || tagged.ethertype == 0x88a8) &&
           tagged.l3 + 4 <= frame.size()) {
        tagged.vlan = get16(frame, tagged.l3) & 0xfff;
        tagged.ethertype = get16(frame, tagged.l3 + 2);
        tagged.l3 += 4;
        tagged.tags++;
    }
    return tagged;
}

std::size_t overhead_of(const Way& way) {
    const std::size_t ip = way.remote.is_v4() ? ipv4_header : ipv6_header;
    if (way.forward == Forward::ipip) return ip;
    return way.forward == Forward::gue ? ip + udp_header : 0;
}

Chosen chosen_in(const Bytes& frame, const Way& way) {
    Chosen chosen;
    const std::size_t l3 = tagging_of(frame).l3;
    const bool v4 = way.remote.is_v4();
    if (overhead_of(way) == 0 || frame.size() < l3 + overhead_of(way)) return chosen;
    const std::size_t source_end = l3 + (v4 ? 16U : 24U);
    const std::uint64_t address_mask = (std::uint64_t{1} << way.entropy_bits) - 1;
    chosen.address_bits = get32(frame, source_end - 4) & static_cast<std::uint32_t>(address_mask);
    // Bits that show twice are read once: the comparison finds them out when they differ.
    if (!v4) chosen.flow_hash = get32(frame, l3) & 0xfffff;
    if (v4 && way.forward == Forward::gue)
        chosen.flow_hash = get16(frame, l3 + ipv4_header) & 0x3fff;
    if (v4) chosen.id = get16(frame, l3 + 4);
    return chosen;
}

Bytes fitted(const Bytes& ip, const Way& way) {
    Bytes out = ip;
    const IpLayout layout = layout_of(out);
    if (layout.family == 0 || layout.fragment_offset != 0) return out;
    if (layout.protocol == tcp || layout.protocol == udp) {
        const bool is_syn = layout.protocol == tcp && (out.at(layout.l4 + 13) & syn) != 0;
        if (way.port != 0)
            with_l4_checksum(out, layout, [&] { put16(out, layout.l4 + 2, way.port); });
        if (way.mss != 0 && is_syn) clamp_mss(out, layout, way.mss);
    } else if (way.port != 0 && is_icmp_error(layout.protocol, out.at(layout.l4))) {
        rewrite_quote(out, layout, way.port);
    }
    return out;
}

Bytes encapsulated(const Bytes& ip, const Way& way, const Chosen& chosen) {
    const bool v4 = ip[0] >> 4 == 4;
    const std::uint8_t traffic_class =
        traffic_class_of(ip) & (way.copy_dscp ? 0xff : 3);  // ECN always: RFC 6040
    Bytes payload = ip;
    std::uint8_t protocol = v4 ? ip_in_ip : ipv6_in_ip;
    if (way.forward == Forward::gue) {
        Bytes header(udp_header);
        put16(header, 0, static_cast<std::uint16_t>(0xc000 | (chosen.flow_hash & 0x3fff)));
        put16(header, 2, way.gue_port);
        put16(header, 4, static_cast<std::uint16_t>(udp_header + ip.size()));
        payload.insert(payload.begin(), header.begin(), header.end());
        protocol = udp;
    }
    return way.remote.is_v4() ? outer_ipv4(payload, ip, traffic_class, protocol, way, chosen)
                              : outer_ipv6(payload, traffic_class, protocol, way, chosen);
}

Bytes delivered_frame(const Bytes& in, const Way& way, const Chosen& chosen) {
    const Tagged tagged = tagging_of(in);
    const Bytes behind = part(in, tagged.l3, in.size());
    const std::size_t bytes = layout_of(behind).bytes;
    const Bytes ip = fitted(part(behind, 0, bytes), way);
    const Bytes padding = part(behind, bytes, behind.size());
    Bytes out;
    if (way.forward == Forward::local) {
        out = part(in, 0, tagged.l3);
    } else {
        out = overhead_of(way) != 0 ? tunnel_ethernet(way) : retagged(in, tagged, way.vlan);
        place(out, 0, way.mac.bytes.data(), 6);
        place(out, 6, way.source.bytes.data(), 6);
    }
    if (overhead_of(way) != 0) {
        append(out, encapsulated(ip, way, chosen));
    } else {
        append(out, ip);
        append(out, padding);
    }
    return out;
}

// ---- the engine's own answers ------------------------------------------------------------------

namespace {

// The frame's addresses and tags turned round, with another IP packet behind them.
Bytes turned_round(const Bytes& in, const Bytes& ip) {
    Bytes out = part(in, 0, tagging_of(in).l3);
    std::swap_ranges(out.begin(), out.begin() + 6, out.begin() + 6);
    append(out, ip);
    return out;
}

// An IP header without options from the packet's destination to its source.
Bytes answering_header(const Bytes& ip, std::uint8_t protocol, std::size_t payload) {
    const bool v4 = ip[0] >> 4 == 4;
    Bytes header(v4 ? ipv4_header : ipv6_header);
    if (v4) {
        header[0] = 0x45;
        put16(header, 2, static_cast<std::uint16_t>(ipv4_header + payload));
        put16(header, 6, dont_fragment);
        header[8] = 64;
        header[9] = protocol;
        place(header, 12, ip.data() + 16, 4);
        place(header, 16, ip.data() + 12, 4);
        put16(header, 10, right_ipv4_checksum(header));
    } else {
        header[0] = 0x60;
        put16(header, 4, static_cast<std::uint16_t>(payload));
        header[6] = protocol;
        header[7] = 64;
        place(header, 8, ip.data() + 24, 16);
        place(header, 24, ip.data() + 8, 16);
    }
    return header;
}

Bytes answer(const Bytes& in, const Bytes& ip, std::uint8_t protocol, const Bytes& l4) {
    Bytes packet = answering_header(ip, protocol, l4.size());
    append(packet, l4);
    const IpLayout layout = layout_of(packet);
    put16(packet, checksum_at(layout), right_l4_checksum(packet, layout));
    return turned_round(in, packet);
}

Bytes packet_in(const Bytes& in) {
    const Bytes behind = part(in, tagging_of(in).l3, in.size());
    return part(behind, 0, layout_of(behind).bytes);
}

Bytes icmp_answer(const Bytes& in, std::uint8_t type, std::uint8_t code, std::uint32_t rest) {
    const Bytes ip = packet_in(in);
    const bool v4 = ip[0] >> 4 == 4;
    Bytes l4(8);
    l4[0] = type;
    l4[1] = code;
    put32(l4, 4, rest);
    append(l4, part(ip, 0, std::min<std::size_t>(ip.size(), v4 ? 96 : 256)));
    return answer(in, ip, v4 ? icmp4 : icmp6, l4);
}

}  // namespace

Bytes too_big_frame(const Bytes& in, std::uint16_t mtu) {
    const bool v4 = packet_in(in)[0] >> 4 == 4;
    return v4 ? icmp_answer(in, 3, 4, mtu) : icmp_answer(in, 2, 0, mtu);
}

Bytes unreachable_frame(const Bytes& in) {
    const bool v4 = packet_in(in)[0] >> 4 == 4;
    return v4 ? icmp_answer(in, 3, 3, 0) : icmp_answer(in, 1, 4, 0);
}

Bytes reset_frame(const Bytes& in) {
    const Bytes ip = packet_in(in);
    const IpLayout layout = layout_of(ip);
    const std::size_t from = layout.l4;
    const std::uint8_t flags = ip[from + 13];
    const std::size_t header = (ip[from + 12] >> 4U) * std::size_t{4};
    Bytes l4(tcp_header);
    put16(l4, 0, get16(ip, from + 2));
    put16(l4, 2, get16(ip, from));
    l4[12] = 5 << 4;
    if ((flags & ack) != 0) {
        put32(l4, 4, get32(ip, from + 8));
        l4[13] = rst;
    } else {
        const std::size_t length = layout.bytes - from - header + ((flags & syn) != 0 ? 1 : 0) +
                                   ((flags & fin) != 0 ? 1 : 0);
        put32(l4, 8, get32(ip, from + 4) + static_cast<std::uint32_t>(length));
        l4[13] = rst | ack;
    }
    return answer(in, ip, tcp, l4);
}

}  // namespace bascule::test
