// SPDX-License-Identifier: Apache-2.0
#include "variety.h"

#include <algorithm>
#include <vector>

#include "delivery.h"

namespace bascule::test {

using model::Forward;
using model::Protocol;

namespace {

constexpr std::uint8_t backends_each = 3;
constexpr std::uint16_t second_tag = 100;

// ---- tables in which every kind of end can be met --------------------------------------------

struct Offer {
    std::uint16_t port;
    Protocol protocol = Protocol::tcp;
    Way way = l2_way();
    std::uint16_t last_port = 0;  // 0: one port
    std::uint16_t mtu = 1500;
    const char* interface = first_interface;
    bool has_backends = true;
    model::OnEmpty on_empty = model::OnEmpty::drop;
    model::Unknown unknown = model::Unknown::rehash;
    model::Affinity affinity = model::Affinity::flow;
};

Way with_port(Way way, std::uint16_t port) {
    way.port = port;
    return way;
}

Way with_entropy(Way way) {
    way.entropy_bits = 8;
    return way;
}

Way with_mss(Way way) {
    way.mss = 1000;
    return way;
}

Way tagged(Way way) {
    way.vlan = second_tag;
    return way;
}

std::vector<Offer> offers() {
    return {
        {.port = 80},
        {.port = 81, .way = with_entropy(tunnel_way(Forward::ipip, true))},
        {.port = 82, .way = tunnel_way(Forward::ipip, false)},
        {.port = 83, .way = with_port(tunnel_way(Forward::gue, true), 8083)},
        {.port = 84, .way = tunnel_way(Forward::gue, false)},
        {.port = 85, .way = with_port(local_way(), 8085)},
        {.port = 86, .unknown = model::Unknown::drop},
        {.port = 87, .has_backends = false},
        {.port = 88, .has_backends = false, .on_empty = model::OnEmpty::reset},
        {.port = 89, .way = tunnel_way(Forward::ipip, true), .mtu = 600},
        {.port = 90, .way = with_port(l2_way(), 8090), .interface = second_interface},
        {.port = 91, .way = with_mss(l2_way())},
        {.port = 92, .affinity = model::Affinity::source},
        {.port = 93, .way = tagged(l2_way())},
        {.port = 8000, .last_port = 8099},
        {.port = 53, .protocol = Protocol::udp, .way = with_port(l2_way(), 5353)},
        {.port = 54, .protocol = Protocol::udp, .way = tunnel_way(Forward::gue, true)},
        {.port = 55,
         .protocol = Protocol::udp,
         .has_backends = false,
         .on_empty = model::OnEmpty::reset},
    };
}

model::DesiredService service_of(const Family& family, const Offer& offer) {
    Served served;
    served.family = family;
    served.protocol = offer.protocol;
    served.way = offer.way;
    served.mtu = offer.mtu;
    served.interface = offer.interface;
    served.ports = {offer.port, offer.last_port != 0 ? offer.last_port : offer.port};
    served.on_empty = offer.on_empty;
    served.has_backend = offer.has_backends;
    model::DesiredService service = test::service_of(served);
    service.options.unknown = offer.unknown;
    service.options.affinity = offer.affinity;
    if (!offer.has_backends) return service;
    // The same backend again under other identities, each with a station of its own.
    const model::DesiredBackend first = service.backends.front();
    for (std::uint8_t number = 1; number < backends_each; number++) {
        model::DesiredBackend other = first;
        const bool is_local = offer.way.forward == Forward::local;
        Address::Bytes bytes = first.key.address.bytes();
        bytes[15] = static_cast<std::uint8_t>(bytes[15] + number);
        if (!is_local) other.key.address = Address(bytes);
        if (is_local) {
            other.key.port = static_cast<std::uint16_t>(first.key.port + number);
            other.delivery.rewrite_port = other.key.port;
        } else {
            other.next_hop->mac.bytes[5] = static_cast<std::uint8_t>(0x50 + number);
        }
        service.backends.push_back(other);
    }
    return service;
}

}  // namespace

model::Desired all_offers() {
    model::Desired desired;
    for (const Family* family : {&ipv4_family(), &ipv6_family()}) {
        desired.vips.push_back({family->vip, true});
        for (const Offer& offer : offers())
            desired.services.push_back(service_of(*family, offer));
    }
    // One that this node does not hold, with a service.
    model::DesiredVip elsewhere{address("10.9.0.101"), false};
    desired.vips.push_back(elsewhere);
    Family family = ipv4_family();
    family.vip = elsewhere.address;
    desired.services.push_back(service_of(family, {.port = 80}));
    return desired;
}

// ---- packets -----------------------------------------------------------------------------------

namespace {

// Few clients and ports, so that flows are met again.
Address client(Dice& dice, const Family& family) {
    Address::Bytes bytes = family.client.bytes();
    bytes[15] = static_cast<std::uint8_t>(1 + dice.below(4));
    if (!dice.one_in(20)) return Address(bytes);
    return dice.of<Address>({family.vip, address(family.vip.is_v4() ? "127.0.0.1" : "::1"),
                             address(family.vip.is_v4() ? "224.0.0.5" : "ff02::5")});
}

Frame begun(Dice& dice) {
    Frame frame(dice.one_in(25) ? Mac{{0x02, 9, 9, 9, 9, 9}} : our_mac);
    if (dice.one_in(6)) frame.vlan(dice.one_in(2) ? second_tag : 7);
    if (dice.one_in(20)) frame.vlan(second_tag);
    return frame;
}

Address destination(Dice& dice, const Family& family) {
    if (dice.one_in(25)) return family.other;
    return family.vip.is_v4() && dice.one_in(15) ? address("10.9.0.101") : family.vip;
}

void add_ip(Dice& dice, Frame& frame, const Family& family) {
    const Address from = client(dice, family), to = destination(dice, family);
    const auto ecn_and_dscp = static_cast<std::uint8_t>(dice.below(256));
    if (family.vip.is_v4()) {
        Ipv4 ip{.source = from, .destination = to, .tos = ecn_and_dscp};
        ip.option_bytes = dice.one_in(8) ? 8 : 0;
        ip.ttl = dice.of<std::uint8_t>({0, 1, 64});
        // Don't fragment, a first and a later fragment of a few packets.
        ip.fragment_word = dice.of<std::uint16_t>({0, 0, 0x4000, 0x4000, 0x2000, 25});
        ip.id = static_cast<std::uint16_t>(dice.below(4));
        frame.ipv4(ip);
        return;
    }
    frame.ipv6({.source = from, .destination = to, .traffic_class = ecn_and_dscp});
    if (dice.one_in(8)) frame.extension(destination_options, 16);
    if (dice.one_in(6)) frame.piece(dice.one_in(2) ? 0 : 200, dice.one_in(2), dice.below(4));
}

std::uint16_t source_port(Dice& dice) {
    return static_cast<std::uint16_t>(40000 + dice.below(3));
}

std::uint16_t port(Dice& dice) {
    std::vector<std::uint16_t> ports = {8050, 8099, 8100, 443};
    for (const Offer& offer : offers())
        ports.push_back(offer.port);
    return dice.of(ports);
}

Bytes tcp(Dice& dice, const Family& family) {
    Frame frame = begun(dice);
    add_ip(dice, frame, family);
    const auto flags = dice.of<std::uint8_t>(
        {syn, syn, syn, ack, ack, ack | psh, fin | ack, rst, syn | fin, syn | ack, 0});
    const bool has_mss = (flags & syn) != 0 && dice.one_in(2);
    frame.tcp({.source = source_port(dice),
               .destination = port(dice),
               .sequence = dice.below(3000),
               .flags = flags,
               .options = has_mss ? Bytes{2, 4, 0x05, 0xb4} : Bytes{}});
    return frame.payload(dice.one_in(4) ? 700 + dice.below(700) : dice.below(40)).checked();
}

Bytes udp(Dice& dice, const Family& family) {
    Frame frame = begun(dice);
    add_ip(dice, frame, family);
    frame.udp({.source = source_port(dice),
               .destination = port(dice),
               .checksum = static_cast<std::uint16_t>(dice.one_in(4) ? 0 : 0xbeef)});
    return frame.payload(dice.below(60));
}

// An ICMP error about an answer of a service, or about anything.
Bytes icmp(Dice& dice, const Family& family) {
    const Address source = client(dice, family);
    const std::uint16_t service_port = port(dice), client_side = source_port(dice);
    Frame quoted;
    quoted.ip(dice.one_in(8) ? family.other : family.vip, source);
    if (dice.one_in(2))
        quoted.tcp({.source = service_port, .destination = client_side, .flags = ack});
    else
        quoted.udp({.source = service_port, .destination = client_side});
    const Bytes whole = packet_of(quoted.payload(30));
    const bool v4 = family.vip.is_v4();
    Icmp error;
    error.type = v4 ? dice.of<std::uint8_t>({3, 11, 12, 8}) : dice.of<std::uint8_t>({1, 2, 3, 128});
    error.code = v4 ? 4 : 0;
    error.rest = 1400;
    error.quoted = Bytes(whole.begin(), whole.begin() + (v4 ? 20 : 40) +
                                            (dice.one_in(4)   ? 4
                                             : dice.one_in(2) ? 8
                                                              : 28));
    Frame frame = begun(dice);
    return frame
        .ip(dice.of<Address>({source, address(v4 ? "203.0.113.9" : "2001:db8:9::9")}), family.vip)
        .icmp(error);
}

Bytes other(Dice& dice, const Family& family) {
    Frame frame = begun(dice);
    add_ip(dice, frame, family);
    return frame.protocol(dice.of<std::uint8_t>({47, 50, 132}), 20);
}

}  // namespace

Bytes random_packet(Dice& dice) {
    const Family& family = dice.one_in(2) ? ipv4_family() : ipv6_family();
    Bytes frame;
    switch (dice.below(10)) {
        case 0:
        case 1:
            frame = udp(dice, family);
            break;
        case 2:
            frame = icmp(dice, family);
            break;
        case 3:
            frame = other(dice, family);
            break;
        default:
            frame = tcp(dice, family);
    }
    if (dice.one_in(15)) frame = cut(frame, std::max<std::size_t>(14, dice.below(80)));
    return frame;
}

}  // namespace bascule::test
