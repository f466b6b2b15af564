// SPDX-License-Identifier: Apache-2.0
#include "packet_case.h"

#include "scene.h"

namespace bascule::test {

namespace {

const Address client4 = ipv4_family().client, vip4 = ipv4_family().vip, host4 = ipv4_family().other;
const Address client6 = ipv6_family().client, vip6 = ipv6_family().vip, host6 = ipv6_family().other;

Frame to_vip4() {
    return Frame().ipv4({.source = client4, .destination = vip4});
}
Frame to_vip6() {
    return Frame().ipv6({.source = client6, .destination = vip6});
}

Bytes noise(std::size_t size) {
    Bytes bytes(size);
    std::uint32_t state = 12345;
    for (std::uint8_t& byte : bytes) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<std::uint8_t>(state >> 24);
    }
    return bytes;
}

}  // namespace

std::vector<PacketCase> plain_packets() {
    return {
        delivered("IPv4 TCP", to_vip4().tcp({.flags = syn})),
        delivered("IPv4 UDP", to_vip4().udp({}).payload(30)),
        delivered("IPv6 TCP", to_vip6().tcp({.flags = syn})),
        delivered("IPv6 UDP", to_vip6().udp({}).payload(30)),
        delivered("UDP without payload", to_vip4().udp({})),
        delivered("TCP with options", to_vip4().tcp({.flags = syn, .option_bytes = 40})),
        delivered("SYN with payload", to_vip4().tcp({.flags = syn}).payload(64)),
        delivered("largest frame", to_vip4().tcp({.flags = ack}).payload(1460)),
        delivered("IPv4 padded to a whole frame", to_vip4().tcp({.flags = syn}).padding(6)),
        delivered("IPv4 padded far", to_vip4().udp({}).padding(200)),
        delivered("IPv6 padded", to_vip6().udp({}).padding(20)),
        // UDP may say less than IP: the rest belongs to nobody.
        delivered("UDP shorter than IP", to_vip4().udp({.length = 8}).payload(20)),
    };
}

// Tags that are followed are in vlan_test.cpp.
std::vector<PacketCase> vlan_packets() {
    const auto tagged = [](int tags, std::uint16_t outer) {
        Frame frame;
        for (int i = 0; i < tags; i++)
            frame.vlan(static_cast<std::uint16_t>(100 + i), i + 1 < tags ? outer : 0x8100);
        return frame;
    };
    return {
        passed(
            "three tags",
            tagged(3, 0x8100).ipv4({.source = client4, .destination = vip4}).tcp({.flags = syn})),
        passed("cut in the first tag", cut(tagged(1, 0x8100)
                                               .ipv4({.source = client4, .destination = vip4})
                                               .tcp({.flags = syn}),
                                           16)),
        passed("cut in the second tag", cut(tagged(2, 0x8100)
                                                .ipv4({.source = client4, .destination = vip4})
                                                .tcp({.flags = syn}),
                                            20)),
        passed("tagged, for another host",
               tagged(1, 0x8100).ipv4({.source = client4, .destination = host4}).udp({})),
        passed("two tags, for another host",
               tagged(2, 0x88a8).ipv6({.source = client6, .destination = host6}).udp({})),
        // What is behind the first tag does not count: the second one is another network's.
        dropped(
            "two tags of one kind",
            tagged(2, 0x8100).ipv4({.source = client4, .destination = vip4}).tcp({.flags = rst}),
            "other_interface"),
        dropped(
            "service tag and tag",
            tagged(2, 0x88a8).ipv6({.source = client6, .destination = vip6}).tcp({.flags = rst}),
            "other_interface"),
    };
}

std::vector<PacketCase> ipv4_option_packets() {
    std::vector<PacketCase> cases;
    for (std::size_t bytes = 0; bytes <= 40; bytes += 4) {
        const Ipv4 header{.source = client4, .destination = vip4, .option_bytes = bytes};
        const std::string title = std::to_string(bytes) + " bytes of options ";
        cases.push_back(delivered(title + "TCP", Frame().ipv4(header).tcp({.flags = syn})));
        cases.push_back(delivered(title + "UDP", Frame().ipv4(header).udp({}).payload(5)));
    }
    return cases;
}

