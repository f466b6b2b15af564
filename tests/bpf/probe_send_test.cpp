// SPDX-License-Identifier: Apache-2.0
// Probes on their way out: to the very backend that the made-up address names, by the forwarding
// that clients' packets meet, and counted nowhere.
#include <gtest/gtest.h>

#include <random>

#include "checksum.h"
#include "probe_scene.h"

namespace bascule::test {

namespace {

using model::Forward;
using model::Protocol;

class ProbeSend : public ProbeScene {
protected:
    void expect_refused(const Bytes& frame, bsc_drop_reason why) {
        SCOPED_TRACE(hex(frame));
        expect_dropped(frame);
        expect_note(BSC_PROBE_NOT_SENT, why);
    }
    // Dropped, and counted nowhere: it is no client's packet.
    void expect_dropped(const Bytes& frame) {
        EXPECT_EQ(prober().run(frame).verdict, Verdict::drop);
        expect_counts({});
    }
    void expect_nothing_known() {
        expect_note(BSC_PROBE_NOTHING);
        EXPECT_EQ(prober().flows(), 0U);
    }
    // The frame that clients' packets to the VIP would become.
    static Bytes delivered(const Bytes& to_vip, const Bytes& out, const Way& way) {
        return delivered_frame(to_vip, way, chosen_in(out, way));
    }
};

// ---- by every way ----

using Parameter = std::tuple<NamedWay, Family, Protocol>;

class ProbeWays : public ProbeSend, public ::testing::WithParamInterface<Parameter> {
protected:
    const Way& way() const { return std::get<0>(GetParam()).way; }
    Served served() const {
        Served served;
        served.family = std::get<1>(GetParam());
        served.protocol = std::get<2>(GetParam());
        served.way = way();
        return served;
    }
    void expect_sent(const Probed& probed) {
        const Bytes out = send(probed);
        EXPECT_EQ(hex(out), hex(delivered(sent_to_vip(probed), out, way())));
    }
};

std::vector<NamedWay> ways_out() {
    std::vector<NamedWay> ways;
    for (const NamedWay& named : every_way())
        if (named.way.forward != Forward::local) ways.push_back(named);
    return ways;
}

INSTANTIATE_TEST_SUITE_P(All, ProbeWays,
                         ::testing::Combine(::testing::ValuesIn(ways_out()),
                                            ::testing::Values(ipv4_family(), ipv6_family()),
                                            ::testing::Values(Protocol::tcp, Protocol::udp)),
                         [](const auto& test) {
                             return std::get<0>(test.param).name + "_" +
                                    std::get<1>(test.param).name +
                                    (std::get<2>(test.param) == Protocol::tcp ? "_tcp" : "_udp");
                         });

TEST_P(ProbeWays, GoAsClientsPacketsDo) {
    serve_one(served());
    expect_sent(probed());
    expect_note(BSC_PROBE_SENT);
    EXPECT_EQ(prober().flows(), 1U);
    expect_counts({});
    EXPECT_EQ(engine().dataplane().backend_traffic(slot()).packets, 0U);
    EXPECT_TRUE(engine().sessions().empty());
}

TEST_P(ProbeWays, GoToBackendsThatAreDown) {
    serve_one(served());
    model::Desired desired;
    desired.vips.push_back({family().vip});
    desired.services.push_back(service_of(served()));
    desired.services[0].backends[0].up = false;
    want(desired);
    expect_sent(probed());
    expect_note(BSC_PROBE_SENT);
}

TEST_P(ProbeWays, GoOutTagged) {
    Served tagged = served();
    tagged.way.vlan = 100;
    serve_one(tagged);
    const Bytes out = send(probed());
    EXPECT_EQ(hex(out), hex(delivered(sent_to_vip(probed()), out, tagged.way)));
}

TEST_P(ProbeWays, GoByAnotherInterface) {
    Served other = served();
    other.interface = second_interface;
    other.way.source = second_source;
    serve_one(other);
    const Bytes out = send(probed());
    EXPECT_EQ(hex(out), hex(delivered(sent_to_vip(probed()), out, other.way)));
}

// What the incremental checksums come to is what a sum over all gives, whatever is in the packet.
TEST_P(ProbeWays, ChecksumsHoldForAnyPacket) {
    serve_one(served());
    std::mt19937 random(1);
    for (int i = 0; i < 300; i++) {
        Probed any = probed();
        any.source = static_cast<std::uint16_t>(random());
        any.sequence = static_cast<std::uint32_t>(random());
        any.payload = random() % 90;
        any.flags = i % 3 == 0 ? syn : static_cast<std::uint8_t>(psh | ack);
        expect_sent(any);
        if (HasFailure()) return;
    }
}

TEST_P(ProbeWays, TooLongForTheWay) {
    Served narrow = served();
    narrow.mtu = 1300;
    serve_one(narrow);
    Probed longest = probed();
    const std::size_t headers = packet_of(sent_by_stack(longest)).size() - longest.payload;
    longest.payload = 1300 - overhead_of(way()) - headers;
    expect_sent(longest);
    longest.payload++;
    expect_refused(sent_by_stack(longest), BSC_DROP_TOO_BIG);
}

TEST_P(ProbeWays, CutAnywhere) {
    serve_one(served());
    const Bytes whole = sent_by_stack(probed());
    for (std::size_t size = 14; size < whole.size(); size++) {
        SCOPED_TRACE(size);
        expect_dropped(cut(whole, size));
        const Verdict verdict = prober().run(cut_honestly(whole, size)).verdict;
        EXPECT_TRUE(verdict == Verdict::drop || verdict == Verdict::redirect) << verdict;
    }
}

// ---- what is not sent ----

class ProbesOut : public ProbeSend, public ::testing::WithParamInterface<Family> {
protected:
    Served served() const {
        Served served;
        served.family = GetParam();
        return served;
    }
    Bytes sent_to(const Address& to, const Probed& probed = {}) const {
        return packet(Frame(), node(), to, probed);
    }
};

INSTANTIATE_TEST_SUITE_P(Families, ProbesOut, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

TEST_P(ProbesOut, UnresolvedBackend) {
    serve_one(served());
    model::Desired desired;
    desired.vips.push_back({family().vip});
    desired.services.push_back(service_of(served()));
    desired.services[0].backends[0].next_hop.reset();
    want(desired);
    expect_refused(sent_by_stack(probed()), BSC_DROP_NO_NEIGHBOUR);
}

TEST_P(ProbesOut, BackendThatIsThisHost) {
    Served local = served();
    local.way = local_way();
    serve_one(local);
    expect_refused(sent_by_stack(probed()), BSC_DROP_PROBE);
}

TEST_P(ProbesOut, OtherPortOrProtocolThanTheServices) {
    serve_one(served());
    Probed other = probed();
    other.destination = web + 1;
    expect_refused(sent_by_stack(other), BSC_DROP_PROBE);
    other = probed();
    other.protocol = Protocol::udp;
    expect_refused(sent_by_stack(other), BSC_DROP_PROBE);
    EXPECT_EQ(prober().flows(), 0U);
}

TEST_P(ProbesOut, AnyPortOfARangeWillDo) {
    Served range = served();
    range.ports = {8000, 8099};
    serve_one(range);
    Probed other = probed();
    for (const int port : {8000, 8050, 8099}) {
        other.destination = static_cast<std::uint16_t>(port);
        send(other);
    }
    for (const int port : {7999, 8100}) {
        other.destination = static_cast<std::uint16_t>(port);
        expect_refused(sent_by_stack(other), BSC_DROP_PROBE);
    }
}

// On a host that forwards, anybody's packet to a made-up address comes here: it must neither reach
// a backend past all that decides about it, nor push the probes under way out of their table.
TEST_P(ProbesOut, SourceThatNoProbeHas) {
    serve_one(served());
    expect_dropped(packet(Frame(), family().client, target(), probed()));
    expect_nothing_known();
}

// Its answers would be packets for a VIP.
TEST_P(ProbesOut, SourceThatIsAVip) {
    serve_one(served());
    engine().dataplane().add_probe_source(family().vip);
    expect_refused(packet(Frame(), family().vip, target(), probed()), BSC_DROP_MARTIAN_SOURCE);
}

TEST_P(ProbesOut, SlotsThatAreAnotherBackendsByNowOrNobodys) {
    serve_one(served());
    const auto other = static_cast<std::uint8_t>(generation() + 1);
    expect_dropped(sent_to(made_up(v4(), slot(), other)));
    expect_dropped(sent_to(made_up(v4(), 0, 0)));
    for (const int free : {slot() + 1, BSC_MAX_BACKENDS - 1})
        for (const std::uint8_t each : {std::uint8_t{0}, std::uint8_t{1}, generation()})
            expect_dropped(sent_to(made_up(v4(), static_cast<std::uint16_t>(free), each)));
    expect_nothing_known();
}

// Of the other family with the same last bits.
TEST_P(ProbesOut, OtherFamily) {
    serve_one(served());
    const Address to = made_up(!v4(), slot(), generation());
    const Address& from = v4() ? ipv6_family().other : ipv4_family().other;
    expect_refused(packet(Frame(), from, to, probed()), BSC_DROP_PROBE);
}

// They leave by every interface, and their last bits may be those of a backend.
TEST_P(ProbesOut, Multicast) {
    serve_one(served());
    Address::Bytes bytes = target().bytes();
    if (v4())
        for (const int first : {224, 239}) {
            bytes[12] = static_cast<std::uint8_t>(first);
            expect_dropped(sent_to(Address(bytes)));
        }
    bytes[0] = 0xff;
    if (!v4()) expect_dropped(sent_to(Address(bytes)));
    expect_nothing_known();
}

TEST_P(ProbesOut, WhatIsNeitherTcpNorUdp) {
    serve_one(served());
    const auto to = [&] { return Frame().ip(node(), target()); };
    expect_dropped(to().protocol(47, 40));
    expect_dropped(to().icmp({.type = 3, .quoted = Bytes(60)}));
    expect_dropped(Frame(our_mac, router_mac, 0x0806).payload(46));
    expect_nothing_known();
}

TEST_P(ProbesOut, Fragments) {
    serve_one(served());
    const auto piece = [&](bool first) {
        Frame frame =
            v4() ? Frame().ipv4({.source = node(),
                                 .destination = target(),
                                 .fragment_word = static_cast<std::uint16_t>(first ? 0x2000 : 100)})
                 : Frame().ip(node(), target()).piece(first ? 0 : 800, true);
        return frame.tcp({.source = probe_port, .destination = web, .flags = syn}).bytes();
    };
    expect_dropped(piece(false));
    expect_nothing_known();
    expect_refused(piece(true), BSC_DROP_FRAGMENT);
}

// ---- what stays noted ----

TEST_P(ProbesOut, ASynThatIsSentAgainLeavesWhatWasNoted) {
    serve_one(served());
    send(probed());
    engine().run(sent_to_vip(probed()));  // comes back
    expect_note(BSC_PROBE_BOUNCED);
    send(probed());
    expect_note(BSC_PROBE_BOUNCED);
    Probed next = probed();
    next.sequence++;
    send(next);
    expect_note(BSC_PROBE_SENT);
}

TEST_P(ProbesOut, TheEndOfAProbeLeavesWhatWasNoted) {
    serve_one(served());
    send(probed());
    engine().run(answered_by_vip({.flags = syn | ack}));
    expect_note(BSC_PROBE_ANSWERED, syn | ack);
    for (const std::uint8_t flags : {ack, std::uint8_t{psh | ack}, std::uint8_t{fin | ack}, rst}) {
        Probed later = probed();
        later.flags = flags;
        later.sequence += 1;
        send(later);
        expect_note(BSC_PROBE_ANSWERED, syn | ack);
    }
    EXPECT_EQ(prober().flows(), 1U);
}

// A port that is used again is the newer probe's.
TEST_P(ProbesOut, APortThatIsUsedAgainIsTheNewerProbes) {
    serve_one(served());
    send(probed());
    engine().run(answered_by_vip({.flags = rst | ack}));
    const auto old = note();
    Probed next = probed();
    next.sequence = 77777;
    send(next);
    expect_note(BSC_PROBE_SENT);
    EXPECT_GE(note().nanoseconds, old.nanoseconds);
    EXPECT_EQ(prober().flows(), 1U);
}

TEST_P(ProbesOut, LargestSegmentIsLowered) {
    Served lowered = served();
    lowered.way.mss = 1000;
    serve_one(lowered);
    const Tcp tcp{.source = probe_port, .flags = syn, .options = {2, 4, 0x05, 0xb4}};
    const Bytes out =
        prober().run(Frame().ip(node(), target()).tcp(tcp).payload(3).checked()).frame;
    const Bytes to_vip = Frame().ip(node(), family().vip).tcp(tcp).payload(3).checked();
    EXPECT_EQ(hex(out), hex(delivered(to_vip, out, lowered.way)));
    EXPECT_NE(hex(out), hex(delivered(to_vip, out, l2_way())));
    expect_counts({});
}

// ---- checksums ----

TEST_P(ProbesOut, WrongChecksumsStayWrong) {
    serve_one(served());
    Bytes in = sent_by_stack(probed());
    in.back() ^= 1;
    const Outcome outcome = prober().run(in);
    const Bytes ip = packet_of(outcome.frame);
    EXPECT_EQ(outcome.verdict, Verdict::redirect);
    EXPECT_FALSE(is_l4_checksum_right(ip, layout_of(ip)));
}

// RFC 768: none at all stays none.
TEST_P(ProbesOut, NoUdpChecksumStaysNone) {
    Served by_udp = served();
    by_udp.protocol = Protocol::udp;
    serve_one(by_udp);
    Probed without = probed();
    without.udp_checksum = false;
    const Bytes out = send(without);
    EXPECT_EQ(hex(out), hex(delivered(sent_to_vip(without), out, l2_way())));
}

// RFC 768: one that comes to zero is sent as ones.
TEST_P(ProbesOut, AUdpChecksumOfZeroIsSentAsOnes) {
    Served by_udp = served();
    by_udp.protocol = Protocol::udp;
    serve_one(by_udp);
    Probed some = probed();
    int met = 0;
    for (std::uint32_t port = 1; port < 0x10000; port++) {
        some.source = static_cast<std::uint16_t>(port);
        const Bytes to_vip = sent_to_vip(some);
        if (get16(to_vip, 14 + (v4() ? 20U : 40U) + 6) != 0xffff) continue;
        const Bytes out = send(some);
        EXPECT_EQ(hex(out), hex(delivered(to_vip, out, l2_way())));
        met++;
    }
    EXPECT_GT(met, 0);
}

}  // namespace

}  // namespace bascule::test
