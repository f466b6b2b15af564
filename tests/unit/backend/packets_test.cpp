// SPDX-License-Identifier: Apache-2.0
#include "backend/packets.h"

#include <gtest/gtest.h>

namespace bascule::backend {
namespace {

Address ip(const char* text) {
    return Address::parse(text).value();
}

constexpr Mac here{{2, 0, 0, 0, 0, 1}};
constexpr Mac there{{2, 0, 0, 0, 0, 2}};

// Sum of the 16-bit words of what a right checksum covers is all ones (RFC 1071).
std::uint32_t sum(std::span<const std::uint8_t> bytes, std::uint32_t start = 0) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
        start += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
    while (start >> 16 != 0)
        start = (start & 0xffff) + (start >> 16);
    return start;
}

TEST(Packets, UdpOfBothFamiliesHasRightChecksums) {
    const Bytes payload = {'o', 'd', 'd'};
    const Bytes v4 = udp_packet({ip("192.0.2.1"), ip("10.9.0.100"), 40000, 80}, payload);
    ASSERT_EQ(v4.size(), 31U);
    EXPECT_EQ(v4[3], 31);
    EXPECT_EQ(sum(std::span(v4).first(20)), 0xffffU);
    EXPECT_EQ(sum(std::span(v4).subspan(12, 8), sum(std::span(v4).subspan(20)) + 17 + 11), 0xffffU);
    const Bytes v6 = udp_packet({ip("2001:db8::1"), ip("fd00::1"), 40000, 80}, payload);
    ASSERT_EQ(v6.size(), 51U);
    EXPECT_EQ(v6[5], 11);
    EXPECT_EQ(sum(std::span(v6).subspan(8, 32), sum(std::span(v6).subspan(40)) + 17 + 11), 0xffffU);
}

TEST(Packets, TunnelsSayWhatIsInside) {
    const Bytes inner4 = udp_packet({ip("192.0.2.1"), ip("10.9.0.100"), 1, 2}, {});
    const Bytes inner6 = udp_packet({ip("2001:db8::1"), ip("fd00::1"), 1, 2}, {});
    EXPECT_EQ(in_ip(ip("10.9.0.2"), ip("10.9.0.1"), inner4)[9], 4);
    EXPECT_EQ(in_ip(ip("10.9.0.2"), ip("10.9.0.1"), inner6)[9], 41);
    EXPECT_EQ(in_ip(ip("fd00::2"), ip("fd00::1"), inner4)[6], 4);
    EXPECT_EQ(in_ip(ip("fd00::2"), ip("fd00::1"), inner6)[6], 41);
    const Bytes gue = in_gue(ip("10.9.0.2"), ip("10.9.0.1"), 6080, inner6);
    EXPECT_EQ(gue[9], 17);
    EXPECT_EQ(gue[22] << 8 | gue[23], 6080);
    EXPECT_EQ(Bytes(gue.begin() + 28, gue.end()), inner6);
}

TEST(Packets, QuestionsAndAnswersForThem) {
    const Bytes arp = question_frame(here, ip("10.9.0.100"));
    EXPECT_EQ(arp.size(), 60U);
    EXPECT_EQ(arp[0], 0xff);
    EXPECT_FALSE(is_answer_for(arp, ip("10.9.0.100")));
    Bytes reply(42);
    reply[12] = 8;
    reply[13] = 6;
    reply[21] = 2;
    const Bytes target = {10, 9, 0, 100};
    std::copy(target.begin(), target.end(), reply.begin() + 28);
    EXPECT_TRUE(is_answer_for(reply, ip("10.9.0.100")));
    EXPECT_FALSE(is_answer_for(reply, ip("10.9.0.101")));
    reply.pop_back();
    EXPECT_FALSE(is_answer_for(reply, ip("10.9.0.100")));

    const Address vip6 = ip("fd00:9::1:2345");
    Bytes solicitation = question_frame(here, vip6);
    EXPECT_EQ((Bytes(solicitation.begin(), solicitation.begin() + 6)),
              (Bytes{0x33, 0x33, 0xff, 0x01, 0x23, 0x45}));
    EXPECT_EQ(solicitation[21], 255);  // hop limit, or nobody listens (RFC 4861)
    EXPECT_FALSE(is_answer_for(solicitation, vip6));
    solicitation[54] = 136;
    EXPECT_TRUE(is_answer_for(solicitation, vip6));
    EXPECT_FALSE(is_answer_for(solicitation, ip("fd00:9::1:2346")));
    const Bytes direct = question_frame_to(there, here, vip6);
    EXPECT_EQ(direct[5], 2);
}

}  // namespace
}  // namespace bascule::backend
