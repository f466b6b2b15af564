// SPDX-License-Identifier: Apache-2.0
#include "node/vip.h"

#include <algorithm>

#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using testing::ip;

class Vip : public testing::Namespaces {
protected:
    void SetUp() override {
        Namespaces::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        vips_ = open();
    }
    void TearDown() override {
        vips_.reset();
        Namespaces::TearDown();
    }
    std::unique_ptr<VipAddresses> open() {
        return VipAddresses::open(io_, [this](const VipLost& lost) { lost_.push_back(lost); })
            .value();
    }
    std::optional<HostAddress> on_eth0(const Address& address) {
        const auto addresses = vips_->list("eth0").value();
        const auto found = std::find_if(addresses.begin(), addresses.end(),
                                        [&](const HostAddress& a) { return a.address == address; });
        return found == addresses.end() ? std::nullopt : std::optional(*found);
    }

    const Address vip4_ = ip("10.9.0.100");
    const Address vip6_ = ip("2001:db8::100");
    std::vector<VipLost> lost_;
    std::unique_ptr<VipAddresses> vips_;
};

TEST_F(Vip, IsAddedAdoptedAndRemoved) {
    for (const Address& vip : {vip4_, vip6_}) {
        const std::uint8_t prefix = vip.is_v4() ? 32 : 128;
        EXPECT_EQ(vips_->add(vip, "eth0"), VipOutcome::added);
        EXPECT_EQ(on_eth0(vip), (HostAddress{vip, prefix, if_nametoindex("eth0"), true}));
        EXPECT_EQ(vips_->add(vip, "eth0"), VipOutcome::adopted);
        // As a daemon that starts again would.
        EXPECT_EQ(open()->add(vip, "eth0"), VipOutcome::adopted);
        EXPECT_EQ(vips_->remove(vip, "eth0"), true);
        EXPECT_EQ(on_eth0(vip), std::nullopt);
        EXPECT_EQ(vips_->remove(vip, "eth0"), false);
    }
}

TEST_F(Vip, Ipv6IsUsableAtOnceAndDeprecated) {
    ASSERT_TRUE(vips_->add(vip6_, "eth0"));
    const std::string shown = output("ip -6 addr show dev eth0 to 2001:db8::100");
    EXPECT_NE(shown.find("deprecated"), std::string::npos) << shown;
    EXPECT_NE(shown.find("preferred_lft 0sec"), std::string::npos) << shown;
    EXPECT_EQ(shown.find("tentative"), std::string::npos) << shown;
    EXPECT_EQ(output("ip -6 route show 2001:db8::100"), "");
}

TEST_F(Vip, IsNeverTheSourceOfTheNodesOwnTraffic) {
    ASSERT_TRUE(vips_->add(vip4_, "eth0"));
    ASSERT_TRUE(vips_->add(vip6_, "eth0"));
    // The node's own addresses come after the VIPs, as at a boot that is slow to configure them.
    run("ip addr del 10.9.0.1/24 dev eth0");
    run("ip addr del 2001:db8::1/64 dev eth0");
    run("ip addr add 10.9.0.1/24 dev eth0");
    run("ip addr add 2001:db8::1/64 dev eth0 nodad");
    run("ip route add 198.51.100.0/24 dev eth0");  // names no source
    run("ip -6 route add 2001:db8:5::/64 dev eth0");
    for (const char* to : {"10.9.0.2", "198.51.100.7"}) {
        const std::string route = output(std::string("ip route get ") + to);
        EXPECT_NE(route.find("src 10.9.0.1 "), std::string::npos) << route;
    }
    for (const char* to : {"2001:db8::2", "2001:db8:5::7"}) {
        const std::string route = output(std::string("ip -6 route get ") + to);
        EXPECT_NE(route.find("src 2001:db8::1 "), std::string::npos) << route;
    }
}

TEST_F(Vip, IsFoundOnTheWire) {
    ASSERT_TRUE(vips_->add(vip4_, "eth0"));
    ASSERT_TRUE(vips_->add(vip6_, "eth0"));
    for (const std::string vip : {"10.9.0.100", "2001:db8::100"}) {
        std::string entry;
        EXPECT_TRUE(run_until([&] {
            there([&] {
                run("bash -c 'echo > /dev/udp/" + vip + "/9'");
                entry = output("ip neigh show " + vip);
            });
            return entry.find(mac_here) != std::string::npos;
        })) << entry;
    }
}

TEST_F(Vip, SetBySomeoneElseIsFound) {
    run("ip addr add 10.9.0.100/32 dev eth0");
    EXPECT_EQ(vips_->add(vip4_, "eth0"), VipOutcome::found);
    EXPECT_FALSE(on_eth0(vip4_)->ours);
}

