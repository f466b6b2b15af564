// SPDX-License-Identifier: Apache-2.0
#include "base/address.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace bascule {
namespace {

Address address(std::string_view text) {
    return Address::parse(text).value();
}

TEST(Address, PrintsWhatItParsed) {
    for (const std::string text : {"0.0.0.0", "10.9.0.100", "255.255.255.255", "::", "::1",
                                   "2001:db8::1", "fe80::1:2:3:4", "1:2:3:4:5:6:7:8"})
        EXPECT_EQ(address(text).to_string(), text);
}

TEST(Address, NormalizesOtherSpellings) {
    EXPECT_EQ(address("2001:DB8:0:0:0:0:0:1").to_string(), "2001:db8::1");
    EXPECT_EQ(address("::ffff:10.9.0.1"), address("10.9.0.1"));
    EXPECT_EQ(address("::ffff:10.9.0.1").to_string(), "10.9.0.1");
}

TEST(Address, RefusesWhatIsNone) {
    for (const std::string_view text :
         {"", "10.9.0", "10.9.0.256", "10.9.0.1.1", "10.9.0.01", " 10.9.0.1", "10.9.0.1 ",
          "10.9.0.1/24", "2001:db8::/32", "2001:db8::1%eth0", "[::1]", "1::2::3", "12345::", "web",
          "0x7f.0.0.1"})
        EXPECT_FALSE(Address::parse(text)) << text;
    EXPECT_FALSE(Address::parse(std::string_view("10.9.0.1\0", 9)));
    EXPECT_FALSE(Address::parse(std::string(10'000, '1')));
}

TEST(Address, KeepsIpv4Mapped) {
    const Address::Bytes expected = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 9, 0, 100};
    EXPECT_EQ(address("10.9.0.100").bytes(), expected);
    EXPECT_TRUE(address("10.9.0.100").is_v4());
    EXPECT_FALSE(address("2001:db8::1").is_v4());
    EXPECT_FALSE(Address().is_v4());
}

TEST(Address, WireIntegerHoldsTheBytesInPacketOrder) {
    const std::uint8_t packet[4] = {10, 9, 0, 100};
    std::uint32_t word = 0;
    std::memcpy(&word, packet, sizeof word);
    EXPECT_EQ(Address::v4_from_wire(word), address("10.9.0.100"));
    EXPECT_EQ(address("10.9.0.100").v4_wire(), word);
}

struct Kind {
    const char* text;
    bool unspecified, loopback, multicast, link_local;
};

TEST(Address, KnowsSpecialRanges) {
    const Kind kinds[] = {
        {"0.0.0.0", true, false, false, false},
        {"0.0.0.1", false, false, false, false},
        {"::", true, false, false, false},
        {"126.255.255.255", false, false, false, false},
        {"127.0.0.1", false, true, false, false},
        {"127.255.255.255", false, true, false, false},
        {"::1", false, true, false, false},
        {"::2", false, false, false, false},
        {"1::1", false, false, false, false},
        {"223.255.255.255", false, false, false, false},
        {"224.0.0.1", false, false, true, false},
        {"239.255.255.255", false, false, true, false},
        {"240.0.0.1", false, false, false, false},
        {"255.255.255.255", false, false, true, false},
        {"ff02::1", false, false, true, false},
        {"169.254.0.1", false, false, false, true},
        {"169.253.0.1", false, false, false, false},
        {"fe80::1", false, false, false, true},
        {"febf::1", false, false, false, true},
        {"fec0::1", false, false, false, false},
    };
    for (const Kind& kind : kinds) {
        const Address a = address(kind.text);
        EXPECT_EQ(a.is_unspecified(), kind.unspecified) << kind.text;
        EXPECT_EQ(a.is_loopback(), kind.loopback) << kind.text;
        EXPECT_EQ(a.is_multicast(), kind.multicast) << kind.text;
        EXPECT_EQ(a.is_link_local(), kind.link_local) << kind.text;
    }
}

TEST(Mac, ParsesAndPrints) {
    const Mac mac = Mac::parse("02:Ab:00:ff:10:9e").value();
    EXPECT_EQ(mac.to_string(), "02:ab:00:ff:10:9e");
    for (const std::string_view text :
         {"", "02:ab:00:ff:10", "02:ab:00:ff:10:9", "02:ab:00:ff:10:9g", "02-ab-00-ff-10-9e",
          "02:ab:00:ff:10:9e:", "2:ab:00:ff:10:9e1"})
        EXPECT_FALSE(Mac::parse(text)) << text;
}

TEST(Mac, WordHasTheFirstByteLowest) {
    const Mac mac = Mac::parse("02:ab:00:ff:10:9e").value();
    EXPECT_EQ(mac.to_word(), 0x9e10ff00ab02u);
    EXPECT_EQ(Mac::from_word(mac.to_word()), mac);
    EXPECT_EQ(Mac::from_word(0xffff'9e10ff00ab02u), mac)
        << "generation and flags are no part of it";
}

}  // namespace
}  // namespace bascule
