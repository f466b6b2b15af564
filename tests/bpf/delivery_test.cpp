// SPDX-License-Identifier: Apache-2.0
// Every forwarding mode, with every family inside and outside, with the service's port and with
// another: what leaves is what expected.h makes of the frame.
#include "delivery.h"

#include <gtest/gtest.h>

#include <tuple>

#include "checksum.h"
#include "world.h"

namespace bascule::test {

namespace {

using model::Forward;
using model::Protocol;
using Combination = std::tuple<NamedWay, Family, Protocol>;

std::string name_of_combination(const ::testing::TestParamInfo<Combination>& info) {
    const auto& [named, family, protocol] = info.param;
    return named.name + "_" + family.name + (protocol == Protocol::tcp ? "_TCP" : "_UDP");
}

class EveryWay : public OwnTables, public ::testing::WithParamInterface<Combination> {
protected:
    const Way& way() const { return std::get<0>(GetParam()).way; }
    const Family& family() const { return std::get<1>(GetParam()); }
    bool is_tcp() const { return std::get<2>(GetParam()) == Protocol::tcp; }
    Served served() const {
        Served served;
        served.family = family();
        served.protocol = std::get<2>(GetParam());
        served.way = way();
        return served;
    }
    Bytes frame(std::size_t payload) const {
        return is_tcp() ? web_frame(family(), {.flags = ack}, payload)
                        : name_frame(family(), payload);
    }
};

INSTANTIATE_TEST_SUITE_P(All, EveryWay,
                         ::testing::Combine(::testing::ValuesIn(every_way()),
                                            ::testing::Values(ipv4_family(), ipv6_family()),
                                            ::testing::Values(Protocol::tcp, Protocol::udp)),
                         name_of_combination);

TEST_P(EveryWay, PacketLeavesAsItShould) {
    serve({served()});
    const std::uint16_t slot = engine().service_slot(service_of(served()).key);
    const dataplane::Traffic before = engine().dataplane().service_traffic(slot);
    const Bytes in = frame(33);
    expect_delivered(in, way());
    expect_counts({"session_inserted"});
    const dataplane::Traffic after = engine().dataplane().service_traffic(slot);
    EXPECT_EQ(after.packets - before.packets, 1U);
    EXPECT_EQ(after.bytes - before.bytes, in.size());
}

TEST_P(EveryWay, PacketOfKnownSessionLeavesAsItShould) {
    serve({served()});
    expect_delivered(frame(0), way());
    engine().counted();
    expect_delivered(frame(1), way());
    expect_delivered(frame(1300), way());
    EXPECT_EQ(engine().sessions().size(), 1U);
}

TEST_P(EveryWay, OtherHeadersStayInPlace) {
    serve({served()});
    const auto l4 = [&](Frame frame) -> Bytes {
        if (is_tcp())
            return frame.tcp({.flags = psh | ack, .option_bytes = 12}).payload(7).checked();
        return frame.udp({.destination = web}).payload(7).checked();
    };
    if (family().vip.is_v4()) {
        expect_delivered(l4(Frame().ipv4({.source = family().client,
                                          .destination = family().vip,
                                          .option_bytes = 24,
                                          .fragment_word = 0x4000,
                                          .tos = 0xb9,
                                          .id = 7,
                                          .ttl = 3})),
                         way());
        return;
    }
    expect_delivered(l4(Frame()
                            .ipv6({.source = family().client,
                                   .destination = family().vip,
                                   .traffic_class = 0x2e,
                                   .flow_label = 0xabcde,
                                   .hop_limit = 2})
                            .extension(hop_by_hop)
                            .extension(destination_options, 16)),
                     way());
}

// Bytes behind the IP packet stay behind it, or are cut off where there is a new outer packet.
TEST_P(EveryWay, PaddingIsNoPartOfThePacket) {
    serve({served()});
    Frame frame = is_tcp() ? web_frame(family(), {.flags = ack}, 0) : name_frame(family(), 0);
    expect_delivered(frame.padding(18), way());
}

TEST_P(EveryWay, OneTagGoesWhereTheWayHasNone) {
    serve({served()});
    Frame frame;
    frame.vlan(100).ip(family().client, family().vip);
    if (is_tcp())
        frame.tcp({.flags = ack}).payload(3).checked();
    else
        frame.udp({.destination = web}).payload(3).checked();
    expect_delivered(frame, way());
}

TEST_P(EveryWay, WrongChecksumStaysWrong) {
    serve({served()});
    Bytes in = frame(40);
    const IpLayout layout = layout_of(packet_of(in));
    const std::size_t at = 14 + checksum_at(layout);
    put16(in, at, static_cast<std::uint16_t>(get16(in, at) ^ 0x5555));
    const Outcome outcome = engine().run(in);
    EXPECT_EQ(hex(outcome.frame), hex(delivered_frame(in, way(), chosen_in(outcome.frame, way()))));
}

// ---- out of another interface ------------------------------------------------------------------

class OtherInterface : public EveryWay {
protected:
    Served behind_second() const {
        Served there = served();
        there.interface = second_interface;
        there.way.source = second_source;
        return there;
    }
};

std::vector<NamedWay> ways_out() {
    std::vector<NamedWay> ways;
    for (const NamedWay& named : every_way())
        if (named.way.forward != Forward::local) ways.push_back(named);
    return ways;
}

INSTANTIATE_TEST_SUITE_P(All, OtherInterface,
                         ::testing::Combine(::testing::ValuesIn(ways_out()),
                                            ::testing::Values(ipv4_family(), ipv6_family()),
                                            ::testing::Values(Protocol::tcp)),
                         name_of_combination);

TEST_P(OtherInterface, PacketIsRedirected) {
    serve({behind_second()});
    expect_delivered(frame(33), behind_second().way, Verdict::redirect);
    expect_counts({"session_inserted"});
}

// ---- written out by hand ------------------------------------------------------------------------

// The same as above without expected.h: an error that both made would show here.
class Written : public OwnTables {
protected:
    void serve_by(const Way& way, Protocol protocol) {
        Served served;
        served.way = way;
        served.protocol = protocol;
        serve({served});
    }
    // 198.51.100.7:40000 -> 10.9.0.100:80, two bytes.
    static Bytes udp_in() {
        return Frame()
            .ipv4({.source = ipv4_family().client,
                   .destination = ipv4_family().vip,
                   .fragment_word = 0x4000,
                   .tos = 0x2a})
            .udp({.destination = web})
            .payload(2)
            .checked();
    }
};

TEST_F(Written, UdpWithAnotherPort) {
    Way way = l2_way();
    way.port = 8080;
    serve_by(way, Protocol::udp);
    EXPECT_EQ(hex(udp_in()),
              "0200 0000 0001 0200 0000 00fe 0800 "
              "452a 001e 1234 4000 4011 f3c9 c633 6407 0a09 0064 "
              "9c40 0050 000a 8e00 a0a1");
    expect_frame(udp_in(), Verdict::tx, [] {
        Bytes out = udp_in();
        const Bytes head{2, 0, 0, 0, 0x0b, 0x4d, 2, 0, 0, 0, 0, 1};
        std::copy(head.begin(), head.end(), out.begin());
        put16(out, 36, 0x1f90);           // 8080
        put16(out, 40, 0x8e00 - 0x1f40);  // less what the port is more
        return out;
    }());
}

TEST_F(Written, IpInIp) {
    Way way = tunnel_way(Forward::ipip, true);
    serve_by(way, Protocol::udp);
    EXPECT_EQ(hex(engine().run(udp_in()).frame),
              "0200 0000 0b4d 0200 0000 0001 0800 "
              "452a 0032 0000 4000 4004 b64f c000 0201 c000 024d "
              "452a 001e 1234 4000 4011 f3c9 c633 6407 0a09 0064 "
              "9c40 0050 000a 8e00 a0a1");
}

TEST_F(Written, IpInIpv6) {
    Way way = tunnel_way(Forward::ipip, false);
    serve_by(way, Protocol::udp);
    Bytes out = engine().run(udp_in()).frame;
    ASSERT_EQ(out.size(), udp_in().size() + 40);
    put16(out, 16, 0);  // the flow label's last bits
    out[15] &= 0xf0;
    EXPECT_EQ(hex(out),
              "0200 0000 0b4d 0200 0000 0001 86dd "
              "62a0 0000 001e 0440 2001 0db8 0077 0000 0000 0000 0000 0001 "
              "2001 0db8 0077 0000 0000 0000 0000 004d "
              "452a 001e 1234 4000 4011 f3c9 c633 6407 0a09 0064 "
              "9c40 0050 000a 8e00 a0a1");
}

TEST_F(Written, Gue) {
    Way way = tunnel_way(Forward::gue, true);
    serve_by(way, Protocol::udp);
    Bytes out = engine().run(udp_in()).frame;
    ASSERT_EQ(out.size(), udp_in().size() + 28);
    EXPECT_EQ(out[34] & 0xc0, 0xc0);
    put16(out, 34, 0xc000);  // the source port's last bits are the flow's
    EXPECT_EQ(hex(out),
              "0200 0000 0b4d 0200 0000 0001 0800 "
              "452a 003a 0000 4000 4011 b63a c000 0201 c000 024d "
              "c000 17c0 0026 0000 "
              "452a 001e 1234 4000 4011 f3c9 c633 6407 0a09 0064 "
              "9c40 0050 000a 8e00 a0a1");
}

}  // namespace

}  // namespace bascule::test