TEST_F(Vip, TheHostsOwnAddressIsRefused) {
    EXPECT_EQ(vips_->add(ip("10.9.0.1"), "eth0").error().text(),
              "set 10.9.0.1 on eth0: is there already as /24, an address of this host's own");
    EXPECT_EQ(vips_->add(ip("2001:db8::1"), "eth0").error().text(),
              "set 2001:db8::1 on eth0: is there already as /64, an address of this host's own");
    // Nor is it taken away by mistake.
    EXPECT_EQ(vips_->remove(ip("10.9.0.1"), "eth0"), false);
    EXPECT_TRUE(on_eth0(ip("10.9.0.1")));
}

TEST_F(Vip, OnAnotherInterfaceIsAnErrorThatNamesIt) {
    run("ip link add eth7 type bridge");
    ASSERT_TRUE(vips_->add(vip4_, "eth7"));
    EXPECT_EQ(vips_->add(vip4_, "eth0").error().text(),
              "set 10.9.0.100 on eth0: is already on eth7");
    EXPECT_EQ(vips_->add(vip4_, "eth9").error().text(),
              "set 10.9.0.100 on eth9: interface eth9: No such device");
    EXPECT_EQ(vips_->remove(vip4_, "eth9"), false);
}

TEST_F(Vip, TheKernelsReasonIsInTheError) {
    write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1");
    const auto outcome = vips_->add(vip6_, "eth0");
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().text().find("set 2001:db8::100 on eth0: "), 0)
        << outcome.error().text();
    EXPECT_NE(outcome.error().text().find("IPv6 is disabled"), std::string::npos)
        << outcome.error().text();
}

TEST_F(Vip, RemovalBySomeoneElseIsReported) {
    for (const Address& vip : {vip4_, vip6_})
        ASSERT_TRUE(vips_->add(vip, "eth0"));
    run("ip addr del 10.9.0.100/32 dev eth0");
    run("ip addr del 2001:db8::100/128 dev eth0");
    ASSERT_TRUE(run_until([&] { return lost_.size() == 2; }));
    EXPECT_EQ(lost_[0].address, vip4_);
    EXPECT_EQ(lost_[0].interface, "eth0");
    EXPECT_EQ(lost_[1].address, vip6_);
    EXPECT_EQ(vips_->add(vip4_, "eth0"), VipOutcome::added);
}

TEST_F(Vip, OurOwnRemovalAndReturnIsNoLoss) {
    ASSERT_TRUE(vips_->add(vip4_, "eth0"));
    ASSERT_TRUE(vips_->remove(vip4_, "eth0"));
    ASSERT_TRUE(vips_->add(vip4_, "eth0"));  // before the event of the removal is read
    ASSERT_TRUE(vips_->add(vip6_, "eth0"));
    vips_->forget(vip6_);
    run("ip addr del 2001:db8::100/128 dev eth0");
    run_for(std::chrono::milliseconds(200));
    EXPECT_TRUE(lost_.empty());
}

TEST_F(Vip, AnInterfaceThatGoesDownTakesIpv6VipsWithIt) {
    for (const Address& vip : {vip4_, vip6_})
        ASSERT_TRUE(vips_->add(vip, "eth0"));
    run("ip link set eth0 down");
    ASSERT_TRUE(run_until([&] { return !lost_.empty(); }));
    EXPECT_EQ(lost_[0].address, vip6_);
    EXPECT_EQ(vips_->add(vip6_, "eth0"), VipOutcome::added);
    run("ip link set eth0 up");
    run_for(std::chrono::milliseconds(200));
    EXPECT_TRUE(on_eth0(vip6_));
    EXPECT_EQ(lost_.size(), 1);
}

TEST_F(Vip, ADeletedInterfaceTakesAllVipsWithIt) {
    for (const Address& vip : {vip4_, vip6_})
        ASSERT_TRUE(vips_->add(vip, "eth0"));
    run("ip link del eth0");
    EXPECT_TRUE(run_until([&] { return lost_.size() == 2; }));
}

TEST_F(Vip, ALeaseEndsByItselfUnlessItIsRenewed) {
    const std::chrono::seconds lease(2);
    const Address kept4 = ip("10.9.0.101");
    const Address kept6 = ip("2001:db8::101");
    for (const Address& vip : {vip4_, vip6_, kept4, kept6})
        ASSERT_EQ(vips_->add(vip, "eth0", lease), VipOutcome::added);
    const auto renew = [&] {
        EXPECT_TRUE(vips_->renew(kept4, lease));
        EXPECT_TRUE(vips_->renew(kept6, lease));
        return lost_.size() == 2;
    };
    EXPECT_TRUE(run_until(renew));
    EXPECT_FALSE(on_eth0(vip4_));
    EXPECT_FALSE(on_eth0(vip6_));
    EXPECT_TRUE(on_eth0(kept4)) << "older than the others, but renewed";
    EXPECT_TRUE(on_eth0(kept6));
    const std::string shown = output("ip -6 addr show dev eth0 to 2001:db8::101");
    EXPECT_NE(shown.find("deprecated"), std::string::npos)
        << "a renewal changes nothing: " << shown;
    EXPECT_EQ(shown.find("tentative"), std::string::npos) << shown;
}

