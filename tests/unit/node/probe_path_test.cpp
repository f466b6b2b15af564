// SPDX-License-Identifier: Apache-2.0
#include "node/probe_path.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using testing::ip;

class ProbePath : public testing::Namespaces {
protected:
    void TearDown() override {
        if (geteuid() == 0) (void)remove_probe_path();
        Namespaces::TearDown();
    }

    void expect_open() {
        const auto path = open_probe_path(node_);
        ASSERT_TRUE(path) << path.error().text();
        EXPECT_EQ(path->interface, "bscp1");
        EXPECT_EQ(path->ifindex, if_nametoindex("bscp1"));
        EXPECT_EQ(path->stack_mac, find_link(*requests_, "bscp0")->mac);
        // Not the kernel's choice, which udev would change behind our back.
        EXPECT_EQ(path->stack_mac, (Mac{{0x02, 0xba, 0x5c, 0x70, 0x00, 0x00}}));
    }
    std::string refusal() {
        const auto path = open_probe_path(node_);
        return path ? "opened" : path.error().text();
    }
    static std::string routes(const char* family) {
        return output(std::string("ip ") + family + " route show dev bscp0");
    }
    static bool has(const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    }
    static void send_to(const Address& address) {
        const int fd = socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_storage to{};
        socklen_t size = sizeof(sockaddr_in);
        if (address.is_v4()) {
            auto* v4 = reinterpret_cast<sockaddr_in*>(&to);
            *v4 = {AF_INET, htons(9), {address.v4_wire()}, {}};
        } else {
            auto* v6 = reinterpret_cast<sockaddr_in6*>(&to);
            v6->sin6_family = AF_INET6;
            v6->sin6_port = htons(9);
            std::memcpy(&v6->sin6_addr, address.bytes().data(), 16);
            size = sizeof(sockaddr_in6);
        }
        EXPECT_EQ(sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), size), 1)
            << address.to_string() << ": " << std::strerror(errno);
        close(fd);
    }

    model::NodeConfig node_;
};

TEST_F(ProbePath, AMadeUpAddressNamesSlotAndGeneration) {
    const auto text = [&](const char* vip, std::uint16_t slot, std::uint8_t generation) {
        return probe_address(node_, ip(vip), slot, generation).to_string();
    };
    EXPECT_EQ(text("10.9.0.100", 1, 0), "240.64.0.1");
    EXPECT_EQ(text("10.9.0.100", 16383, 0), "240.64.63.255");
    EXPECT_EQ(text("10.9.0.100", 0, 1), "240.64.64.0");
    EXPECT_EQ(text("10.9.0.100", 16383, 255), "240.127.255.255");
    EXPECT_EQ(text("2001:db8::100", 1, 0), "fd62:6173:6375:6c65::1");
    EXPECT_EQ(text("2001:db8::100", 16383, 255), "fd62:6173:6375:6c65::3f:ffff");
    node_.probe_network_v4 = ip("241.128.0.0");
    EXPECT_EQ(text("10.9.0.100", 0x1234, 3), "241.128.210.52");
}

TEST_F(ProbePath, IsMadeAsProbesNeedIt) {
    expect_open();
    const auto features = output("ethtool -k bscp0");
    EXPECT_TRUE(has(features, "tx-checksumming: off")) << features;
    EXPECT_TRUE(has(features, "tx-tcp-segmentation: off")) << features;
    EXPECT_TRUE(has(features, "tx-tcp6-segmentation: off"));
    EXPECT_TRUE(has(features, "generic-segmentation-offload: off"));
    EXPECT_TRUE(has(features, "generic-receive-offload: on"));
    for (const char* end : {"bscp0", "bscp1"}) {
        const auto shown = output(std::string("ip -d link show ") + end);
        EXPECT_TRUE(has(shown, "NOARP") && has(shown, "UP") && has(shown, "veth")) << shown;
        EXPECT_TRUE(has(shown, "addrgenmode none")) << shown;
        EXPECT_TRUE(has(shown, "alias bascule")) << shown;
        EXPECT_EQ(output(std::string("ip addr show scope link dev ") + end + " | grep inet"), "");
    }
    EXPECT_TRUE(has(routes("-4"), "240.64.0.0/10 via 240.64.0.0")) << routes("-4");
    EXPECT_TRUE(has(routes("-4"), "onlink mtu 1280")) << routes("-4");
    EXPECT_TRUE(has(routes("-6"), "fd62:6173:6375:6c65::/96 via")) << routes("-6");
    EXPECT_TRUE(has(output("ip route get 240.99.1.2"), "dev bscp0 src 10.9.0.1"));
    EXPECT_TRUE(has(output("ip -6 route get fd62:6173:6375:6c65::77"), "dev bscp0"));
}

