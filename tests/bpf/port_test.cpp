// SPDX-License-Identifier: Apache-2.0
// What is changed inside a packet: the destination port with its checksum, and a SYN's maximum
// segment size.
#include <gtest/gtest.h>

#include "checksum.h"
#include "delivery.h"

namespace bascule::test {

namespace {

using model::Protocol;

class Ports : public OwnTables, public ::testing::WithParamInterface<Family> {
protected:
    const Family& family() const { return GetParam(); }
    bool v4() const { return family().vip.is_v4(); }
    void serve_port(Protocol protocol, std::uint16_t port) {
        Served served;
        served.family = family();
        served.protocol = protocol;
        served.way = way(port);
        serve({served});
    }
    static Way way(std::uint16_t port) {
        Way way = l2_way();
        way.port = port;
        return way;
    }
    Bytes udp(std::uint16_t checksum) const {
        return Frame()
            .ip(family().client, family().vip)
            .udp({.destination = web, .checksum = checksum})
            .payload(8);
    }
    std::uint16_t udp_checksum(const Bytes& frame) const {
        return get16(frame, v4() ? 14 + 26 : 14 + 46);
    }
};

INSTANTIATE_TEST_SUITE_P(Families, Ports, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

// RFC 768: none. RFC 6935 allows it for tunnels over IPv6; the engine is not the one to mend it.
TEST_P(Ports, ZeroChecksumOfUdpStaysZero) {
    serve_port(Protocol::udp, rewritten_port);
    const Bytes out = expect_delivered(udp(0), way(rewritten_port));
    EXPECT_EQ(udp_checksum(out), 0);
}

// One that comes out as zero would say "none": it is sent as 0xffff.
TEST_P(Ports, ComputedZeroOfUdpIsSentAsAllOnes) {
    // The checksum that becomes zero with the other port: less by as much as the port is more.
    constexpr std::uint16_t to = 0x1f90;
    serve_port(Protocol::udp, to);
    const Bytes out = expect_delivered(udp(to - web), way(to));
    EXPECT_EQ(udp_checksum(out), 0xffff);
}

// The same with a packet whose checksum is right.
TEST_P(Ports, ComputedZeroOfARightPacket) {
    bool met = false;
    for (std::uint32_t port = 1; port <= 65535 && !met; port += 1) {
        const Bytes in = Frame()
                             .ip(family().client, family().vip)
                             .udp({.source = static_cast<std::uint16_t>(port), .destination = web})
                             .payload(8)
                             .checked();
        if (udp_checksum(in) != rewritten_port - web) continue;
        met = true;
        serve_port(Protocol::udp, rewritten_port);
        EXPECT_EQ(udp_checksum(expect_delivered(in, way(rewritten_port))), 0xffff);
    }
    EXPECT_TRUE(met);
}

TEST_P(Ports, EveryPortKeepsTheChecksumRight) {
    for (const int port : {1, 79, 81, 255, 256, 8080, 0x7fff, 0x8000, 0xff00, 0xfffe, 0xffff}) {
        SCOPED_TRACE(port);
        const auto to = static_cast<std::uint16_t>(port);
        serve_port(Protocol::tcp, to);
        for (std::uint32_t sequence = 0; sequence < 50; sequence++) {
            const Bytes in = web_frame(family(), {.sequence = sequence * 0x01234567, .flags = ack},
                                       sequence % 7);
            const Bytes out = expect_delivered(in, way(to));
            const Bytes ip = packet_of(out);
            EXPECT_TRUE(is_l4_checksum_right(ip, layout_of(ip)));
        }
    }
}

TEST_P(Ports, EveryPortKeepsUdpChecksumRight) {
    for (const int port : {1, 54, 0x00ff, 0x8000, 0xffff}) {
        const auto to = static_cast<std::uint16_t>(port);
        serve_port(Protocol::udp, to);
        for (std::uint16_t i = 0; i < 50; i++) {
            const Bytes in =
                Frame()
                    .ip(family().client, family().vip)
                    .udp({.source = static_cast<std::uint16_t>(1000 + 997 * i), .destination = web})
                    .payload(i % 9)
                    .checked();
            const Bytes ip = packet_of(expect_delivered(in, way(to)));
            EXPECT_TRUE(is_l4_checksum_right(ip, layout_of(ip)));
        }
    }
}

// Four servers on one host behind one port.
TEST_P(Ports, BackendsOnOneAddressDifferByPort) {
    Served served;
    served.family = family();
    model::Desired desired;
    desired.vips.push_back({family().vip, true});
    desired.services.push_back(service_of(served));
    const model::DesiredBackend one = desired.services[0].backends[0];
    desired.services[0].backends.clear();
    for (std::uint16_t port = 25001; port <= 25004; port++) {
        desired.services[0].backends.push_back(one);
        desired.services[0].backends.back().key.port = port;
        desired.services[0].backends.back().delivery.rewrite_port = port;
    }
    want(desired);
    std::map<std::uint16_t, int> met;
    for (std::uint16_t i = 0; i < 100; i++) {
        const auto source = static_cast<std::uint16_t>(client_port + i);
        const Bytes opening = web_frame(family(), {.source = source, .flags = syn}, 0);
        const Outcome first = engine().run(opening);
        const std::uint16_t port = get16(first.frame, v4() ? 36 : 56);
        EXPECT_EQ(hex(first.frame), hex(delivered_frame(opening, way(port))));
        met[port]++;
        const Bytes next =
            web_frame(family(), {.source = source, .sequence = 1001, .flags = ack}, 9);
        EXPECT_EQ(hex(engine().run(next).frame), hex(delivered_frame(next, way(port))));
    }
    ASSERT_EQ(met.size(), 4U);
    EXPECT_EQ(met.begin()->first, 25001);
    EXPECT_EQ(met.rbegin()->first, 25004);
}

// ---- maximum segment size
// ------------------------------------------------------------------------

struct SegmentCase {
    std::string name;
    Bytes options;  // padded to whole words by whoever makes them
    bool lowered = true;
    std::uint8_t flags = syn;
};
void PrintTo(const SegmentCase& test, std::ostream* out) {
    *out << test.name;
}

std::vector<SegmentCase> segment_cases() {
    return {
        {"alone", {2, 4, 0x05, 0xb4}},
        {"as_Linux_sends_it", {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}},
        {"as_Windows_sends_it", {2, 4, 0x05, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2}},
        {"behind_one_byte", {1, 2, 4, 0x05, 0xb4, 1, 1, 0}},
        {"behind_two_bytes", {1, 1, 2, 4, 0x05, 0xb4, 0, 0}},
        {"behind_three_bytes", {3, 3, 7, 2, 4, 0x05, 0xb4, 0}},
        {"behind_window_and_timestamps",
         {3, 3, 7, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, 0xff, 0xff, 1, 1, 1}},
        {"at_the_very_end", {1, 1, 1, 1, 2, 4, 0x05, 0xb4}},
        {"behind_nine_options",
         {4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 2, 4, 0x05, 0xb4, 0, 0}},
        {"largest", {2, 4, 0xff, 0xff}},
        {"one_more_than_allowed", {2, 4, 0x04, 0xb1}},
        {"with_ECN", {2, 4, 0x05, 0xb4}, true, syn | ece | cwr},
        {"behind_more_options_than_are_walked",
         {4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 2, 4, 0x05, 0xb4, 0, 0},
         false},
        {"just_what_is_allowed", {2, 4, 0x04, 0xb0}, false},
        {"smaller", {2, 4, 0x02, 0x18}, false},
        {"zero", {2, 4, 0, 0}, false},
        {"no_options", {}, false},
        {"other_options_alone", {3, 3, 7, 1}, false},
        {"behind_the_end", {0, 2, 4, 0x05, 0xb4, 0, 0, 0}, false},
        {"wrong_length", {2, 3, 0x05, 1}, false},
        {"length_beyond_the_header", {2, 6, 0x05, 0xb4}, false},
        {"length_0_before_it", {3, 0, 1, 1, 2, 4, 0x05, 0xb4}, false},
        {"length_1_before_it", {3, 1, 1, 1, 2, 4, 0x05, 0xb4}, false},
        {"cut_by_the_end_of_the_header", {1, 1, 1, 2}, false},
        {"cut_behind_its_length", {1, 1, 2, 4}, false},
        {"not_of_a_SYN", {2, 4, 0x05, 0xb4}, false, ack},
        {"not_of_a_RST", {2, 4, 0x05, 0xb4}, false, rst},
    };
}

using Parameter = std::tuple<SegmentCase, Family>;
class SegmentSize : public OwnTables, public ::testing::WithParamInterface<Parameter> {
protected:
    static constexpr std::uint16_t most = 1200;
    void serve_by(Way way) {
        way.mss = most;
        Served served;
        served.family = std::get<1>(GetParam());
        served.way = way;
        serve({served});
    }
    void run_by(Way way) {
        serve_by(way);
        const SegmentCase& test = std::get<0>(GetParam());
        const Bytes in =
            web_frame(std::get<1>(GetParam()), {.flags = test.flags, .options = test.options}, 0);
        way.mss = most;
        const Bytes out = expect_delivered(in, way);
        const Counts counts = engine().counted();
        EXPECT_EQ(counts.count("mss_clamped"), test.lowered ? 1U : 0U);
        if (overhead_of(way) != 0) return;
        const Bytes ip = packet_of(out);
        EXPECT_TRUE(is_l4_checksum_right(ip, layout_of(ip)));
        EXPECT_EQ(packet_of(out) == packet_of(in), !test.lowered && way.port == 0);
    }
};

INSTANTIATE_TEST_SUITE_P(All, SegmentSize,
                         ::testing::Combine(::testing::ValuesIn(segment_cases()),
                                            ::testing::Values(ipv4_family(), ipv6_family())),
                         [](const auto& test) {
                             return std::get<0>(test.param).name + "_" +
                                    std::get<1>(test.param).name;
                         });

TEST_P(SegmentSize, IsLowered) {
    run_by(l2_way());
}

TEST_P(SegmentSize, WithAnotherPortAndInATunnel) {
    Way way = l2_way();
    way.port = rewritten_port;
    run_by(way);
    way = tunnel_way(model::Forward::gue, false);
    way.port = rewritten_port;
    run_by(way);
}

}  // namespace

}  // namespace bascule::test
