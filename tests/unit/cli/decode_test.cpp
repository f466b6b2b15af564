// SPDX-License-Identifier: Apache-2.0
#include "cli/decode.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace bascule::cli {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes unhex(std::string_view text) {
    Bytes bytes;
    std::string pair;
    for (const char c : text) {
        if (c == ' ') continue;
        pair += c;
        if (pair.size() < 2) continue;
        bytes.push_back(static_cast<std::uint8_t>(std::stoul(pair, nullptr, 16)));
        pair.clear();
    }
    return bytes;
}

Bytes operator+(Bytes one, const Bytes& other) {
    one.insert(one.end(), other.begin(), other.end());
    return one;
}

const Bytes ethernet4 = unhex("020000000001 0200000000fe 0800");
const Bytes ethernet6 = unhex("020000000001 0200000000fe 86dd");
// 198.51.100.7:40000 > 10.9.0.100:80, SYN with a maximum segment size.
const Bytes ipv4 = unhex("4500002c 12344000 40060000 c6336407 0a090064");
const Bytes syn = unhex("9c400050 000003e8 00000000 6002faf0 00000000 020405b4");
// 10.9.0.11 > 10.9.0.22, 4 in 4.
const Bytes outer4 = unhex("45000040 00004000 40040000 0a09000b 0a090016");
const Bytes ipv6 =
    unhex("60000000 00101140 20010db8000000000000000000000007 fd090000000000000000000000000100");

std::string line(const Bytes& frame, bool encapsulated = false) {
    return decode(frame, encapsulated).line;
}

std::string layer(const Bytes& frame, std::size_t i, bool encapsulated = false) {
    const auto layers = decode(frame, encapsulated).layers;
    return i < layers.size() ? layers[i].name + " " + layers[i].text : "none";
}

TEST(Decode, Tcp) {
    const Bytes frame = ethernet4 + ipv4 + syn;
    EXPECT_EQ(line(frame), "198.51.100.7:40000 > 10.9.0.100:80 tcp syn, 0 bytes");
    EXPECT_EQ(layer(frame, 0), "ethernet 02:00:00:00:00:fe > 02:00:00:00:00:01");
    EXPECT_EQ(layer(frame, 1), "ipv4 198.51.100.7 > 10.9.0.100, tcp, ttl 64, 44 bytes, df");
    EXPECT_EQ(layer(frame, 2), "tcp 40000 > 80, syn, seq 1000, mss 1460, 0 bytes");
    EXPECT_EQ(decode(frame, false).layers.size(), 3U);
}

TEST(Decode, UdpOverIpv6WithTags) {
    const Bytes frame = unhex("020000000001 0200000000fe 88a80007 81000064 86dd") + ipv6 +
                        unhex("9c40 0035 0010 0000 0102030405060708");
    EXPECT_EQ(line(frame), "[2001:db8::7]:40000 > [fd09::100]:53 udp, 8 bytes");
    EXPECT_EQ(layer(frame, 0), "ethernet 02:00:00:00:00:fe > 02:00:00:00:00:01, vlan 7, vlan 100");
    EXPECT_EQ(layer(frame, 2), "udp 40000 > 53, 8 bytes, no checksum");
}

TEST(Decode, Ipip) {
    const Bytes frame = ethernet4 + outer4 + ipv4 + syn;
    EXPECT_EQ(line(frame),
              "ipip 10.9.0.11 > 10.9.0.22: 198.51.100.7:40000 > 10.9.0.100:80 tcp syn, 0 bytes");
    EXPECT_EQ(decode(frame, false).layers.size(), 4U);
}

TEST(Decode, GueOnlyWhenItIsKnownToBe) {
    const Bytes gue =
        unhex("45000048 00004000 40110000 0a09000b 0a090016") + unhex("c123 17c0 0034 0000");
    const Bytes frame = ethernet4 + gue + ipv4 + syn;
    EXPECT_EQ(line(frame, true),
              "gue 10.9.0.11:49443 > 10.9.0.22:6080: 198.51.100.7:40000 > 10.9.0.100:80 tcp syn, "
              "0 bytes");
    EXPECT_EQ(line(frame, false), "10.9.0.11:49443 > 10.9.0.22:6080 udp, 44 bytes");
}

TEST(Decode, IcmpWithWhatItQuotes) {
    const Bytes frame = ethernet4 + unhex("45000038 00000000 40010000 0a090064 c6336407") +
                        unhex("0304 0000 0000 0578") + ipv4 + unhex("9c400050 000003e8");
    EXPECT_EQ(line(frame),
              "10.9.0.100 > 198.51.100.7 icmp fragmentation needed, mtu 1400: 198.51.100.7:40000 > "
              "10.9.0.100:80 tcp");
}

TEST(Decode, FragmentsHaveNoPorts) {
    const Bytes frame = ethernet4 + unhex("4500002c 12342064 40060000 c6336407 0a090064") + syn;
    EXPECT_EQ(line(frame), "198.51.100.7 > 10.9.0.100 tcp fragment at 800");
}

TEST(Decode, OtherFrames) {
    EXPECT_EQ(line(unhex("ffffffffffff 0200000000fe 0806 0001")), "ethertype 0x0806, 16 bytes");
    EXPECT_EQ(line({}), "ethernet cut short");
    EXPECT_EQ(line(ethernet4), "ip cut short");
}

// However a frame is cut or broken, it is decoded within its bytes (the sanitizers see to that).
TEST(Decode, CutAndBrokenFrames) {
    const std::vector<Bytes> whole = {
        ethernet4 + outer4 + ipv4 + syn,
        ethernet6 + ipv6 + unhex("9c40 0035 0010 0000 0102030405060708"),
        ethernet4 + unhex("45000038 00000000 40010000 0a090064 c6336407 0304 0000 0000 0578") +
            ipv4 + syn,
    };
    std::mt19937 dice(1);
    for (const Bytes& frame : whole) {
        for (std::size_t size = 0; size <= frame.size(); size++) {
            // A copy of just these bytes, so that one beyond is seen.
            EXPECT_FALSE(decode(Bytes(frame.begin(), frame.begin() + size), true).line.empty());
        }
        for (int i = 0; i < 2000; i++) {
            Bytes broken = frame;
            for (int k = 0; k < 3; k++)
                broken[12 + dice() % (broken.size() - 12)] = static_cast<std::uint8_t>(dice());
            EXPECT_FALSE(decode(broken, true).line.empty());
        }
    }
}

// Tunnels in tunnels end somewhere.
TEST(Decode, NestingIsBounded) {
    Bytes frame = ethernet4;
    for (int i = 0; i < 200; i++)
        frame = frame + unhex("4500ffff 00004000 40040000 0a09000b 0a090016");
    EXPECT_LE(decode(frame, true).layers.size(), 6U);
}

}  // namespace
}  // namespace bascule::cli