std::vector<PacketCase> extension_packets() {
    const auto chain = [](int headers) {
        Frame frame = to_vip6();
        frame.extension(hop_by_hop);
        for (int i = 1; i < headers; i++)
            frame.extension(destination_options);
        return frame;
    };
    const auto piece = [](std::uint16_t offset_more, Bytes frame, std::size_t behind = 0) {
        frame[14 + 40 + behind + 2] = static_cast<std::uint8_t>(offset_more >> 8);
        frame[14 + 40 + behind + 3] = static_cast<std::uint8_t>(offset_more);
        return frame;
    };
    const auto hop_of_route = [](Bytes frame) {
        frame[14 + 40 + 3] = 1;  // segments left
        return frame;
    };
    std::vector<PacketCase> cases{
        delivered("hop by hop", to_vip6().extension(hop_by_hop).tcp({.flags = syn})),
        delivered("routing", to_vip6().extension(routing, 24).tcp({.flags = syn})),
        delivered("destination options",
                  to_vip6().extension(destination_options, 16).udp({}).payload(9)),
        delivered("all three", to_vip6()
                                   .extension(hop_by_hop)
                                   .extension(routing, 24)
                                   .extension(destination_options)
                                   .tcp({.flags = syn})),
        delivered("long options", to_vip6().extension(destination_options, 256).udp({})),
        delivered("six headers", chain(6).tcp({.flags = syn})),
        dropped("seven headers", chain(7).tcp({.flags = syn}), "ipv6_extensions"),
        dropped(
            "a header longer than the packet",
            [] {
                Bytes frame = to_vip6().extension(hop_by_hop).tcp({.flags = syn});
                frame[14 + 40 + 1] = 200;  // in 8 bytes
                return frame;
            }(),
            "ipv6_extensions"),
        dropped("a header that only the padding holds",
                Frame()
                    .ipv6({.source = client6, .destination = vip6, .payload_length = 0})
                    .extension(hop_by_hop)
                    .udp({}),
                "ipv6_extensions"),
        delivered("first fragment", piece(1, to_vip6().extension(fragment).udp({}))),
        dropped("last fragment", piece(185 << 3, to_vip6().extension(fragment).udp({})),
                "fragment"),
        delivered("first fragment behind options",
                  piece(1, to_vip6().extension(hop_by_hop).extension(fragment).udp({}), 8)),
        dropped("last fragment behind options",
                piece(8, to_vip6().extension(hop_by_hop).extension(fragment).udp({}), 8),
                "fragment"),
        // RFC 6946: a fragment header on a packet that is whole.
        delivered("whole packet with a fragment header",
                  to_vip6().extension(fragment).udp({}).payload(16)),
        delivered("the same behind options",
                  to_vip6().extension(hop_by_hop).extension(fragment).tcp({.flags = syn})),
        passed("fragment of ICMPv6", piece(1, to_vip6().extension(fragment).protocol(58, 16)),
               {"vip_other_protocol"}),
        passed("VIP as a hop of a route", hop_of_route(to_vip6().extension(routing, 24).udp({})),
               {"vip_other_protocol"}),
        passed("no next header", to_vip6(), {"vip_other_protocol"}),
        passed("authentication header", to_vip6().protocol(51, 24), {"vip_other_protocol"}),
        passed("ICMPv6 behind options", to_vip6().extension(hop_by_hop).protocol(58, 8),
               {"vip_other_protocol"}),
    };
    return cases;
}

std::vector<PacketCase> length_packets() {
    const auto v4 = [](std::uint16_t total) {
        return Frame()
            .ipv4({.source = client4, .destination = vip4, .total_length = total})
            .tcp({.flags = syn})
            .payload(10);
    };
    const auto v6 = [](std::uint16_t length) {
        return Frame()
            .ipv6({.source = client6, .destination = vip6, .payload_length = length})
            .tcp({.flags = syn})
            .payload(10);
    };
    const auto words = [](std::uint8_t header_words) {
        return Frame()
            .ipv4({.source = client4, .destination = vip4, .header_words = header_words})
            .tcp({.flags = syn});
    };
    const auto udp = [](std::uint16_t length) {
        return to_vip4().udp({.length = length}).payload(10);
    };
    const auto udp6 = [](std::uint16_t length) {
        return to_vip6().udp({.length = length}).payload(10);
    };
    const auto tcp = [](std::uint8_t header_words) {
        return to_vip4().tcp({.flags = syn, .header_words = header_words});
    };
    return {
        dropped("total length too big by one", v4(51), "ip_length"),
        dropped("total length 65535", v4(65535), "ip_length"),
        dropped("total length 0", v4(0), "ip_length"),
        dropped("total length below the header", v4(19), "ip_length"),
        dropped("total length is the header", v4(20), "l4_truncated"),
        dropped("total length cuts TCP", v4(39), "l4_truncated"),
        delivered("total length is just TCP", v4(40)),
        dropped("payload length too big by one", v6(31), "ip_length"),
        dropped("payload length 65535", v6(65535), "ip_length"),
        dropped("payload length 0", v6(0), "l4_truncated"),
        dropped("payload length cuts TCP", v6(19), "l4_truncated"),
        delivered("payload length is just TCP", v6(20)),
        dropped("header of 0 words", words(0), "ip_header"),
        dropped("header of 4 words", words(4), "ip_header"),
        dropped("header beyond the packet", words(15), "ip_length"),
        dropped("IPv4 that says version 5",
                Frame().ipv4({.source = client4, .destination = vip4, .version = 5}).udp({}),
                "ip_header"),
        dropped("IPv6 that says version 4",
                Frame().ipv6({.source = client6, .destination = vip6, .version = 4}).udp({}),
                "ip_header"),
        dropped("UDP length 0", udp(0), "udp_length"),
        dropped("UDP length 7", udp(7), "udp_length"),
        dropped("UDP length too big by one", udp(19), "udp_length"),
        dropped("UDP length 65535", udp(65535), "udp_length"),
        // 0 is a jumbogram's; none fits a frame of this size.
        dropped("IPv6 UDP length 0", udp6(0), "udp_length"),
        dropped("IPv6 UDP length 7", udp6(7), "udp_length"),
        dropped("IPv6 UDP length too big", udp6(19), "udp_length"),
        dropped("TCP offset 0", tcp(0), "tcp_header"),
        dropped("TCP offset 4", tcp(4), "tcp_header"),
        dropped("TCP offset beyond", tcp(6), "tcp_header"),
        dropped("TCP offset 15", tcp(15), "tcp_header"),
        dropped("TCP offset into the padding",
                to_vip4().tcp({.flags = syn, .header_words = 6}).padding(10), "tcp_header"),
        dropped("UDP length into the padding", to_vip4().udp({.length = 12}).padding(10),
                "udp_length"),
    };
}

