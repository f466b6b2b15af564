// SPDX-License-Identifier: Apache-2.0
// Single packets through the loaded program: what goes in, the verdict, what comes out, and what
// was counted. Every case begins without sessions.
#include <gtest/gtest.h>

#include "packet_case.h"
#include "scene.h"

namespace bascule::test {

namespace {

class Packets : public Scene, public ::testing::WithParamInterface<PacketCase> {};

TEST_P(Packets, Walk) {
    const PacketCase& test = GetParam();
    const Outcome outcome = engine().run(test.in);
    EXPECT_EQ(outcome.verdict, test.verdict);
    if (test.verdict == Verdict::tx) {
        const Mac to = destination_of(outcome.frame);
        EXPECT_TRUE(is_backend_of_scene(to)) << to.to_string();
        EXPECT_EQ(hex(outcome.frame), hex(sent_to(to, test.in)));
    } else {
        EXPECT_EQ(hex(outcome.frame), hex(test.in));
    }
    Counts expected;
    for (const std::string& count : test.counts)
        expected[count]++;
    EXPECT_EQ(engine().counted(), expected);
}

INSTANTIATE_TEST_SUITE_P(Plain, Packets, ::testing::ValuesIn(plain_packets()), title_of);
INSTANTIATE_TEST_SUITE_P(Vlan, Packets, ::testing::ValuesIn(vlan_packets()), title_of);
INSTANTIATE_TEST_SUITE_P(Options, Packets, ::testing::ValuesIn(ipv4_option_packets()), title_of);
INSTANTIATE_TEST_SUITE_P(Extensions, Packets, ::testing::ValuesIn(extension_packets()), title_of);
INSTANTIATE_TEST_SUITE_P(Lengths, Packets, ::testing::ValuesIn(length_packets()), title_of);
INSTANTIATE_TEST_SUITE_P(TcpFlags, Packets, ::testing::ValuesIn(tcp_flag_packets()), title_of);
INSTANTIATE_TEST_SUITE_P(Fragments, Packets, ::testing::ValuesIn(fragment_packets()), title_of);
INSTANTIATE_TEST_SUITE_P(Others, Packets, ::testing::ValuesIn(other_packets()), title_of);

const Address client4 = ipv4_family().client, vip4 = ipv4_family().vip;
const Address client6 = ipv6_family().client, vip6 = ipv6_family().vip;

Frame to_vip4() {
    return Frame().ipv4({.source = client4, .destination = vip4});
}
Frame to_vip6() {
    return Frame().ipv6({.source = client6, .destination = vip6});
}

// ---- cut at every byte -------------------------------------------------------------------------

struct CutCase {
    std::string title;
    Bytes whole;
    std::size_t l3_at;
    std::size_t l4_at;
    std::size_t l4_header;
    std::string cut_extension;  // reason when the cut is between the IP header and L4
    std::string cut_payload;    // reason when L4's header is there and IP says so; empty: sent
};

void PrintTo(const CutCase& test, std::ostream* out) {
    *out << test.title;
}

class Cuts : public Scene, public ::testing::WithParamInterface<CutCase> {
protected:
    // Where the destination address is complete: what is shorter is nobody's.
    std::size_t visible_from() const {
        const bool v4 = GetParam().whole[GetParam().l3_at] >> 4 == 4;
        return GetParam().l3_at + (v4 ? 20U : 40U);
    }
};

// The wire cut it: IP says more than there is.
TEST_P(Cuts, OnTheWire) {
    const Bytes& whole = GetParam().whole;
    for (std::size_t size = 14; size < whole.size(); size++) {
        SCOPED_TRACE(std::to_string(size) + " bytes");
        const bool visible = size >= visible_from();
        expect_untouched(cut(whole, size), visible ? Verdict::drop : Verdict::pass);
        EXPECT_EQ(engine().counted(), visible ? (Counts{{"ip_length", 1}}) : Counts{});
    }
    EXPECT_TRUE(engine().sessions().empty());
}

// The sender cut it: IP says what there is, and what is above does not fit.
TEST_P(Cuts, BySender) {
    const CutCase& test = GetParam();
    for (std::size_t size = 14; size < test.whole.size(); size++) {
        SCOPED_TRACE(std::to_string(size) + " bytes");
        const Bytes frame = cut_honestly(test.whole, size, test.l3_at);
        std::string reason = test.cut_payload;
        if (size < test.l4_at + test.l4_header) reason = "l4_truncated";
        if (size < test.l4_at) reason = test.cut_extension;
        if (size < visible_from()) {
            expect_untouched(frame, Verdict::pass);
            EXPECT_EQ(engine().counted(), Counts{});
        } else if (!reason.empty()) {
            expect_untouched(frame, Verdict::drop);
            EXPECT_EQ(engine().counted(), (Counts{{reason, 1}}));
        } else {
            EXPECT_NE(deliver(frame), 0);
            engine().counted();
        }
    }
}

std::vector<CutCase> cuts() {
    const Bytes v6_chain = to_vip6()
                               .extension(hop_by_hop)
                               .extension(routing, 24)
                               .extension(destination_options)
                               .tcp({.flags = syn})
                               .payload(4);
    return {
        {"IPv4_TCP", to_vip4().tcp({.flags = syn}).payload(8), 14, 34, 20, "", ""},
        {"IPv4_UDP", to_vip4().udp({}).payload(8), 14, 34, 8, "", "udp_length"},
        {"IPv4_TCP_with_options",
         Frame()
             .ipv4({.source = client4, .destination = vip4, .option_bytes = 12})
             .tcp({.flags = syn})
             .payload(8),
         14, 46, 20, "ip_length", ""},
        {"IPv4_TCP_QinQ",
         Frame()
             .vlan(5, 0x88a8)
             .vlan(0)
             .ipv4({.source = client4, .destination = vip4})
             .tcp({.flags = syn})
             .payload(8),
         22, 42, 20, "", ""},
        {"IPv6_TCP", to_vip6().tcp({.flags = syn}).payload(8), 14, 54, 20, "", ""},
        {"IPv6_UDP", to_vip6().udp({}).payload(8), 14, 54, 8, "", "udp_length"},
        {"IPv6_extensions", v6_chain, 14, 54 + 40, 20, "ipv6_extensions", ""},
    };
}
INSTANTIATE_TEST_SUITE_P(EveryByte, Cuts, ::testing::ValuesIn(cuts()),
                         [](const auto& test) { return test.param.title; });

}  // namespace

}  // namespace bascule::test