// The kernel's table of neighbours has room for a thousand of a family, of all interfaces.
TEST_F(ProbePath, TwoThousandAddressesAreOneNeighbour) {
    expect_open();
    for (const char* vip : {"10.9.0.100", "2001:db8::100"})
        for (std::uint16_t slot = 1; slot <= 2000; ++slot)
            send_to(probe_address(node_, ip(vip), slot, 7));
    EXPECT_LE(std::stoi(output("ip -4 neigh show nud all dev bscp0 | wc -l")), 1);
    EXPECT_LE(std::stoi(output("ip -6 neigh show nud all dev bscp0 | grep -v '^ff' | wc -l")), 1);
    EXPECT_GE(std::stoi(output("grep bscp1: /proc/net/dev | awk '{print $3}'")), 4000);
}

TEST_F(ProbePath, OpeningItAgainChangesNothing) {
    expect_open();
    const auto index = if_nametoindex("bscp0");
    const auto v4 = routes("-4");
    const auto v6 = routes("-6");
    std::vector<std::string> changes;
    auto watch =
        LinkWatch::open(io_, [&](const LinkChange& change) { changes.push_back(change.name); });
    ASSERT_TRUE(watch);
    ASSERT_TRUE((*watch)->set_names({"bscp0", "bscp1"}));
    expect_open();
    run_for(std::chrono::milliseconds(100));
    EXPECT_TRUE(changes.empty()) << "or whoever opens it on a change would do so for ever";
    EXPECT_EQ(if_nametoindex("bscp0"), index);
    EXPECT_EQ(routes("-4"), v4);
    EXPECT_EQ(routes("-6"), v6);
}

// As one that was killed half way leaves it, or an operator's hand.
TEST_F(ProbePath, APairThatIsHalfSetUpIsMadeRight) {
    run("ip link add bscp0 type veth peer name bscp1");
    expect_open();
    run("ip link set bscp0 down; ethtool -K bscp0 tx on gro off > /dev/null; ip link set bscp0 arp "
        "on");
    EXPECT_EQ(routes("-4"), "");
    expect_open();
    EXPECT_TRUE(has(routes("-4"), "240.64.0.0/10"));
    EXPECT_TRUE(has(routes("-6"), "fd62:6173:6375:6c65::/96"));
    EXPECT_TRUE(has(output("ethtool -k bscp0"), "tx-checksumming: off"));
    EXPECT_TRUE(has(output("ethtool -k bscp0"), "generic-receive-offload: on"));
    EXPECT_TRUE(has(output("ip link show bscp0"), "NOARP,UP"));
}

TEST_F(ProbePath, OtherNetworksMoveTheRoutes) {
    expect_open();
    node_.probe_network_v4 = ip("245.0.0.0");
    node_.probe_network_v6 = ip("fdaa:1:2:3::");
    expect_open();
    EXPECT_TRUE(has(routes("-4"), "245.0.0.0/10")) << routes("-4");
    EXPECT_FALSE(has(routes("-4"), "240.64.0.0"));
    EXPECT_TRUE(has(routes("-6"), "fdaa:1:2:3::/96")) << routes("-6");
    EXPECT_FALSE(has(routes("-6"), "fd62"));
}

TEST_F(ProbePath, ANameOfSomethingElseIsRefused) {
    run("ip link add bscp1 type veth peer name other");
    EXPECT_EQ(refusal(),
              "the way of checks by the VIP: this host has an interface bscp1 that is not one of "
              "the veth pair bscp0–bscp1 of checks by the VIP, which needs both names: rename or "
              "remove it (`ip link del bscp1`)");
    EXPECT_TRUE(remove_probe_path());
    EXPECT_NE(if_nametoindex("bscp1"), 0U) << "not ours to remove";
    run("ip link add bscp0 type veth peer name another");
    EXPECT_TRUE(has(refusal(), "interface bscp0")) << "two ends, but not of one pair";
}

TEST_F(ProbePath, ARouteIntoTheNetworkIsRefusedByItsNameAndNothingIsMade) {
    run("ip route add 240.70.0.0/16 dev eth0");
    EXPECT_EQ(refusal(),
              "the way of checks by the VIP: this host has a route to 240.70.0.0/16 by eth0 (table "
              "254), and checks by the VIP need 240.64.0.0/10 for themselves: give them another "
              "/10 by [node] probe_network_v4");
    EXPECT_EQ(if_nametoindex("bscp0"), 0U);
    run("ip route del 240.70.0.0/16 dev eth0");
    run("ip -6 addr add fd62:6173:6375:6c65::5/128 dev eth0 nodad");
    EXPECT_TRUE(has(refusal(), "route to fd62:6173:6375:6c65::5/128 by eth0")) << refusal();
    EXPECT_TRUE(has(refusal(), "[node] probe_network_v6"));
    node_.probe_network_v6 = ip("fdaa:1:2:3::");
    expect_open();
}

