// SPDX-License-Identifier: Apache-2.0
#include "node/nd.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

const Mac mac_a = Mac::parse("02:00:00:00:00:0a").value();
const Address vip = Address::parse("2001:db8::12:3456").value();

void fix_checksum(std::vector<std::uint8_t>& frame) {
    frame[56] = frame[57] = 0;
    std::uint32_t sum = 58 + static_cast<std::uint32_t>(frame.size() - 54);
    for (std::size_t i = 22; i < frame.size(); i += 2) {
        sum += static_cast<std::uint32_t>(frame[i] << 8 | frame[i + 1]);
    }
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    frame[56] = static_cast<std::uint8_t>(~sum >> 8);
    frame[57] = static_cast<std::uint8_t>(~sum);
}

TEST(Nd, ProbeComesFromNobodyToTheSolicitedNodeGroup) {
    const auto frame = make_nd_probe(mac_a, vip);
    EXPECT_EQ(solicited_node_mac(vip), Mac::parse("33:33:ff:12:34:56"));
    EXPECT_EQ(all_nodes_mac(), Mac::parse("33:33:00:00:00:01"));
    EXPECT_EQ((std::vector<std::uint8_t>(frame.begin(), frame.begin() + 6)),
              (std::vector<std::uint8_t>{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}));
    const auto message = parse_nd(frame);
    ASSERT_TRUE(message);
    EXPECT_EQ(*message, (NeighbourMessage{mac_a, Address(), vip, false, std::nullopt}));
    EXPECT_EQ(nd_claim(*message, vip), mac_a);
}

TEST(Nd, AnnouncementOverridesAndNamesTheMac) {
    const auto frame = make_nd_announcement(mac_a, vip);
    const auto message = parse_nd(frame);
    ASSERT_TRUE(message);
    EXPECT_EQ(*message, (NeighbourMessage{mac_a, vip, vip, true, mac_a}));
    EXPECT_EQ(frame[58], 0x20);  // override, neither router nor solicited
    EXPECT_EQ(nd_claim(*message, vip), mac_a);
    EXPECT_EQ(nd_claim(*message, Address::parse("2001:db8::1").value()), std::nullopt);
}

TEST(Nd, ChecksumIsThatOfAnIndependentSum) {
    auto frame = make_nd_announcement(mac_a, vip);
    const auto made = frame;
    fix_checksum(frame);
    EXPECT_EQ(frame, made);
}

TEST(Nd, AnOrdinarySolicitationIsNoClaim) {
    NeighbourMessage message{mac_a, Address::parse("2001:db8::9").value(), vip, false, mac_a};
    EXPECT_EQ(nd_claim(message, vip), std::nullopt);
}

TEST(Nd, CutAnywhereItIsRefused) {
    for (const auto& frame : {make_nd_announcement(mac_a, vip), make_nd_probe(mac_a, vip)}) {
        for (std::size_t size = 0; size < frame.size(); ++size) {
            const std::vector<std::uint8_t> cut(frame.begin(),
                                                frame.begin() + static_cast<std::ptrdiff_t>(size));
            EXPECT_FALSE(parse_nd(cut)) << size;
        }
    }
}

// The IPv6 header says less than the frame holds: all lengths are checked against the header.
TEST(Nd, AShorterPayloadIsPaddingOrRefused) {
    const auto whole = make_nd_announcement(mac_a, vip);
    for (std::uint8_t payload = 0; payload < 32; ++payload) {
        auto frame = whole;
        frame[19] = payload;
        EXPECT_FALSE(parse_nd(frame)) << int{payload};  // cut, and the checksum no longer fits
    }
    auto padded = whole;
    padded.resize(120);
    EXPECT_TRUE(parse_nd(padded));
}

TEST(Nd, OptionsThatRunOverOrAreEmptyAreRefused) {
    for (const int length : {0, 2, 255}) {
        auto frame = make_nd_announcement(mac_a, vip);
        frame[79] = static_cast<std::uint8_t>(length);
        fix_checksum(frame);
        EXPECT_FALSE(parse_nd(frame)) << length;
    }
    auto frame = make_nd_announcement(mac_a, vip);
    frame[78] = 14;  // an option unknown here is stepped over
    fix_checksum(frame);
    ASSERT_TRUE(parse_nd(frame));
    EXPECT_EQ(parse_nd(frame)->option, std::nullopt);
}

TEST(Nd, FromAnotherLinkOrWithAWrongChecksumIsRefused) {
    auto frame = make_nd_announcement(mac_a, vip);
    frame[21] = 254;
    EXPECT_FALSE(parse_nd(frame));
    frame = make_nd_announcement(mac_a, vip);
    frame[70] ^= 1;
    EXPECT_FALSE(parse_nd(frame));
}

}  // namespace
}  // namespace bascule::node
