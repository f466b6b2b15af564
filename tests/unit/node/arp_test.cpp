// SPDX-License-Identifier: Apache-2.0
#include "node/arp.h"

#include <gtest/gtest.h>

#include <vector>

namespace bascule::node {
namespace {

const Mac mac_a = Mac::parse("02:00:00:00:00:0a").value();
const Address vip = Address::parse("10.9.0.100").value();

TEST(Arp, ProbeIsByteForByteAsRfc5227Says) {
    const ArpFrame want{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0,    0, 0,  0x0a, 0x08, 0x06,
                        0,    1,    0x08, 0,    6,    4,    0,    1, 0x02, 0, 0,  0,    0,    0x0a,
                        0,    0,    0,    0,    0,    0,    0,    0, 0,    0, 10, 9,    0,    100};
    EXPECT_EQ(make_arp_probe(mac_a, vip), want);
}

TEST(Arp, AnnouncementsNameTheAddressOnBothSides) {
    for (const bool reply : {false, true}) {
        const auto arp = parse_arp(make_arp_announcement(mac_a, vip, reply));
        ASSERT_TRUE(arp);
        EXPECT_EQ(*arp, (Arp{mac_a, mac_a, vip, vip, reply}));
        EXPECT_EQ(arp_claim(*arp, vip), mac_a);
    }
}

TEST(Arp, ClaimsAreThoseOfHoldersAndOfOtherProbers) {
    const Address other = Address::parse("10.9.0.7").value();
    const Address none = Address::parse("0.0.0.0").value();
    EXPECT_EQ(arp_claim({mac_a, mac_a, none, vip, false}, vip), mac_a);
    EXPECT_EQ(arp_claim({mac_a, mac_a, vip, other, true}, vip), mac_a);
    EXPECT_EQ(arp_claim({mac_a, mac_a, other, vip, false}, vip), std::nullopt);  // looks for it
    EXPECT_EQ(arp_claim({mac_a, mac_a, none, other, false}, vip), std::nullopt);
    EXPECT_EQ(arp_claim({mac_a, mac_a, none, vip, true}, vip), std::nullopt);
}

TEST(Arp, CutAnywhereItIsRefused) {
    const ArpFrame frame = make_arp_announcement(mac_a, vip, true);
    for (std::size_t size = 0; size < frame.size(); ++size) {
        // A copy of exactly that size, so that reading past its end is seen by a sanitizer.
        const std::vector<std::uint8_t> cut(frame.begin(),
                                            frame.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(parse_arp(cut)) << size;
    }
    std::vector<std::uint8_t> padded(frame.begin(), frame.end());
    padded.resize(60);
    EXPECT_TRUE(parse_arp(padded));
}

TEST(Arp, AnyOtherPreambleIsRefused) {
    for (std::size_t at = 12; at < 22; ++at) {
        ArpFrame frame = make_arp_probe(mac_a, vip);
        frame[at] ^= 0x40;
        EXPECT_FALSE(parse_arp(frame)) << at;
    }
}

}  // namespace
}  // namespace bascule::node
