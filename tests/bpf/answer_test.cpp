// SPDX-License-Identifier: Apache-2.0
// What the engine answers itself: that a packet is too big for the way to its backend, and that a
// service has no backend (on_empty = "reset"). And when it keeps silent.
#include <gtest/gtest.h>

#include "checksum.h"
#include "cpu.h"
#include "delivery.h"

namespace bascule::test {

namespace {

using model::Forward;
using model::Protocol;

class Answers : public OwnTables, public ::testing::WithParamInterface<Family> {
protected:
    const Family& family() const { return GetParam(); }
    bool v4() const { return family().vip.is_v4(); }
    // TCP, so long that the whole IP packet has `bytes`.
    Bytes packet(std::size_t bytes, bool dont_fragment = true,
                 const Tcp& tcp = {.flags = ack}) const {
        Frame frame =
            v4() ? Frame().ipv4(
                       {.source = family().client,
                        .destination = family().vip,
                        .fragment_word = static_cast<std::uint16_t>(dont_fragment ? 0x4000 : 0)})
                 : Frame().ip(family().client, family().vip);
        return frame.tcp(tcp).payload(bytes - (v4() ? 40 : 60)).checked();
    }
    void expect_silence(const Bytes& frame, std::vector<std::string> counts) {
        expect_untouched(frame, Verdict::drop);
        expect_counts(counts);
    }
    Served by(const Way& way, std::uint16_t mtu) const {
        Served served;
        served.family = family();
        served.way = way;
        served.mtu = mtu;
        return served;
    }
};

INSTANTIATE_TEST_SUITE_P(Families, Answers, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

// ---- too big
// -------------------------------------------------------------------------------------

TEST_P(Answers, WhatJustFitsIsSentAndOneByteMoreIsNot) {
    constexpr std::uint16_t mtu = 1400;
    for (const NamedWay& named : every_tunnel()) {
        SCOPED_TRACE(named.name);
        serve({by(named.way, mtu)});
        const std::size_t most = mtu - overhead_of(named.way);
        expect_delivered(packet(most), named.way);
        engine().counted();
        const Bytes in = packet(most + 1);
        expect_frame(in, Verdict::tx, too_big_frame(in, static_cast<std::uint16_t>(most)));
        expect_counts({"too_big"});
        engine().forget_sessions();
    }
}

TEST_P(Answers, TooBigIsToldToAnyPacketOfTheFlow) {
    serve({by(tunnel_way(Forward::gue, true), 1400)});
    for (const std::uint8_t flags : {syn, ack, std::uint8_t{psh | ack}, std::uint8_t{fin | ack}}) {
        const Bytes in = packet(1450, true, {.flags = flags});
        expect_frame(in, Verdict::tx, too_big_frame(in, 1372));
        EXPECT_EQ(engine().counted().at("too_big"), 1U);
    }
}

TEST_P(Answers, TooBigOfUdp) {
    Served served = by(tunnel_way(Forward::ipip, false), 1400);
    served.protocol = Protocol::udp;
    serve({served});
    Bytes in = v4() ? Frame()
                          .ipv4({.source = family().client,
                                 .destination = family().vip,
                                 .fragment_word = 0x4000})
                          .udp({.destination = web})
                          .payload(1380)
                          .checked()
                          .bytes()
                    : name_frame(family(), 1380).bytes();
    expect_frame(in, Verdict::tx, too_big_frame(in, 1360));
}

TEST_P(Answers, TooBigWithPaddingOrOptions) {
    serve({by(tunnel_way(Forward::ipip, true), 1400)});
    const Bytes padded = v4() ? Frame()
                                    .ipv4({.source = family().client,
                                           .destination = family().vip,
                                           .option_bytes = 40,
                                           .fragment_word = 0x4000})
                                    .tcp({.flags = ack})
                                    .payload(1400)
                                    .padding(9)
                                    .bytes()
                              : Frame()
                                    .ip(family().client, family().vip)
                                    .extension(destination_options, 64)
                                    .tcp({.flags = ack})
                                    .payload(1400)
                                    .padding(9)
                                    .bytes();
    expect_frame(padded, Verdict::tx, too_big_frame(padded, 1380));
}

// The port is not the client's business: what is quoted is what it sent.
TEST_P(Answers, TooBigQuotesThePortThatTheClientKnows) {
    Way way = tunnel_way(Forward::ipip, true);
    way.port = rewritten_port;
    way.mss = 500;
    serve({by(way, 1400)});
    const Bytes in = packet(1450, true, {.flags = syn, .options = {2, 4, 0x05, 0xb4}});
    expect_frame(in, Verdict::tx, too_big_frame(in, 1380));
}

// RFC 791: only the sender's own "don't fragment" allows us to ask for less.
TEST_P(Answers, WithoutDontFragmentIsDropped) {
    serve({by(tunnel_way(Forward::ipip, true), 1400)});
    const Bytes in = packet(1450, false);
    if (v4()) {
        expect_silence(in, {"session_inserted", "too_big_no_df"});
    } else {  // of IPv6 nobody but the sender fragments
        expect_frame(in, Verdict::tx, too_big_frame(in, 1380));
    }
}

TEST_P(Answers, TooBigForL2WithAnotherPort) {
    Way way = l2_way();
    way.port = rewritten_port;
    serve({by(way, 1400)});
    expect_delivered(packet(1400), way);
    const Bytes in = packet(1401);
    expect_frame(in, Verdict::tx, too_big_frame(in, 1400));
}

TEST_P(Answers, NothingIsTooBigForThisHost) {
    Way way = local_way();
    way.port = rewritten_port;
    serve({by(way, 1280)});
    expect_delivered(packet(1500), way);
}

TEST_P(Answers, JumboFramesGoWhereTheyFit) {
    serve({by(tunnel_way(Forward::ipip, true), 9000)});
    expect_delivered(packet(3000), tunnel_way(Forward::ipip, true));
    serve({by(l2_way(), 9000)});
    expect_delivered(packet(3000), l2_way());
    serve({by(tunnel_way(Forward::gue, false), 2000)});
    const Bytes in = packet(3000);
    expect_frame(in, Verdict::tx, too_big_frame(in, 1952));
}

TEST_P(Answers, LastFragmentsOfIpv4AreNotAnswered) {
    if (!v4()) return;
    serve({by(tunnel_way(Forward::ipip, true), 600)});
    const auto piece = [&](std::uint16_t word, std::size_t payload) {
        return Frame()
            .ipv4({.source = family().client,
                   .destination = family().vip,
                   .fragment_word = word,
                   .protocol = 6,
                   .id = 99})
            .tcp({.flags = ack})
            .payload(payload);
    };
    expect_delivered(piece(0x2000, 40), tunnel_way(Forward::ipip, true));
    engine().counted();
    expect_silence(piece(0x4000 | 8, 700), {"too_big_untold"});
    expect_silence(piece(8, 700), {"too_big_no_df"});
}

TEST_P(Answers, AreRationed) {
    const CpuGuard guard;
    pin_to(usable_cpus().front());
    serve({by(tunnel_way(Forward::ipip, true), 1400)});
    const Bytes in = packet(1450);
    std::uint32_t told = 0, untold = 0;
    // So few that even three seconds' budgets do not last.
    for (int i = 0; i < 4 * BSC_ICMP_ANSWERS_PER_SECOND; i++) {
        const Outcome outcome = engine().run(in);
        if (outcome.verdict == Verdict::tx) {
            told++;
            continue;
        }
        untold++;
        EXPECT_EQ(outcome.verdict, Verdict::drop);
        EXPECT_EQ(hex(outcome.frame), hex(in));
    }
    EXPECT_GE(told, static_cast<std::uint32_t>(BSC_ICMP_ANSWERS_PER_SECOND));
    EXPECT_GT(untold, 0U);
    const Counts counts = engine().counted();
    EXPECT_EQ(counts.at("too_big"), told);
    EXPECT_EQ(counts.at("too_big_untold"), untold);
}

// ---- no backend
// ----------------------------------------------------------------------------------

class Empty : public Answers {
protected:
    void SetUp() override {
        Answers::SetUp();
        Served tcp, udp;
        tcp.family = udp.family = family();
        tcp.has_backend = udp.has_backend = false;
        tcp.on_empty = udp.on_empty = model::OnEmpty::reset;
        udp.protocol = Protocol::udp;
        serve({tcp, udp});
        engine().counted();
    }
    void expect_reset(const Bytes& in) {
        expect_frame(in, Verdict::tx, reset_frame(in));
        expect_counts({"refused"});
        EXPECT_TRUE(engine().sessions().empty());
    }
};

INSTANTIATE_TEST_SUITE_P(Families, Empty, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Empty, SynIsReset) {
    expect_reset(web_frame(family(), {.sequence = 0xfffffffe, .flags = syn}, 0));
}

TEST_P(Empty, SynWithDataIsReset) {
    expect_reset(web_frame(family(), {.sequence = 77, .flags = syn}, 100));
}

TEST_P(Empty, SynWithOptionsIsReset) {
    expect_reset(web_frame(family(), {.flags = syn, .option_bytes = 40}, 0));
}

TEST_P(Empty, AckIsReset) {
    expect_reset(web_frame(family(), {.flags = ack, .acknowledgement = 0xdeadbeef}, 0));
}

TEST_P(Empty, DataIsReset) {
    expect_reset(web_frame(family(), {.flags = psh | ack, .acknowledgement = 5}, 1200));
}

TEST_P(Empty, FinIsReset) {
    expect_reset(web_frame(family(), {.flags = fin | ack, .acknowledgement = 6}, 0));
}

TEST_P(Empty, ResetIsNeverAnswered) {
    expect_silence(web_frame(family(), {.flags = rst}, 0), {"refused"});
    expect_silence(web_frame(family(), {.flags = rst | ack}, 0), {"refused"});
}

TEST_P(Empty, IpOptionsAndPaddingAreNotGivenBack) {
    if (v4())
        expect_reset(Frame()
                         .ipv4({.source = family().client,
                                .destination = family().vip,
                                .option_bytes = 40,
                                .tos = 0xff,
                                .ttl = 1})
                         .tcp({.flags = syn, .option_bytes = 8})
                         .payload(3)
                         .padding(5)
                         .checked());
    else
        expect_reset(Frame()
                         .ipv6({.source = family().client,
                                .destination = family().vip,
                                .traffic_class = 0xff,
                                .flow_label = 7})
                         .extension(hop_by_hop)
                         .extension(destination_options, 32)
                         .tcp({.flags = syn, .option_bytes = 8})
                         .payload(3)
                         .padding(5)
                         .checked());
}

TEST_P(Empty, TagsAreGivenBack) {
    expect_reset(
        Frame().vlan(0x2064).ip(family().client, family().vip).tcp({.flags = syn}).checked());
    expect_reset(Frame()
                     .vlan(7, 0x88a8)
                     .vlan(9)
                     .ip(family().client, family().vip)
                     .tcp({.flags = ack, .acknowledgement = 1})
                     .payload(4)
                     .checked());
}

TEST_P(Empty, UdpIsUnreachable) {
    for (const std::size_t payload : {0U, 1U, 20U, 68U, 69U, 300U, 1400U}) {
        SCOPED_TRACE(payload);
        const Bytes in = name_frame(family(), payload);
        expect_frame(in, Verdict::tx, unreachable_frame(in));
        expect_counts({"refused"});
    }
}

TEST_P(Empty, UnreachableWithTagsAndPadding) {
    for (const int tags : {1, 2}) {
        Frame frame;
        for (int i = 0; i < tags; i++)
            frame.vlan(static_cast<std::uint16_t>(50 + i));
        const Bytes in = frame.ip(family().client, family().vip)
                             .udp({.destination = web})
                             .payload(2)
                             .padding(20);
        expect_frame(in, Verdict::tx, unreachable_frame(in));
    }
}

TEST_P(Empty, UnreachableIsRationed) {
    const CpuGuard guard;
    pin_to(usable_cpus().front());
    const Bytes in = name_frame(family());
    std::uint32_t silent = 0;
    constexpr std::uint32_t packets = 4 * BSC_ICMP_ANSWERS_PER_SECOND;
    for (std::uint32_t i = 0; i < packets; i++)
        silent += engine().run(in).verdict == Verdict::drop;
    EXPECT_GT(silent, 0U);
    EXPECT_LT(silent, packets);
    EXPECT_EQ(engine().counted(), (Counts{{"refused", packets}}));
}

TEST_P(Empty, DownIsEmptyToo) {
    Served served;
    served.family = family();
    served.on_empty = model::OnEmpty::reset;
    model::Desired desired;
    desired.vips.push_back({family().vip, true});
    desired.services.push_back(service_of(served));
    desired.services[0].backends[0].up = false;
    want(desired);
    expect_reset(web_frame(family()));
}

// Broken packets and strangers are not answered.
TEST_P(Empty, OnlyWhatWouldBeServedIsAnswered) {
    expect_silence(web_frame(family(), {.flags = syn | fin}), {"tcp_flags"});
    const Bytes from_itself = Frame().ip(family().vip, family().vip).tcp({.flags = syn}).checked();
    expect_silence(from_itself, {"martian_source"});
}

}  // namespace

}  // namespace bascule::test
