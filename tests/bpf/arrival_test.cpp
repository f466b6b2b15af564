// SPDX-License-Identifier: Apache-2.0
// What arrives for a VIP and is no ordinary packet of a client: without a service, in a tunnel, on
// its last hop, from nobody who can have sent it, or to itself.
#include <gtest/gtest.h>

#include "delivery.h"

namespace bascule::test {

namespace {

const Address client4 = ipv4_family().client, vip4 = ipv4_family().vip;
const Address client6 = ipv6_family().client, vip6 = ipv6_family().vip;

Frame to_vip4(const Address& source = client4) {
    return Frame().ipv4({.source = source, .destination = vip4});
}
Frame to_vip6(const Address& source = client6) {
    return Frame().ipv6({.source = source, .destination = vip6});
}

// What is for a VIP and nothing else: (title, frame, what a holder counts).
struct Stray {
    std::string title;
    Bytes in;
    std::string event;
};

std::vector<Stray> strays() {
    // A packet for a service inside of one that ends at the VIP: nobody asked for it, and only a
    // backend unpacks.
    const Bytes inner4 = packet_of(to_vip4().tcp({.flags = syn}));
    const Bytes inner6 = packet_of(to_vip6().tcp({.flags = syn}));
    const auto in = [](Frame frame, std::uint8_t protocol, const Bytes& inner) {
        Bytes bytes = frame.protocol(protocol, inner.size());
        std::copy(inner.rbegin(), inner.rend(), bytes.rbegin());
        return bytes;
    };
    const auto in_udp = [](Frame frame, const Bytes& inner) {
        Bytes bytes = frame.udp({.destination = 6080, .checksum = 0}).payload(inner.size());
        std::copy(inner.rbegin(), inner.rend(), bytes.rbegin());
        return bytes;
    };
    return {
        {"TCP IPv4", to_vip4().tcp({.destination = 81, .flags = syn}), "vip_no_service"},
        {"TCP IPv6", to_vip6().tcp({.destination = 81, .flags = syn}), "vip_no_service"},
        {"UDP IPv4", to_vip4().udp({.destination = 80}), "vip_no_service"},
        {"UDP IPv6", to_vip6().udp({.destination = 80}), "vip_no_service"},
        {"TCP to the port of UDP", to_vip4().tcp({.destination = 53}), "vip_no_service"},
        {"port 0", to_vip4().tcp({.destination = 0, .flags = syn}), "vip_no_service"},
        {"port 65535", to_vip4().udp({.destination = 65535}), "vip_no_service"},
        {"SYN ACK to no service", to_vip4().tcp({.destination = 9, .flags = syn | ack}),
         "vip_no_service"},
        {"IPv4 in IPv4", in(to_vip4(), 4, inner4), "vip_other_protocol"},
        {"IPv6 in IPv4", in(to_vip4(), 41, inner6), "vip_other_protocol"},
        {"IPv4 in IPv6", in(to_vip6(), 4, inner4), "vip_other_protocol"},
        {"IPv6 in IPv6", in(to_vip6(), 41, inner6), "vip_other_protocol"},
        {"GUE with IPv4", in_udp(to_vip4(), inner4), "vip_no_service"},
        {"GUE with IPv6", in_udp(to_vip6(), inner6), "vip_no_service"},
        {"GRE", to_vip4().protocol(47, 40), "vip_other_protocol"},
        {"ESP", to_vip4().protocol(50, 40), "vip_other_protocol"},
        {"SCTP", to_vip4().protocol(132, 32), "vip_other_protocol"},
        {"SCTP IPv6", to_vip6().protocol(132, 32), "vip_other_protocol"},
        {"UDP Lite", to_vip4().protocol(136, 20), "vip_other_protocol"},
        {"VRRP", to_vip4().protocol(112, 20), "vip_other_protocol"},
        {"protocol 255", to_vip4().protocol(255, 20), "vip_other_protocol"},
        {"IPv4 ICMP number in IPv6", to_vip6().protocol(1, 20), "vip_other_protocol"},
        {"ICMPv6 number in IPv4", to_vip4().protocol(58, 20), "vip_other_protocol"},
        {"ICMP echo", to_vip4().icmp({.type = 8, .code = 0}), "vip_other_protocol"},
        {"ICMPv6 echo", to_vip6().icmp({.type = 128, .code = 0}), "vip_other_protocol"},
        {"ICMP redirect",
         to_vip4().icmp({.type = 5, .code = 1, .quoted = packet_of(to_vip4().tcp({}))}),
         "vip_other_protocol"},
    };
}

class Strays : public Delivery, public ::testing::WithParamInterface<Stray> {};

void PrintTo(const Stray& stray, std::ostream* out) {
    *out << stray.title;
}

std::string name_of(const ::testing::TestParamInfo<Stray>& info) {
    std::string name;
    for (const char c : info.param.title)
        name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return name;
}
INSTANTIATE_TEST_SUITE_P(All, Strays, ::testing::ValuesIn(strays()), name_of);

TEST_P(Strays, GoToLinuxOnTheHolder) {
    expect_untouched(GetParam().in, Verdict::pass);
    expect_counts({GetParam().event});
}

// A standby that forwards would send it in circles.
TEST_P(Strays, AreDroppedElsewhere) {
    model::Desired desired = usual_tables();
    for (model::DesiredVip& vip : desired.vips)
        vip.held = false;
    want(desired);
    expect_untouched(GetParam().in, Verdict::drop);
    expect_counts({"not_held"});
}

// A standby serves what has a service.
TEST_F(Strays, ServicesAreServedWhereTheVipIsNotHeld) {
    model::Desired desired = usual_tables();
    for (model::DesiredVip& vip : desired.vips)
        vip.held = false;
    want(desired);
    for (const Family* family : {&ipv4_family(), &ipv6_family()}) {
        EXPECT_NE(deliver(tcp_packet(*family, syn)), 0);
        EXPECT_NE(deliver(udp_packet(*family)), 0);
    }
}

// ---- sources
// -------------------------------------------------------------------------------------

struct Source {
    std::string text;
    bool martian;
};
void PrintTo(const Source& source, std::ostream* out) {
    *out << source.text;
}

class Sources : public Delivery, public ::testing::WithParamInterface<Source> {
protected:
    // Not through Frame::ip: an address such as ::ffff:1.2.3.4 is to stand in an IPv6 header.
    static Frame from(const Source& source) {
        const Address is =
            address(source.text.starts_with("mapped ") ? source.text.substr(7) : source.text);
        if (source.text.find(':') != std::string::npos || source.text.starts_with("mapped "))
            return to_vip6(is);
        return to_vip4(is);
    }
};

INSTANTIATE_TEST_SUITE_P(
    All, Sources,
    ::testing::Values(Source{"0.0.0.0", true}, Source{"0.1.2.3", true}, Source{"127.0.0.1", true},
                      Source{"127.255.255.255", true}, Source{"224.0.0.1", true},
                      Source{"239.255.255.255", true}, Source{"240.0.0.1", true},
                      Source{"255.255.255.255", true}, Source{"10.9.0.100", true},
                      Source{"1.0.0.0", false}, Source{"126.255.255.255", false},
                      Source{"128.0.0.1", false}, Source{"223.255.255.255", false},
                      Source{"10.9.0.101", false}, Source{"169.254.1.1", false}, Source{"::", true},
                      Source{"::1", true}, Source{"ff02::1", true}, Source{"ff0e::1:2:3", true},
                      Source{"mapped 198.51.100.7", true}, Source{"fd09::100", true},
                      Source{"::2", false}, Source{"fe80::1", false}, Source{"fd09::101", false},
                      Source{"2001:db8::1", false}, Source{"64:ff9b::c633:6407", false}),
    [](const auto& test) {
        std::string name = test.param.text;
        for (char& c : name)
            if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
        return name;
    });

TEST_P(Sources, OfTcp) {
    const Bytes frame = from(GetParam()).tcp({.flags = syn});
    if (GetParam().martian) {
        expect_untouched(frame, Verdict::drop);
        expect_counts({"martian_source"});
    } else {
        EXPECT_NE(deliver(frame), 0);
        expect_counts({"session_inserted"});
    }
}

TEST_P(Sources, OfUdp) {
    const Bytes frame = from(GetParam()).udp({});
    if (GetParam().martian) {
        expect_untouched(frame, Verdict::drop);
        expect_counts({"martian_source"});
    } else {
        EXPECT_NE(deliver(frame), 0);
    }
    EXPECT_EQ(engine().sessions().size(), GetParam().martian ? 0U : 1U);
}

// The same port on both sides: "LAND" (CVE-1999-0016).
TEST_F(Sources, LandIsDropped) {
    for (const Frame& frame : {to_vip4(vip4), to_vip6(vip6)}) {
        expect_untouched(Frame(frame).tcp({.source = web, .destination = web, .flags = syn}),
                         Verdict::drop);
        expect_counts({"martian_source"});
    }
}

// Elsewhere than at a service they are Linux's business, which knows what to do.
TEST_F(Sources, MartiansForNoServiceGoToLinux) {
    expect_untouched(to_vip4(address("127.0.0.1")).tcp({.destination = 9, .flags = syn}),
                     Verdict::pass);
    expect_counts({"vip_no_service"});
}

// ---- the last hop
// --------------------------------------------------------------------------------

class LastHop : public OwnTables, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(All, LastHop, ::testing::Values(0, 1, 2, 255));

// A packet for a VIP has arrived: its hops are of no more interest, and stay as they are.
TEST_P(LastHop, HopsAreNotTouched) {
    const auto hops = static_cast<std::uint8_t>(GetParam());
    for (const NamedWay& named : every_way()) {
        SCOPED_TRACE(named.name);
        Served served4, served6;
        served6.family = ipv6_family();
        served4.way = served6.way = named.way;
        serve({served4, served6});
        expect_delivered(Frame()
                             .ipv4({.source = client4, .destination = vip4, .ttl = hops})
                             .tcp({.flags = syn})
                             .checked(),
                         named.way);
        expect_delivered(Frame()
                             .ipv6({.source = client6, .destination = vip6, .hop_limit = hops})
                             .tcp({.flags = syn})
                             .checked(),
                         named.way);
    }
}

}  // namespace

}  // namespace bascule::test
