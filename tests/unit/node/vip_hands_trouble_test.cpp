// SPDX-License-Identifier: Apache-2.0
// What strangers, the kernel and a paused machine do to a VIP.
#include "tests/unit/node/vip_hands_world.h"

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using testing::ip;

class HandsTrouble : public testing::HandsWorld {};

TEST_F(HandsTrouble, WhatAStrangerTakesAwayIsSetAgainAndCounted) {
    set(What::held);
    for (const Address& vip : {vip4_, vip6_}) {
        take_away(vip);
        ASSERT_TRUE(run_until([&] { return reported(vip).restored == 1; }));
        EXPECT_TRUE(here(vip));
        EXPECT_TRUE(holding(vip).here);
    }
    heard(vip4_);
    run("ip -4 addr flush dev eth0");
    ASSERT_TRUE(run_until([&] { return reported(vip4_).restored == 2; }));
    EXPECT_TRUE(here(vip4_));
    EXPECT_TRUE(hears(vip4_, 2)) << "and announced";
}

TEST_F(HandsTrouble, NobodyHearsOfAGapThatWasMendedAtOnce) {
    set(What::held);
    bool gone = false;
    take_away(vip4_);
    EXPECT_TRUE(run_until([&] {
        gone |= !holding(vip4_).here;
        return reported(vip4_).restored == 1;
    }));
    EXPECT_FALSE(gone);
}

TEST_F(HandsTrouble, WhoTakesItAwayAgainAndAgainIsAProblemForAPeerToSolve) {
    set(What::held);
    int taken = 0;
    ASSERT_TRUE(run_until([&] {
        if (here(vip4_)) {
            take_away(vip4_);
            ++taken;
        }
        return !holding(vip4_).problem.empty();
    }));
    EXPECT_EQ(taken, 11);
    EXPECT_FALSE(holding(vip4_).here);
    EXPECT_EQ(holding(vip4_).problem,
              "VIP 10.9.0.100 was taken away from eth0 11 times within 10 s, and not by us; who "
              "else on this host manages its addresses?");
    set(What::absent);
    set(What::held, 2);
    EXPECT_FALSE(holding(vip4_).here) << "another taking is no way around that";
    EXPECT_TRUE(holding(vip6_).here) << "nor does it touch another VIP";
    ASSERT_TRUE(run_until([&] { return holding(vip4_).here; })) << "later it is tried again";
    EXPECT_TRUE(here(vip4_));
}

TEST_F(HandsTrouble, WhatIsNotHeldIsNotRestored) {
    set(What::held);
    set(What::lingering);
    take_away(vip4_);
    EXPECT_TRUE(run_until([&] { return !holding(vip4_).here; }));
    run_for(1500ms);
    EXPECT_FALSE(here(vip4_));
}

TEST_F(HandsTrouble, TheHostsOwnAddressIsAnErrorAndIsLeftAlone) {
    hands_->set_vips({{ip("10.9.0.1"), "eth0", {}}});
    hands_->set_duties({duty(ip("10.9.0.1"), What::held, 4)});
    EXPECT_EQ(holding(ip("10.9.0.1")),
              (sync::VipHolding{sync::vip_id(ip("10.9.0.1")), 4, false,
                                "set 10.9.0.1 on eth0: is there already as /24, an address of "
                                "this host's own"}));
    hands_->set_duties({duty(ip("10.9.0.1"), What::absent, 4)});
    EXPECT_TRUE(here(ip("10.9.0.1")));
    EXPECT_EQ(holding(ip("10.9.0.1")).problem, "");
    run_for(100ms);
    EXPECT_NE(reported(ip("10.9.0.1")).problem.find("is on eth0, and not by us"),
              std::string::npos);
}

TEST_F(HandsTrouble, AStrangersVipIsAProblemUntilItIsGone) {
    run("ip addr add 10.9.0.100/32 dev eth0");
    set(What::held);
    EXPECT_FALSE(holding(vip4_).here);
    EXPECT_NE(holding(vip4_).problem.find("not by us: take it away first (ip addr del"),
              std::string::npos)
        << holding(vip4_).problem;
    set(What::absent);
    EXPECT_TRUE(here(vip4_)) << "it is not ours to take away";
    set(What::held, 2);
    take_away(vip4_);
    EXPECT_TRUE(run_until([&] { return holding(vip4_).here; })) << "tried again by itself";
    EXPECT_EQ(reported(vip4_).restored, 0U);
}

TEST_F(HandsTrouble, AnInterfaceThatIsGoneIsAProblemAtOnceAndIsSetUpWhenItIsBack) {
    set(What::held);
    run("ip link del eth0");
    ASSERT_TRUE(run_until([&] { return !holding(vip4_).here && !holding(vip6_).here; }));
    EXPECT_NE(holding(vip4_).problem.find("eth0"), std::string::npos) << holding(vip4_).problem;
    run("ip link add eth0 type veth peer name other");
    run("ip link set eth0 up");
    ASSERT_TRUE(run_until([&] { return holding(vip4_).here && holding(vip6_).here; }));
    EXPECT_TRUE(here(vip4_));
}