std::vector<PacketCase> tcp_flag_packets() {
    const auto with = [](int flags) {
        return to_vip4().tcp({.flags = static_cast<std::uint8_t>(flags)});
    };
    const auto with6 = [](int flags) {
        return to_vip6().tcp({.flags = static_cast<std::uint8_t>(flags)});
    };
    const auto unremembered = [](std::string title, Bytes in) {
        return PacketCase{std::move(title), std::move(in), Verdict::tx, {}};
    };
    return {
        dropped("null", with(0), "tcp_flags"),
        dropped("null IPv6", with6(0), "tcp_flags"),
        dropped("SYN FIN", with(syn | fin), "tcp_flags"),
        dropped("SYN FIN IPv6", with6(syn | fin), "tcp_flags"),
        dropped("SYN RST", with(syn | rst), "tcp_flags"),
        dropped("SYN ACK", with(syn | ack), "tcp_flags"),
        dropped("SYN ACK IPv6", with6(syn | ack), "tcp_flags"),
        dropped("FIN alone", with(fin), "tcp_flags"),
        dropped("PSH alone", with(psh), "tcp_flags"),
        dropped("URG alone", with(urg), "tcp_flags"),
        dropped("xmas", with(fin | psh | urg), "tcp_flags"),
        dropped("all", with(0xff), "tcp_flags"),
        dropped("ECE CWR alone", with(ece | cwr), "tcp_flags"),
        delivered("SYN that offers ECN", with(syn | ece | cwr)),
        delivered("ACK", with(ack)),
        delivered("ACK PSH", with(ack | psh)),
        // The end of nothing goes where the ring says and is not remembered.
        unremembered("RST", with(rst)),
        unremembered("RST ACK", with(rst | ack)),
        unremembered("FIN ACK", with(fin | ack)),
        unremembered("FIN ACK IPv6", with6(fin | ack)),
    };
}

// Those that are followed are in fragment_test.cpp.
std::vector<PacketCase> fragment_packets() {
    constexpr std::uint16_t more = 0x2000, dont = 0x4000, reserved = 0x8000;
    const auto to_vip4_fragment = [](std::uint16_t word) {
        return Frame().ipv4({.source = client4, .destination = vip4, .fragment_word = word});
    };
    const auto piece = [](std::uint16_t word, const Address& to) {
        return Frame()
            .ipv4({.source = client4, .destination = to, .fragment_word = word})
            .udp({})
            .payload(24);
    };
    return {
        delivered("first", piece(more, vip4)),
        dropped("middle", piece(more | 185, vip4), "fragment"),
        dropped("last", piece(185, vip4), "fragment"),
        dropped("last of the largest", piece(0x1fff, vip4), "fragment"),
        delivered("one that must not be cut", piece(dont, vip4)),
        delivered("reserved flag", piece(reserved, vip4)),
        passed("first of ICMP", to_vip4_fragment(more).protocol(1, 24), {"vip_other_protocol"}),
        passed("last of ICMP", to_vip4_fragment(185).protocol(1, 24), {"vip_other_protocol"}),
        passed("first for another host", piece(more, host4)),
        passed("last for another host", piece(185, host4)),
        passed("IPv6 for another host",
               Frame().ipv6({.source = client6, .destination = host6}).extension(fragment).udp({})),
    };
}

