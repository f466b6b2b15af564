// SPDX-License-Identifier: Apache-2.0
#include "node/trace_packet.h"

#include <gtest/gtest.h>

#include <string>

namespace bascule::node {
namespace {

using Bytes = std::vector<std::uint8_t>;

TracePacket packet(const char* source, const char* destination) {
    TracePacket packet;
    packet.source = *Address::parse(source);
    packet.destination = *Address::parse(destination);
    packet.source_port = 40000;
    packet.destination_port = 80;
    packet.station = Mac{{0x02, 0, 0, 0, 0, 0x11}};
    return packet;
}

Bytes frame_of(const TracePacket& packet) {
    auto frame = make_frame(packet);
    EXPECT_TRUE(frame) << frame.error().text();
    return frame ? *frame : Bytes();
}

unsigned u16(const Bytes& bytes, std::size_t at) {
    return static_cast<unsigned>(bytes.at(at) << 8 | bytes.at(at + 1));
}

// One's complement sum; over what holds its own checksum it is 0xffff (RFC 1071).
unsigned sum_of(const Bytes& bytes, std::size_t from, std::size_t to, unsigned sum = 0) {
    for (std::size_t i = from; i < to; i++)
        sum += (i - from) % 2 == 0 ? static_cast<unsigned>(bytes[i]) << 8 : bytes[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

void expect_right_l4(const Bytes& frame, std::size_t addresses, std::size_t l4, unsigned protocol) {
    const auto length = static_cast<unsigned>(frame.size() - l4);
    const unsigned pseudo = sum_of(frame, addresses, l4, protocol + length);
    EXPECT_EQ(sum_of(frame, l4, frame.size(), pseudo), 0xffffU);
}

TEST(TracePacket, ASynOverIpv4) {
    const Bytes frame = frame_of(packet("198.51.100.7", "10.9.0.100"));
    ASSERT_EQ(frame.size(), 14U + 20 + 24);
    EXPECT_EQ(Bytes(frame.begin(), frame.begin() + 6), (Bytes{2, 0, 0, 0, 0, 0x11}));
    EXPECT_EQ(u16(frame, 12), 0x0800U);
    EXPECT_EQ(u16(frame, 16), 44U);
    EXPECT_EQ(u16(frame, 20), 0x4000U);  // don't fragment
    EXPECT_EQ(sum_of(frame, 14, 34), 0xffffU);
    EXPECT_EQ(u16(frame, 34), 40000U);
    EXPECT_EQ(u16(frame, 36), 80U);
    EXPECT_EQ(frame[47], 2);
    EXPECT_EQ(u16(frame, 56), 1460U);
    expect_right_l4(frame, 26, 34, 6);
}

TEST(TracePacket, UdpOverIpv6WithATagAndASize) {
    TracePacket wanted = packet("2001:db8::7", "fd09::100");
    wanted.protocol = model::Protocol::udp;
    wanted.vlan = 100;
    wanted.bytes = 1280;
    const Bytes frame = frame_of(wanted);
    ASSERT_EQ(frame.size(), 18U + 1280);
    EXPECT_EQ(u16(frame, 12), 0x8100U);
    EXPECT_EQ(u16(frame, 14), 100U);
    EXPECT_EQ(u16(frame, 16), 0x86ddU);
    EXPECT_EQ(u16(frame, 22), 1240U);
    EXPECT_EQ(u16(frame, 62), 1240U);  // as UDP says it
    expect_right_l4(frame, 26, 58, 17);
}

TEST(TracePacket, FlagsAndFragmentation) {
    TracePacket wanted = packet("198.51.100.7", "10.9.0.100");
    wanted.tcp_flags = tcp_ack | tcp_fin;
    wanted.may_be_fragmented = true;
    const Bytes frame = frame_of(wanted);
    ASSERT_EQ(frame.size(), 14U + 40);  // only a SYN says its segment size
    EXPECT_EQ(u16(frame, 20), 0U);
    EXPECT_EQ(frame[47], 17);
    expect_right_l4(frame, 26, 34, 6);
}

TEST(TracePacket, WhatCannotBe) {
    EXPECT_FALSE(make_frame(packet("198.51.100.7", "fd09::100")));
    TracePacket wanted = packet("198.51.100.7", "10.9.0.100");
    wanted.bytes = 43;
    const auto tiny = make_frame(wanted);
    ASSERT_FALSE(tiny);
    EXPECT_NE(tiny.error().text().find("44 to 65535"), std::string::npos) << tiny.error().text();
    wanted.bytes = 44;
    EXPECT_TRUE(make_frame(wanted));
    wanted.bytes = 65536;
    EXPECT_FALSE(make_frame(wanted));
}

}  // namespace
}  // namespace bascule::node
