// SPDX-License-Identifier: Apache-2.0
// The outer headers of tunnels: what is copied into them, what makes flows differ, and what happens
// where there is no room for them.
#include <gtest/gtest.h>

#include <set>

#include "checksum.h"
#include "cramped.h"
#include "cramped.skel.h"
#include "delivery.h"

namespace bascule::test {

namespace {

using model::Forward;
using Parameter = std::tuple<NamedWay, Family>;

class Tunnels : public OwnTables, public ::testing::WithParamInterface<Parameter> {
protected:
    const Way& way() const { return std::get<0>(GetParam()).way; }
    const Family& family() const { return std::get<1>(GetParam()); }
    void serve_by(const Way& by) {
        Served served;
        served.family = family();
        served.way = by;
        serve({served});
    }
    Bytes marked(std::uint8_t traffic_class, bool dont_fragment = false) const {
        Frame frame =
            family().vip.is_v4()
                ? Frame().ipv4(
                      {.source = family().client,
                       .destination = family().vip,
                       .fragment_word = static_cast<std::uint16_t>(dont_fragment ? 0x4000 : 0),
                       .tos = traffic_class})
                : Frame().ipv6({.source = family().client,
                                .destination = family().vip,
                                .traffic_class = traffic_class,
                                .flow_label = 0x54321});
        return frame.tcp({.flags = ack}).payload(5).checked();
    }
    Bytes of_flow(std::uint16_t i, std::uint8_t flags = syn) const {
        return web_frame(family(),
                         {.source = static_cast<std::uint16_t>(20000 + i), .flags = flags}, 0);
    }
    static std::uint8_t outer_traffic_class(const Bytes& frame) {
        return frame[14] >> 4 == 4 ? frame[15] : static_cast<std::uint8_t>(get16(frame, 14) >> 4);
    }
};

std::string name_of_tunnel(const ::testing::TestParamInfo<Parameter>& info) {
    return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(All, Tunnels,
                         ::testing::Combine(::testing::ValuesIn(every_tunnel()),
                                            ::testing::Values(ipv4_family(), ipv6_family())),
                         name_of_tunnel);

// RFC 2983, uniform model; RFC 6040 for the last two bits.
TEST_P(Tunnels, EveryTrafficClassIsCopied) {
    serve_by(way());
    for (int value = 0; value <= 255; value++) {
        const auto traffic_class = static_cast<std::uint8_t>(value);
        const Bytes out = expect_delivered(marked(traffic_class), way());
        ASSERT_EQ(outer_traffic_class(out), traffic_class);
    }
}

TEST_P(Tunnels, CongestionBitsAreCopiedWhereTheRestIsNot) {
    Way by = way();
    by.copy_dscp = false;
    serve_by(by);
    for (int value = 0; value <= 255; value++) {
        const Bytes out = expect_delivered(marked(static_cast<std::uint8_t>(value)), by);
        ASSERT_EQ(outer_traffic_class(out), value & 3);
    }
}

// RFC 2003, 3.1: what must not be fragmented inside must not be outside.
TEST_P(Tunnels, DontFragmentIsCopied) {
    if (!way().remote.is_v4()) return;
    serve_by(way());
    EXPECT_EQ(get16(expect_delivered(marked(0, true), way()), 14 + 6), 0x4000);
    const std::uint16_t without = get16(expect_delivered(marked(0, false), way()), 14 + 6);
    EXPECT_EQ(without, family().vip.is_v4() ? 0 : 0x4000);
}

// RFC 6864: packets that may be fragmented need ids of their own.
TEST_P(Tunnels, IdsDifferWhereTheyAreNeeded) {
    if (!way().remote.is_v4()) return;
    serve_by(way());
    std::set<std::uint16_t> ids;
    for (int i = 0; i < 100; i++)
        ids.insert(get16(expect_delivered(marked(0), way()), 14 + 4));
    if (family().vip.is_v4())
        EXPECT_GT(ids.size(), 50U);
    else
        EXPECT_EQ(ids, (std::set<std::uint16_t>{0}));
}

TEST_P(Tunnels, OneFlowLooksAlwaysTheSame) {
    Way by = way();
    by.entropy_bits = 16;
    serve_by(by);
    for (std::uint16_t i = 0; i < 20; i++) {
        const Chosen opened = chosen_in(expect_delivered(of_flow(i), by), by);
        for (const std::uint8_t flags : {ack, std::uint8_t{psh | ack}, std::uint8_t{fin | ack}}) {
            const Chosen now = chosen_in(expect_delivered(of_flow(i, flags), by), by);
            EXPECT_EQ(now.address_bits, opened.address_bits);
            EXPECT_EQ(now.flow_hash, opened.flow_hash);
        }
    }
}

// Flows by the thousand have hardly any value in common, and each bit is as often set as not.
TEST_P(Tunnels, FlowsDiffer) {
    constexpr int flows = 1000;
    Way by = way();
    by.entropy_bits = 16;
    serve_by(by);
    std::map<std::string, std::set<std::uint32_t>> values;
    std::map<int, int> set_bits;
    for (std::uint16_t i = 0; i < flows; i++) {
        const Bytes in = of_flow(i, rst);
        const Chosen chosen = chosen_in(engine().run(in).frame, by);
        values["source address"].insert(chosen.address_bits);
        if (by.forward == Forward::gue) values["source port"].insert(chosen.flow_hash & 0x3fff);
        if (!by.remote.is_v4()) values["flow label"].insert(chosen.flow_hash);
        for (int bit = 0; bit < 16; bit++)
            set_bits[bit] += static_cast<int>(chosen.address_bits >> bit & 1);
    }
    for (const auto& [what, seen] : values)
        EXPECT_GT(seen.size(), 9U * flows / 10) << what;
    for (const auto& [bit, count] : set_bits) {
        EXPECT_GT(count, flows / 3) << "bit " << bit;
        EXPECT_LT(count, 2 * flows / 3) << "bit " << bit;
    }
}

TEST_P(Tunnels, JustTheBitsOfThePrefixAreTheFlows) {
    for (const int bits : {0, 1, 7, 8, 9, 15, 24, 31, 32}) {
        SCOPED_TRACE(bits);
        Way by = way();
        by.entropy_bits = static_cast<std::uint8_t>(bits);
        // What the flow's bits replace does not show.
        by.tunnel_source =
            by.remote.is_v4() ? address("170.85.170.85") : address("2001:db8::aa55:aa55");
        serve_by(by);
        std::uint32_t set = 0, clear = 0;
        for (std::uint16_t i = 0; i < 100; i++) {
            const Chosen chosen = chosen_in(expect_delivered(of_flow(i), by), by);
            set |= chosen.address_bits;
            clear |= ~chosen.address_bits;
        }
        const auto all = static_cast<std::uint32_t>((std::uint64_t{1} << bits) - 1);
        EXPECT_EQ(set & clear, all);  // each of them takes both values
    }
}

TEST_P(Tunnels, OtherPortOfGue) {
    if (way().forward != Forward::gue) return;
    Way by = way();
    by.gue_port = 0xfffe;
    serve_by(by);
    expect_delivered(of_flow(1), by);
}

// One backend in each family of the outer header; the client's family does not matter.
TEST_P(Tunnels, InnerPacketsOfEveryLength) {
    serve_by(way());
    for (std::size_t payload = 0; payload < 80; payload++)
        expect_delivered(web_frame(family(), {.flags = ack}, payload), way());
}

// ---- no room
// -------------------------------------------------------------------------------------

class Cramped : public Tunnels {
protected:
    void SetUp() override {
        Tunnels::SetUp();
        skeleton_ = cramped_bpf__open_and_load();
        ASSERT_NE(skeleton_, nullptr);
        const std::uint32_t zero = 0;
        const int program = engine().dataplane().program_fd();
        ASSERT_EQ(bpf_map__update_elem(skeleton_->maps.under_test, &zero, sizeof(zero), &program,
                                       sizeof(program), BPF_ANY),
                  0);
    }
    void TearDown() override { cramped_bpf__destroy(skeleton_); }
    Bytes frame() const {
        const std::size_t headers = web_frame(family(), {.flags = ack}, 0).bytes().size();
        return web_frame(family(), {.flags = ack}, CRAMPED_FRAME_BYTES - headers);
    }
    Outcome run(const Bytes& in) {
        auto ran = run_program(bpf_program__fd(skeleton_->progs.cramp), in);
        if (!ran) throw std::runtime_error(ran.error().text());
        return ran->outcome;
    }

private:
    cramped_bpf* skeleton_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(All, Cramped,
                         ::testing::Combine(::testing::ValuesIn(every_tunnel()),
                                            ::testing::Values(ipv4_family(), ipv6_family())),
                         name_of_tunnel);

TEST_P(Cramped, TunnelsNeedRoom) {
    serve_by(way());
    const Outcome outcome = run(frame());
    EXPECT_EQ(outcome.verdict, Verdict::drop);
    EXPECT_EQ(hex(outcome.frame), hex(frame()));
    EXPECT_EQ(engine().counted().at("no_headroom"), 1U);
}

TEST_P(Cramped, OtherModesDoNot) {
    for (Way by : {l2_way(), local_way()}) {
        by.port = rewritten_port;
        serve_by(by);
        const Outcome outcome = run(frame());
        EXPECT_EQ(outcome.verdict, verdict_of(by));
        EXPECT_EQ(hex(outcome.frame), hex(delivered_frame(frame(), by)));
        EXPECT_EQ(engine().counted().count("no_headroom"), 0U);
    }
}

}  // namespace

}  // namespace bascule::test
