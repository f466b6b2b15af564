// SPDX-License-Identifier: Apache-2.0
// Services of a range of ports and of any port: their edges, and which service a port belongs to
// when several could have it.
#include <gtest/gtest.h>

#include "delivery.h"

namespace bascule::test {

namespace {

using model::PortRange;
using model::Protocol;

// Told apart by the station that packets are sent to.
constexpr std::uint8_t of_exact = 1, of_range = 2, of_any = 3, nobody = 0;

class Ranges : public OwnTables, public ::testing::WithParamInterface<Family> {
protected:
    const Family& family() const { return GetParam(); }
    Served served(PortRange ports, std::uint8_t number, Protocol protocol = Protocol::tcp) const {
        Served served;
        served.family = family();
        served.protocol = protocol;
        served.ports = ports;
        served.way.mac = backend_mac(number);
        return served;
    }
    // Which service's station a packet to the port is sent to. A reset leaves no session behind.
    std::uint8_t owner(int port, Protocol protocol = Protocol::tcp) {
        Frame frame = Frame().ip(family().client, family().vip);
        if (protocol == Protocol::tcp)
            frame.tcp({.destination = static_cast<std::uint16_t>(port), .flags = rst});
        else
            frame.udp({.destination = static_cast<std::uint16_t>(port)});
        const Outcome outcome = engine().run(frame);
        if (outcome.verdict == Verdict::pass) return nobody;
        EXPECT_EQ(outcome.verdict, Verdict::tx);
        return destination_of(outcome.frame).bytes[5];
    }
};

INSTANTIATE_TEST_SUITE_P(Families, Ranges, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Ranges, EdgesOfRanges) {
    const std::vector<PortRange> ranges{
        {8000, 8099}, {1, 65534},     {0, 1},           {65534, 65535}, {1024, 2047},
        {1023, 2048}, {32767, 32768}, {0x5555, 0xaaaa}, {80, 81},       {0, 65534},
        {1, 65535},   {443, 443},     {32768, 65535},   {0, 32767},
    };
    for (const PortRange& ports : ranges) {
        SCOPED_TRACE(std::to_string(ports.first) + "-" + std::to_string(ports.last));
        serve({served(ports, of_range)});
        for (const int port : {ports.first - 2, ports.first - 1, int{ports.first}, ports.first + 1,
                               (ports.first + ports.last) / 2, ports.last - 1, int{ports.last},
                               ports.last + 1, ports.last + 2}) {
            if (port < 0 || port > 65535) continue;
            SCOPED_TRACE(port);
            const bool inside = port >= ports.first && port <= ports.last;
            EXPECT_EQ(owner(port), inside ? of_range : nobody);
        }
    }
}

// Every single port of a range that needs as many prefixes as there can be.
TEST_P(Ranges, EveryPortOfTheWorstRange) {
    serve({served({1, 65534}, of_range)});
    EXPECT_EQ(owner(0), nobody);
    EXPECT_EQ(owner(65535), nobody);
    for (int port = 1; port <= 65534; port++)
        if (owner(port) != of_range) FAIL() << "port " << port;
}

TEST_P(Ranges, EveryPortOfAny) {
    serve({served({0, 65535}, of_any)});
    for (int port = 0; port <= 65535; port++)
        if (owner(port) != of_any) FAIL() << "port " << port;
}

TEST_P(Ranges, TheNarrowestServiceHasThePort) {
    serve({served({80, 80}, of_exact), served({64, 127}, of_range), served({0, 65535}, of_any)});
    EXPECT_EQ(owner(80), of_exact);
    for (const int port : {64, 79, 81, 127})
        EXPECT_EQ(owner(port), of_range);
    for (const int port : {0, 1, 63, 128, 443, 65535})
        EXPECT_EQ(owner(port), of_any);
}

TEST_P(Ranges, OrderOfServicesDoesNotMatter) {
    serve({served({0, 65535}, of_any), served({64, 127}, of_range), served({80, 80}, of_exact)});
    EXPECT_EQ(owner(80), of_exact);
    EXPECT_EQ(owner(81), of_range);
    EXPECT_EQ(owner(82), of_range);
    EXPECT_EQ(owner(443), of_any);
}

TEST_P(Ranges, ProtocolsAreApart) {
    serve({served({1000, 1999}, of_range), served({1500, 2500}, of_any, Protocol::udp)});
    EXPECT_EQ(owner(1000), of_range);
    EXPECT_EQ(owner(1999), of_range);
    EXPECT_EQ(owner(2000), nobody);
    EXPECT_EQ(owner(1499, Protocol::udp), nobody);
    EXPECT_EQ(owner(1500, Protocol::udp), of_any);
    EXPECT_EQ(owner(2500, Protocol::udp), of_any);
    EXPECT_EQ(owner(2501, Protocol::udp), nobody);
}

TEST_P(Ranges, OtherVipsAreApart) {
    serve({served({0, 65535}, of_any)});
    const Family& other = family().vip.is_v4() ? ipv6_family() : ipv4_family();
    expect_untouched(Frame().ip(other.client, other.vip).tcp({.destination = 80, .flags = syn}),
                     Verdict::pass);
    expect_counts({"vip_no_service"});
    expect_untouched(
        Frame().ip(family().client, family().other).tcp({.destination = 80, .flags = syn}),
        Verdict::pass);
    expect_counts({});
}

TEST_P(Ranges, WithdrawnOnesAreGone) {
    serve({served({1000, 1999}, of_range), served({80, 80}, of_exact)});
    EXPECT_EQ(owner(1500), of_range);
    serve({served({80, 80}, of_exact)});
    for (const int port : {1000, 1500, 1999})
        EXPECT_EQ(owner(port), nobody);
    serve({served({1500, 1600}, of_range), served({80, 80}, of_exact)});
    EXPECT_EQ(owner(1499), nobody);
    EXPECT_EQ(owner(1500), of_range);
    EXPECT_EQ(owner(1600), of_range);
    EXPECT_EQ(owner(1601), nobody);
}

TEST_P(Ranges, NextToEachOther) {
    serve({served({1000, 1999}, of_exact), served({2000, 2999}, of_range)});
    EXPECT_EQ(owner(999), nobody);
    EXPECT_EQ(owner(1999), of_exact);
    EXPECT_EQ(owner(2000), of_range);
    EXPECT_EQ(owner(3000), nobody);
}

// Each port is a flow of its own, with the port that the client chose.
TEST_P(Ranges, PortStaysAndSessionsAreApart) {
    serve({served({1000, 1999}, of_range)});
    Way way = l2_way();
    way.mac = backend_mac(of_range);
    for (std::uint16_t port = 1000; port < 1010; port++)
        expect_delivered(Frame()
                             .ip(family().client, family().vip)
                             .tcp({.destination = port, .flags = syn})
                             .checked(),
                         way);
    const auto sessions = engine().sessions();
    EXPECT_EQ(sessions.size(), 10U);
    EXPECT_EQ(engine().counted(), (Counts{{"session_inserted", 10}}));
}

TEST_P(Ranges, BrokenOnesAreDroppedAllTheSame) {
    serve({served({1000, 1999}, of_range)});
    expect_untouched(
        Frame().ip(family().client, family().vip).tcp({.destination = 1234, .flags = syn | fin}),
        Verdict::drop);
    expect_counts({"tcp_flags"});
}

// An error about an answer of a range's service follows it.
TEST_P(Ranges, ErrorsFollow) {
    serve({served({1000, 1999}, of_range)});
    const Bytes quoted = packet_of(Frame()
                                       .ip(family().vip, family().client)
                                       .tcp({.source = 1777, .destination = client_port}));
    const bool v4 = family().vip.is_v4();
    Way way = l2_way();
    way.mac = backend_mac(of_range);
    expect_delivered(
        Frame()
            .ip(family().other, family().vip)
            .icmp({.type = static_cast<std::uint8_t>(v4 ? 3 : 1), .code = 0, .quoted = quoted}),
        way);
    expect_counts({"icmp_followed"});
}

}  // namespace

}  // namespace bascule::test