std::vector<PacketCase> other_packets() {
    const Mac everybody{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    const Mac lldp{{0x01, 0x80, 0xc2, 0, 0, 0x0e}};
    const Mac stranger{{0x02, 0, 0, 0, 0, 0x55}};
    const auto v4 = [](const Address& to) {
        return Frame().ipv4({.source = client4, .destination = to});
    };
    return {
        passed("ARP", Frame(everybody, router_mac, 0x0806).payload(46)),
        passed("LLDP", Frame(lldp, router_mac, 0x88cc).payload(46)),
        passed("length instead of type", Frame(lldp, router_mac, 0x0026).payload(46)),
        passed("header alone", Frame()),
        passed("noise", noise(100)),
        passed("noise that says IPv4", Frame(our_mac, router_mac, 0x0800).payload(64)),
        passed("noise that says IPv6", Frame(our_mac, router_mac, 0x86dd).payload(64)),
        passed("IPv4 cut before its destination", cut(v4(vip4).udp({}), 33)),
        passed("IPv4 TCP for another host", v4(host4).tcp({.flags = syn})),
        passed("IPv4 UDP for another host", v4(host4).udp({})),
        passed("IPv4 broadcast", v4(address("255.255.255.255")).udp({.destination = 67})),
        passed("IPv4 multicast", v4(address("224.0.0.18")).protocol(112, 20)),
        passed("IPv4 null scan of another host", v4(host4).tcp({.flags = 0})),
        passed("IPv4 lying about its length, for another host",
               Frame()
                   .ipv4({.source = client4, .destination = host4, .total_length = 2000})
                   .tcp({.flags = syn})),
        passed("IPv4 broken header for another host",
               Frame()
                   .ipv4({.source = client4, .destination = host4, .header_words = 3})
                   .tcp({.flags = syn})),
        passed("VIP as source", Frame().ipv4({.source = vip4, .destination = host4}).tcp({})),
        passed("IPv6 TCP for another host",
               Frame().ipv6({.source = client6, .destination = host6}).tcp({.flags = syn})),
        passed("IPv6 neighbour discovery for another host",
               Frame()
                   .ipv6({.source = client6, .destination = address("ff02::1:ff00:100")})
                   .protocol(58, 32)),
        passed("IPv6 with eight headers for another host",
               [] {
                   Frame frame = Frame().ipv6({.source = client6, .destination = host6});
                   for (int i = 0; i < 8; i++)
                       frame.extension(destination_options);
                   return frame.udp({});
               }()),
        passed("IPv6 that differs from the VIP in its first half",
               Frame()
                   .ipv6({.source = client6, .destination = address("fd08::100")})
                   .tcp({.flags = syn})),
        passed("IPv6 that has the mapped IPv4 VIP",
               Frame().ipv6({.source = client6, .destination = vip4}).tcp({.flags = syn}),
               {"vip_no_service"}),
        passed("ping of the VIP", to_vip4().protocol(1, 16), {"vip_other_protocol"}),
        passed("ping of the IPv6 VIP", to_vip6().protocol(58, 16), {"vip_other_protocol"}),
        passed("GRE for the VIP", to_vip4().protocol(47, 40), {"vip_other_protocol"}),
        passed("SCTP for the VIP", to_vip4().protocol(132, 40), {"vip_other_protocol"}),
        passed("unknown port of the VIP", to_vip4().tcp({.destination = 81, .flags = syn}),
               {"vip_no_service"}),
        passed("unknown port of the IPv6 VIP", to_vip6().udp({.destination = 54}),
               {"vip_no_service"}),
        passed("the service's port in the other protocol", to_vip4().udp({.destination = web}),
               {"vip_no_service"}),
        passed("the service's port in the other protocol, IPv6",
               to_vip6().tcp({.destination = name, .flags = syn}), {"vip_no_service"}),
        // A connection that this host has opened from the VIP.
        passed("SYN ACK to a port without service",
               to_vip4().tcp({.destination = name, .flags = syn | ack}), {"vip_no_service"}),
        passed("for another station",
               Frame(stranger).ipv4({.source = client4, .destination = vip4}).tcp({.flags = syn}),
               {"other_host"}),
        passed("for another station, IPv6",
               Frame(stranger).ipv6({.source = client6, .destination = vip6}).udp({}),
               {"other_host"}),
        passed("for everybody",
               Frame(everybody).ipv4({.source = client4, .destination = vip4}).udp({}),
               {"other_host"}),
    };
}

}  // namespace bascule::test
