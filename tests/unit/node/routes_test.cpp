// SPDX-License-Identifier: Apache-2.0
#include "node/routes.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#include <vector>

namespace bascule::node {
namespace {

Address ip(const char* text) {
    return Address::parse(text).value();
}

NetlinkMessage answer(std::uint8_t type) {
    rtmsg info{};
    info.rtm_type = type;
    NetlinkMessage message(RTM_NEWROUTE, 0);
    message.fixed(info);
    return message;
}

Way read(const NetlinkMessage& message) {
    return read_route(*nlmsg_hdr(message.get()));
}

std::vector<std::uint8_t> nested(int type, std::uint32_t value) {
    std::vector<std::uint8_t> bytes(8);
    const nlattr head{8, static_cast<std::uint16_t>(type)};
    std::memcpy(bytes.data(), &head, sizeof head);
    std::memcpy(bytes.data() + sizeof head, &value, sizeof value);
    return bytes;
}

TEST(Routes, AWayOnTheLink) {
    auto message = answer(RTN_UNICAST);
    message.attribute(RTA_OIF, std::uint32_t{7}).attribute(RTA_PREFSRC, ip("10.9.0.1"));
    const Way way = read(message);
    EXPECT_EQ(way, (Way{7, {}, ip("10.9.0.1"), 0, false, ""}));
}

TEST(Routes, AGatewayOfEitherFamilyAndALimit) {
    auto message = answer(RTN_UNICAST);
    message.attribute(RTA_OIF, std::uint32_t{7}).attribute(RTA_GATEWAY, ip("10.9.0.254"));
    message.attribute(RTA_METRICS, nested(RTAX_MTU, 1400));
    EXPECT_EQ(read(message).via, ip("10.9.0.254"));
    EXPECT_EQ(read(message).mtu, 1400);

    std::vector<std::uint8_t> via(2);
    const auto gateway = ip("fe80::1");
    via.insert(via.end(), gateway.bytes().begin(), gateway.bytes().end());
    auto other = answer(RTN_UNICAST);
    other.attribute(RTA_OIF, std::uint32_t{7}).attribute(RTA_VIA, via);
    EXPECT_EQ(read(other).via, gateway);
}

TEST(Routes, AnotherMetricIsNoLimit) {
    auto message = answer(RTN_UNICAST);
    message.attribute(RTA_OIF, std::uint32_t{7});
    message.attribute(RTA_METRICS, nested(RTAX_ADVMSS, 1400));
    EXPECT_EQ(read(message).mtu, 0);
}

TEST(Routes, OurOwnAddress) {
    auto message = answer(RTN_LOCAL);
    message.attribute(RTA_OIF, std::uint32_t{1}).attribute(RTA_PREFSRC, ip("10.9.0.1"));
    const Way way = read(message);
    EXPECT_TRUE(way.local);
    EXPECT_EQ(way.ifindex, 0);
    EXPECT_EQ(way.reason, "is an address of this host itself");
}

TEST(Routes, WhatLeadsNowhereHasItsReason) {
    EXPECT_EQ(read(answer(RTN_UNICAST)).reason, "no route");
    EXPECT_EQ(read(answer(RTN_MULTICAST)).reason, "is not the address of one host");
    EXPECT_EQ(read(answer(RTN_PROHIBIT)).reason, "prohibited by a route");
    EXPECT_EQ(read(NetlinkMessage(RTM_NEWROUTE, 0)).reason, "the kernel's answer makes no sense");
    auto message = answer(RTN_UNICAST);
    message.attribute(RTA_OIF, std::uint32_t{7});
    message.attribute(RTA_ENCAP_TYPE, std::vector<std::uint8_t>{1, 0});
    EXPECT_EQ(read(message).reason, "behind a route that encapsulates");
    EXPECT_EQ(read(message).ifindex, 0);
}

}  // namespace
}  // namespace bascule::node