TEST_F(Vip, WhatIsLostCannotBeRenewed) {
    EXPECT_EQ(vips_->renew(vip4_, std::chrono::seconds(3)).error().text(),
              "renew 10.9.0.100: is not here any more");
    ASSERT_TRUE(vips_->add(vip4_, "eth0", std::chrono::seconds(3)));
    run("ip link del eth0");
    EXPECT_EQ(vips_->renew(vip4_, std::chrono::seconds(3))
                  .error()
                  .text()
                  .find("renew 10.9.0.100 on eth0: No such device"),
              0);
}

// An expiring address takes those with it that are secondary to it, unless promote_secondaries is
// set. A /32 has none, and is none.
TEST_F(Vip, AnExpiringVipTakesNothingWithIt) {
    write("/proc/sys/net/ipv4/conf/all/promote_secondaries", "0");
    for (const bool promote : {false, true})
        for (const bool vip_first : {false, true}) {
            const std::string name = "br" + std::to_string(promote) + std::to_string(vip_first);
            const std::string net = std::to_string(10 + 2 * promote + vip_first);
            const auto own = [&] {
                run("ip addr add 10." + net + ".0.1/24 dev " + name);
                run("ip addr add 2001:db8:" + net + "::1/64 dev " + name + " nodad");
            };
            run("ip link add " + name + " type bridge");
            run("ip link set " + name + " up");
            write("/proc/sys/net/ipv4/conf/" + name + "/promote_secondaries", promote ? "1" : "0");
            if (!vip_first) own();
            const std::chrono::seconds lease(2);
            ASSERT_TRUE(vips_->add(ip(("10." + net + ".0.100").c_str()), name, lease));
            ASSERT_TRUE(vips_->add(ip(("2001:db8:" + net + "::100").c_str()), name, lease));
            if (vip_first) own();
        }
    ASSERT_TRUE(run_until([&] { return lost_.size() == 8; }));
    for (const std::string name : {"br00", "br01", "br10", "br11"}) {
        const std::string shown = output("ip addr show dev " + name);
        EXPECT_NE(shown.find(".0.1/24"), std::string::npos) << shown;
        EXPECT_NE(shown.find("::1/64"), std::string::npos) << shown;
        EXPECT_EQ(shown.find("::100/128"), std::string::npos) << shown;
        const std::string routes = output("ip route show dev " + name);
        EXPECT_NE(routes.find(".0.0/24"), std::string::npos) << routes;
    }
}

TEST_F(Vip, AdoptingSetsTheLeaseThatIsWantedNow) {
    const auto valid = [&](const Address& vip) {
        return output("ip addr show dev eth0 to " + vip.to_string()).find("valid_lft forever") !=
               std::string::npos;
    };
    for (const Address& vip : {vip4_, vip6_}) {
        ASSERT_EQ(vips_->add(vip, "eth0"), VipOutcome::added);
        EXPECT_TRUE(valid(vip));
        EXPECT_EQ(open()->add(vip, "eth0", std::chrono::seconds(60)), VipOutcome::adopted);
        EXPECT_FALSE(valid(vip)) << "a node by itself has joined a cluster";
        EXPECT_EQ(open()->add(vip, "eth0"), VipOutcome::adopted);
        EXPECT_TRUE(valid(vip)) << "and has left it";
    }
    EXPECT_TRUE(lost_.empty());
}

TEST_F(Vip, WithALeaseAStrangersIsRefusedAndLeftAlone) {
    run("ip addr add 10.9.0.100/32 dev eth0");
    EXPECT_EQ(vips_->add(vip4_, "eth0", std::chrono::seconds(3)).error().text(),
              "set 10.9.0.100 on eth0: is there already, and not by us: take it away first (ip "
              "addr del 10.9.0.100/32 dev eth0), or choose another VIP if this host lives by it");
    const auto removal = vips_->remove_ours(vip4_);
    ASSERT_TRUE(removal);
    EXPECT_FALSE(removal->removed);
    EXPECT_EQ(removal->left_on, "eth0");
    EXPECT_TRUE(on_eth0(vip4_));
}

TEST_F(Vip, WithALeaseOneOfOursIsMovedFromAnotherInterface) {
    run("ip link add eth7 type bridge");
    ASSERT_TRUE(open()->add(vip4_, "eth7"));
    EXPECT_EQ(vips_->add(vip4_, "eth0", std::chrono::seconds(3)), VipOutcome::added);
    EXPECT_EQ(output("ip addr show dev eth7 to 10.9.0.100"), "");
    EXPECT_TRUE(on_eth0(vip4_));
    const auto removal = vips_->remove_ours(vip4_);
    ASSERT_TRUE(removal);
    EXPECT_TRUE(removal->removed);
    EXPECT_EQ(removal->left_on, "");
    EXPECT_FALSE(on_eth0(vip4_));
}

}  // namespace
}  // namespace bascule::node
