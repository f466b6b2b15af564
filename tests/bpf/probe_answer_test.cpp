// SPDX-License-Identifier: Apache-2.0
// Answers to probes: among packets that are no client's they are known, get the made-up address
// back, and go up by the pair. Whatever only looks like one is Linux's, untouched.
#include <gtest/gtest.h>

#include <random>

#include "checksum.h"
#include "probe_scene.h"

namespace bascule::test {

namespace {

using model::Forward;
using model::Protocol;
using Parameter = std::tuple<Family, Protocol>;

class ProbeAnswers : public ProbeScene, public ::testing::WithParamInterface<Parameter> {
protected:
    void SetUp() override {
        ProbeScene::SetUp();
        if (HasFatalFailure()) return;
        Served served;
        served.family = std::get<0>(GetParam());
        served.protocol = std::get<1>(GetParam());
        serve_one(served);
        send(probed());
    }
    bool tcp() const { return std::get<1>(GetParam()) == Protocol::tcp; }
    Probed answered(std::uint8_t flags = syn | ack) const {
        Probed answered = probed();
        answered.flags = flags;
        return answered;
    }
    void expect_up(const Bytes& in, const Bytes& up) {
        expect_frame(in, Verdict::redirect, up);
        expect_counts({});
    }
    void expect_noted(std::uint8_t flags) {
        expect_note(BSC_PROBE_ANSWERED, tcp() ? flags : 0U);
        EXPECT_TRUE(note().from == Address());
    }
};

INSTANTIATE_TEST_SUITE_P(All, ProbeAnswers,
                         ::testing::Combine(::testing::Values(ipv4_family(), ipv6_family()),
                                            ::testing::Values(Protocol::tcp, Protocol::udp)),
                         [](const auto& test) {
                             return std::get<0>(test.param).name +
                                    (std::get<1>(test.param) == Protocol::tcp ? "_tcp" : "_udp");
                         });

TEST_P(ProbeAnswers, GoUpFromTheMadeUpAddress) {
    for (const std::uint8_t flags :
         {std::uint8_t{syn | ack}, std::uint8_t{psh | ack}, std::uint8_t{rst | ack}}) {
        expect_up(answered_by_vip(answered(flags)), as_stack_gets_it(answered(flags)));
        expect_noted(flags);
    }
    EXPECT_TRUE(engine().sessions().empty());
}

TEST_P(ProbeAnswers, TagsAreTakenOff) {
    expect_up(answer(Frame().vlan(100), family().vip, answered()), as_stack_gets_it(answered()));
    expect_up(answer(Frame().vlan(7, 0x88a8).vlan(100), family().vip, answered()),
              as_stack_gets_it(answered()));
    expect_noted(syn | ack);
}

TEST_P(ProbeAnswers, IpOptionsStay) {
    for (const std::size_t bytes :
         v4() ? std::vector<std::size_t>{4, 20, 40} : std::vector<std::size_t>{8, 24}) {
        Probed with = answered();
        with.header_options = bytes;
        expect_up(answered_by_vip(with), as_stack_gets_it(with));
        expect_noted(syn | ack);
    }
}

TEST_P(ProbeAnswers, PaddingStays) {
    Probed small = answered();
    small.payload = 0;
    expect_up(answer(Frame(), family().vip, small).padding(6),
              answer(Frame(stack_mac, stack_mac), target(), small).padding(6));
}

TEST_P(ProbeAnswers, ChecksumsHoldForAnyPacket) {
    std::mt19937 random(2);
    for (int i = 0; i < 1000; i++) {
        Probed any = answered(psh | ack);
        any.sequence = static_cast<std::uint32_t>(random());
        any.payload = random() % 90;
        expect_up(answered_by_vip(any), as_stack_gets_it(any));
        if (HasFailure()) return;
    }
}

TEST_P(ProbeAnswers, WrongChecksumsStayWrong) {
    Bytes in = answered_by_vip(answered());
    in.back() ^= 1;
    const Outcome outcome = engine().run(in);
    EXPECT_EQ(outcome.verdict, Verdict::redirect);
    const Bytes ip = packet_of(outcome.frame);
    EXPECT_FALSE(is_l4_checksum_right(ip, layout_of(ip)));
}

TEST_P(ProbeAnswers, NoUdpChecksumStaysNone) {
    if (tcp()) return;
    Probed without = answered();
    without.udp_checksum = false;
    expect_up(answered_by_vip(without), as_stack_gets_it(without));
}

TEST_P(ProbeAnswers, FromAnotherPortAreDroppedAndNoted) {
    Probed other = answered();
    other.destination = rewritten_port;
    const auto flows = prober().flows();
    expect_untouched(answered_by_vip(other), Verdict::drop);
    expect_counts({"probe"});
    expect_note(BSC_PROBE_OTHER_PORT);
    EXPECT_EQ(note().port, rewritten_port);
    EXPECT_EQ(prober().flows(), flows);
}

// A reload may have given the slot to another backend meanwhile: the note says whose it was.
TEST_P(ProbeAnswers, AreKnownByTheFlowAndNotByTheTables) {
    serve({});
    expect_up(answered_by_vip(answered()), as_stack_gets_it(answered()));
    expect_noted(syn | ack);
}

// ---- what only looks like one ----

TEST_P(ProbeAnswers, OfOtherFlowsAreLinuxs) {
    Probed other = answered();
    other.source = probe_port + 1;
    expect_strange(answered_by_vip(other));
    other = answered();
    other.protocol = tcp() ? Protocol::udp : Protocol::tcp;
    expect_strange(answered_by_vip(other));
    expect_strange(answer(Frame(), family().client, answered()));
    expect_strange(packet(Frame(), family().vip, family().client, answered()));
    expect_strange(packet(Frame(), family().client, node(), answered()));
}

TEST_P(ProbeAnswers, ForAnotherStationAreLinuxs) {
    expect_strange(answer(Frame(stack_mac), family().vip, answered()));
    expect_strange(
        answer(Frame(Mac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}), family().vip, answered()));
}

TEST_P(ProbeAnswers, WithoutAPairAreLinuxs) {
    prober().set_pair(false);
    expect_strange(answered_by_vip(answered()));
}

TEST_P(ProbeAnswers, ToAnAddressThatSendsNoProbesAreLinuxs) {
    const Bytes in = answered_by_vip(answered());
    prober().forget();
    expect_strange(in);
    engine().dataplane().add_probe_source(node());
    expect_strange(in);  // and so are those that come too late
}

TEST_P(ProbeAnswers, FragmentsAreLinuxs) {
    for (const bool first : {true, false}) {
        Frame frame =
            v4() ? Frame().ipv4({.source = family().vip,
                                 .destination = node(),
                                 .fragment_word = static_cast<std::uint16_t>(first ? 0x2000 : 100)})
                 : Frame().ip(family().vip, node()).piece(first ? 0 : 800, true);
        if (tcp())
            frame.tcp({.source = web, .destination = probe_port, .flags = syn | ack});
        else
            frame.udp({.source = web, .destination = probe_port});
        expect_strange(frame);
    }
}

TEST_P(ProbeAnswers, CutAnywhereAreLinuxs) {
    Probed small = answered();
    small.payload = 0;
    const Bytes whole = answered_by_vip(small);
    for (std::size_t size = 14; size < whole.size(); size++) {
        SCOPED_TRACE(size);
        expect_strange(cut(whole, size));
        expect_strange(cut_honestly(whole, size));
    }
}

TEST_P(ProbeAnswers, AreTracedWithoutATrace) {
    expect_traced(answered_by_vip(answered()), Verdict::redirect);
    Probed other = answered();
    other.destination = rewritten_port;
    engine().counted();
    expect_traced(answered_by_vip(other), Verdict::drop);
}

}  // namespace

}  // namespace bascule::test