TEST_F(HandsTrouble, AnInterfaceThatIsRenamedIsAProblemAtOnce) {
    set(What::held);
    run("ip link set eth0 down");
    run("ip link set eth0 name lan0");
    run("ip link set lan0 up");
    ASSERT_TRUE(run_until([&] { return !holding(vip4_).here && !holding(vip6_).here; }));
    EXPECT_NE(holding(vip4_).problem.find("eth0"), std::string::npos) << holding(vip4_).problem;
    set(What::absent);
    EXPECT_FALSE(here(vip4_, "lan0")) << "wherever it is now";
    set(What::held, 2);
    EXPECT_NE(holding(vip4_).problem, "");
    run("ip link set lan0 down");
    run("ip link set lan0 name eth0");
    run("ip link set eth0 up");
    EXPECT_TRUE(run_until([&] { return holding(vip4_).here && holding(vip6_).here; }));
}

TEST_F(HandsTrouble, AnInterfaceThatWasNeverThereIsAProblem) {
    hands_->set_vips({{vip4_, "eth9", {}}});
    set(What::held);
    EXPECT_EQ(holding(vip4_).problem, "set 10.9.0.100 on eth9: interface eth9: No such device");
    run("ip link add eth9 type bridge");
    EXPECT_TRUE(run_until([&] { return holding(vip4_).here; }));
}

TEST_F(HandsTrouble, WhatTheKernelRefusesSaysWhyAndIsTriedAgain) {
    write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1");
    set(What::held);
    EXPECT_NE(holding(vip6_).problem.find("IPv6 is disabled"), std::string::npos)
        << holding(vip6_).problem;
    EXPECT_TRUE(holding(vip4_).here);
    write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "0");
    EXPECT_TRUE(run_until([&] { return holding(vip6_).here; }));
}

TEST_F(HandsTrouble, ARivalIsAnsweredAndReported) {
    set(What::held);
    run_for(2200ms);  // the next of the row comes after 5 s
    heard(vip4_);
    const Mac rival = *Mac::parse("02:00:00:00:00:99");
    const Mac own = *Mac::parse(mac_here);
    rivals_ = {{vip4_, "eth0", own, 5, {}}};
    run_for(200ms);
    EXPECT_EQ(heard(vip4_), 0) << "this host itself";
    rivals_ = {{vip4_, "eth0", rival, 5, {}}, {ip("10.9.0.50"), "eth0", rival, 1, {}}};
    ASSERT_TRUE(run_until([&] { return !report_.rivals.empty(); }));
    EXPECT_EQ(heard(vip4_), 2);
    ASSERT_EQ(report_.rivals.size(), 1U);
    EXPECT_EQ(report_.rivals[0].mac, rival);
    EXPECT_EQ(report_.rivals[0].count, 5U);
    set(What::absent);
    rivals_ = {{vip4_, "eth0", rival, 5, {}}};
    run_for(200ms);
    EXPECT_TRUE(report_.rivals.empty()) << "no rival of what is not held";
}

// Who slept may have been replaced, and must not draw the traffic back.
TEST_F(HandsTrouble, WhoWakesFirstListensForTheWordToLetGo) {
    hands_ = make(VipHands::usual_nap);
    set(What::held);
    ASSERT_TRUE(run_until([&] { return holding(vip4_).here && holding(vip6_).here; }));
    EXPECT_TRUE(hears(vip4_, 2));
    usleep(4'600'000);  // longer than the lease, and the row of announcements goes on
    ASSERT_FALSE(here(vip4_) || here(vip6_));
    heard(vip4_);
    heard(vip6_);
    io_.restart();
    io_.poll();
    EXPECT_FALSE(here(vip4_) || here(vip6_));
    set(What::absent);
    run_for(600ms);
    EXPECT_FALSE(here(vip4_) || here(vip6_));
    EXPECT_EQ(heard(vip4_) + heard(vip6_), 0);
}

TEST_F(HandsTrouble, WhoWakesAndIsNotToldToLetGoGoesOn) {
    hands_ = make(VipHands::usual_nap);
    set(What::held);
    ASSERT_TRUE(run_until([&] { return holding(vip4_).here && holding(vip6_).here; }));
    usleep(4'600'000);
    ASSERT_FALSE(here(vip4_) || here(vip6_));
    heard(vip4_);
    EXPECT_TRUE(run_until([&] { return here(vip4_) && here(vip6_); }));
    EXPECT_TRUE(hears(vip4_, 8));
    EXPECT_EQ(reported(vip4_).restored, 0U) << "it was no stranger's doing";
}

}  // namespace
}  // namespace bascule::node
