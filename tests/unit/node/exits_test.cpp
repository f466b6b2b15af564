// SPDX-License-Identifier: Apache-2.0
#include "node/exits.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

namespace bascule::node {
namespace {

constexpr std::uint32_t here = 0;
const Mac mac = Mac::parse("02:00:00:00:00:0a").value();
const Mac vlan_mac = Mac::parse("02:00:00:00:00:64").value();

Link ethernet(const char* name, std::uint32_t ifindex, const char* kind = "") {
    Link link;
    link.name = name;
    link.ifindex = ifindex;
    link.mac = mac;
    link.mtu = 1500;
    link.ethernet = true;
    link.kind = kind;
    return link;
}

Link vlan(const char* name, std::uint16_t id, std::uint32_t lower) {
    Link link = ethernet(name, 9, "vlan");
    link.mac = vlan_mac;
    link.vlan = id;
    link.vlan_protocol = ETH_P_8021Q;
    link.lower = lower;
    return link;
}

// An RTM_NEWLINK as the kernel sends it; made, because a kernel without the modules makes none.
class Message {
public:
    Message(const char* name, int ifindex) : message_(RTM_NEWLINK, 0) {
        ifinfomsg info{};
        info.ifi_index = ifindex;
        info.ifi_type = ARPHRD_ETHER;
        info.ifi_flags = IFF_UP;
        message_.fixed(info).attribute(IFLA_IFNAME, std::string(name));
        message_.attribute(IFLA_MTU, std::uint32_t{1500});
        message_.attribute(IFLA_ADDRESS, std::span<const std::uint8_t>(mac.bytes));
    }
    Message& number(int type, std::uint32_t value) {
        message_.attribute(type, value);
        return *this;
    }
    Message& vlan(std::uint16_t id, std::uint16_t protocol) {
        nlattr* info = nla_nest_start(message_.get(), IFLA_LINKINFO);
        message_.attribute(IFLA_INFO_KIND, std::string("vlan"));
        nlattr* data = nla_nest_start(message_.get(), IFLA_INFO_DATA);
        nla_put_u16(message_.get(), IFLA_VLAN_ID, id);
        nla_put_u16(message_.get(), IFLA_VLAN_PROTOCOL, htons(protocol));
        nla_nest_end(message_.get(), data);
        nla_nest_end(message_.get(), info);
        return *this;
    }
    Message& part_of(const char* kind, std::uint32_t master) {
        nlattr* info = nla_nest_start(message_.get(), IFLA_LINKINFO);
        message_.attribute(IFLA_INFO_SLAVE_KIND, std::string(kind));
        nla_nest_end(message_.get(), info);
        return number(IFLA_MASTER, master);
    }
    Link read() const { return parse_link(*nlmsg_hdr(message_.get())).value(); }

private:
    NetlinkMessage message_;
};

TEST(LinkMessages, AVlanInterface) {
    const Link link = Message("eth0.100", 9).number(IFLA_LINK, 2).vlan(100, ETH_P_8021Q).read();
    EXPECT_EQ(link.kind, "vlan");
    EXPECT_EQ(link.vlan, 100);
    EXPECT_EQ(link.vlan_protocol, ETH_P_8021Q);
    EXPECT_EQ(link.lower, 2);
    EXPECT_EQ(route_ifindex(link), 9);
    EXPECT_EQ(
        Message("eth0.100", 9).number(IFLA_LINK, 2).vlan(100, ETH_P_8021AD).read().vlan_protocol,
        ETH_P_8021AD);
}

TEST(LinkMessages, AVlanInterfaceOverADeviceOfAnotherNamespace) {
    const Link link = Message("eth0.100", 9)
                          .number(IFLA_LINK, 2)
                          .number(IFLA_LINK_NETNSID, here)
                          .vlan(100, ETH_P_8021Q)
                          .read();
    EXPECT_EQ(link.lower, 0);
}

TEST(LinkMessages, APartOfABondRoutesAsTheBond) {
    const Link link = Message("eth0", 2).part_of("bond", 5).read();
    EXPECT_EQ(link.bond, 5);
    EXPECT_EQ(route_ifindex(link), 5);
}

TEST(LinkMessages, APortOfABridgeRoutesAsItself) {
    const Link link = Message("eth0", 2).part_of("bridge", 5).read();
    EXPECT_EQ(link.bond, 0);
    EXPECT_EQ(route_ifindex(link), 2);
}

TEST(Exits, ADeviceIsItsOwn) {
    EXPECT_EQ(exit_of(ethernet("bond0", 5, "bond"), {}), (Exit{5, 0, mac, 1500, ""}));
}

TEST(Exits, AVlanLeavesByTheDeviceBelowWithItsTag) {
    const Link below = ethernet("bond0", 5, "bond");
    EXPECT_EQ(exit_of(vlan("bond0.100", 100, 5), below), (Exit{5, 100, vlan_mac, 1500, ""}));
}

TEST(Exits, TheSmallerMtuCounts) {
    Link below = ethernet("eth0", 2);
    below.mtu = 1400;
    EXPECT_EQ(exit_of(vlan("eth0.100", 100, 2), below).mtu, 1400);
    below.mtu = 9000;
    EXPECT_EQ(exit_of(vlan("eth0.100", 100, 2), below).mtu, 1500);
}

TEST(Exits, WhatCannotBeHasItsReason) {
    Link tunnel = ethernet("tun0", 3, "tun");
    tunnel.ethernet = false;
    EXPECT_EQ(exit_of(tunnel, {}).reason,
              "tun0 has no Ethernet addresses: frames cannot be sent by it");
    const Link upper = vlan("eth0.100.7", 7, 9);
    EXPECT_EQ(exit_of(upper, vlan("eth0.100", 100, 2)).reason,
              "eth0.100.7 is a VLAN on the VLAN eth0.100: one tag can be put on, not two");
    EXPECT_EQ(exit_of(upper, {}).reason, "the device under eth0.100.7 is not on this host");
    Link service = vlan("eth0.100", 100, 2);
    service.vlan_protocol = ETH_P_8021AD;
    EXPECT_EQ(exit_of(service, ethernet("eth0", 2)).reason,
              "eth0.100 puts on service tags (802.1ad): only 802.1Q tags can be");
    EXPECT_EQ(exit_of(service, ethernet("eth0", 2)).ifindex, 0);
}

}  // namespace
}  // namespace bascule::node