TEST_F(ProbePath, OnlyRoutesThatSayTheNetworkIsInUseAreInTheWay) {
    run("ip route add default via 10.9.0.2");
    run("ip route add 128.0.0.0/1 via 10.9.0.2");
    run("ip route add blackhole 240.0.0.0/4");
    run("ip -6 route add fc00::/7 dev eth0");
    run("ip route add 240.128.0.0/10 dev eth0");
    expect_open();
    run("ip route del blackhole 240.0.0.0/4");
    run("ip route add 240.0.0.0/4 dev eth0 table 77");
    EXPECT_TRUE(has(refusal(), "route to 240.0.0.0/4 by eth0 (table 77)")) << refusal();
    run("ip route flush table 77");
    run("ip -6 route add fd62:6173:6375::/48 dev eth0");
    EXPECT_TRUE(has(refusal(), "route to fd62:6173:6375::/48 by eth0")) << refusal();
}

TEST_F(ProbePath, WithoutIpv6ThereIsIpv4) {
    write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
    expect_open();
    EXPECT_TRUE(has(routes("-4"), "240.64.0.0/10"));
    EXPECT_EQ(routes("-6"), "");
}

TEST_F(ProbePath, Ipv6ThatIsOffForNewInterfacesIsNoObstacle) {
    write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    expect_open();
    EXPECT_TRUE(has(routes("-6"), "fd62:6173:6375:6c65::/96"));
}

TEST_F(ProbePath, RemovingItLeavesNothing) {
    expect_open();
    ASSERT_TRUE(remove_probe_path());
    EXPECT_EQ(if_nametoindex("bscp0"), 0U);
    EXPECT_EQ(if_nametoindex("bscp1"), 0U);
    EXPECT_FALSE(has(output("ip route show table all"), "240.64"));
    EXPECT_TRUE(remove_probe_path()) << "a second time is no error";
}

class ProbeSource : public testing::Namespaces {
protected:
    void SetUp() override {
        Namespaces::SetUp();
        config_.node.interfaces = {"eth0"};
        config_.vips = {vip("10.9.0.100", "eth0"), vip("2001:db8::100", "eth0")};
    }
    static model::VipConfig vip(const char* address, const char* interface) {
        return {ip(address), interface};
    }
    std::string source(const model::VipConfig& of) {
        const auto found = probe_source(config_, of);
        return found ? found->to_string() : "none";
    }

    model::Config config_;
};

TEST_F(ProbeSource, IsThisHostsOwnAddressAndNoVip) {
    run("ip addr add 10.9.0.100/32 dev eth0");
    run("ip -6 addr add 2001:db8::100/128 dev eth0 nodad");
    EXPECT_EQ(source(config_.vips[0]), "10.9.0.1");
    EXPECT_EQ(source(config_.vips[1]), "2001:db8::1") << "never a link-local one";
    run("ip addr del 10.9.0.1/24 dev eth0");
    EXPECT_EQ(source(config_.vips[0]), "none");
}

TEST_F(ProbeSource, PrefersTheVipsInterfaceAndNetwork) {
    run("ip addr add 192.0.2.7/24 dev eth0");
    run("ip addr add 10.9.0.4/24 dev eth0");
    EXPECT_EQ(source(vip("192.0.2.100", "eth0")), "192.0.2.7");
    EXPECT_EQ(source(vip("10.9.0.100", "eth0")), "10.9.0.1") << "the first of its network";
    run("ip link add eth5 type veth peer name eth6 && ip link set eth5 up && ip link set eth6 up");
    EXPECT_EQ(source(vip("192.0.2.100", "eth5")), "192.0.2.7") << "eth5 has none";
    run("ip addr add 198.51.100.1/24 dev eth5");
    EXPECT_EQ(source(vip("192.0.2.100", "eth5")), "198.51.100.1");
    EXPECT_EQ(source(vip("192.0.2.100", "eth0")), "192.0.2.7") << "eth5 is not asked";
}

TEST_F(ProbeSource, AnAddressThatIsAboutToGoIsNotTaken) {
    run("ip -6 addr del 2001:db8::1/64 dev eth0");
    run("ip -6 addr add 2001:db8::9/64 dev eth0 nodad preferred_lft 0");
    EXPECT_EQ(source(config_.vips[1]), "none");
}

}  // namespace
}  // namespace bascule::node
