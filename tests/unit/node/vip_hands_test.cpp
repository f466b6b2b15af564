// SPDX-License-Identifier: Apache-2.0
#include "node/vip_hands.h"

#include "node/vip_keeper.h"
#include "tests/unit/node/vip_hands_world.h"

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using testing::ip;

class Hands : public testing::HandsWorld {
protected:
    // Addresses that left any interface since this was made.
    struct Leaving {
        explicit Leaving(boost::asio::io_context& io) {
            events =
                NetlinkEvents::open(
                    io, {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR},
                    [this](const nlmsghdr& header) { count += header.nlmsg_type == RTM_DELADDR; },
                    [] { FAIL() << "events were lost"; })
                    .value();
        }
        int count = 0;
        std::unique_ptr<NetlinkEvents> events;
    };
};

TEST_F(Hands, AreAsDutiesSayAndAnswer) {
    set(What::held, 7);
    for (const Address& vip : {vip4_, vip6_}) {
        EXPECT_TRUE(here(vip));
        EXPECT_EQ(holding(vip), (sync::VipHolding{sync::vip_id(vip), 7, true, ""}))
            << "at once, and with the epoch";
        EXPECT_EQ(shown(vip).find("valid_lft forever"), std::string::npos) << shown(vip);
    }
    EXPECT_NE(shown(vip4_).find("scope host"), std::string::npos) << shown(vip4_);
    EXPECT_NE(shown(vip6_).find("preferred_lft 0sec"), std::string::npos) << shown(vip6_);

    set(What::lingering, 7);
    EXPECT_TRUE(here(vip4_) && here(vip6_));
    EXPECT_TRUE(holding(vip4_).here);

    set(What::absent, 7);
    for (const Address& vip : {vip4_, vip6_}) {
        EXPECT_FALSE(here(vip));
        EXPECT_EQ(holding(vip), (sync::VipHolding{sync::vip_id(vip), 7, false, ""}));
    }
}

TEST_F(Hands, BeforeTheFirstDutiesNothingIsTouched) {
    hands_.reset();
    auto earlier = VipAddresses::open(io_, [](const VipLost&) {}).value();
    ASSERT_TRUE(earlier->add(vip4_, "eth0", 60s));
    hands_ = make();
    run_for(1500ms);
    EXPECT_TRUE(here(vip4_));
    EXPECT_FALSE(here(vip6_));
    EXPECT_TRUE(holdings_.empty());
    // Nor what duties say nothing of.
    hands_->set_duties({duty(vip6_, What::held)});
    EXPECT_TRUE(here(vip4_));
    EXPECT_EQ(holdings_.size(), 1U);
}

TEST_F(Hands, WhatAnEarlierRunLeftIsAdoptedWithoutAGap) {
    set(What::held, 3);
    hands_.reset();
    ASSERT_TRUE(here(vip4_) && here(vip6_)) << "left in place";
    Leaving leaving(io_);
    hands_ = make();
    run_for(100ms);
    set(What::held, 4);
    EXPECT_TRUE(holding(vip4_).here);
    EXPECT_EQ(holding(vip6_).epoch, 4U);
    run_for(4500ms);  // longer than the lease that was left
    EXPECT_TRUE(here(vip4_) && here(vip6_)) << "and renewed";
    EXPECT_EQ(leaving.count, 0);
    EXPECT_EQ(reported(vip4_).restored, 0U);
}

TEST_F(Hands, WhatAnEarlierRunLeftIsRemovedAtOnceWhereItShouldNotBe) {
    set(What::held, 3);
    hands_.reset();
    hands_ = make();
    set(What::absent, 3);
    EXPECT_FALSE(here(vip4_) || here(vip6_));
}

TEST_F(Hands, TheLeaseEndsByItselfWhenTheyAreGone) {
    set(What::held);
    hands_.reset();
    EXPECT_TRUE(here(vip4_) && here(vip6_));
    EXPECT_TRUE(run_until([&] { return !here(vip4_) && !here(vip6_); }));
}

TEST_F(Hands, LingeringIsRenewedAndNotAnnounced) {
    set(What::held);
    EXPECT_TRUE(hears(vip4_, 2));
    set(What::lingering);
    heard(vip4_);
    heard(vip6_);
    run_for(4500ms);
    EXPECT_TRUE(here(vip4_) && here(vip6_));
    EXPECT_EQ(heard(vip4_), 0);
    EXPECT_EQ(heard(vip6_), 0);
}

TEST_F(Hands, WhoPartsLeavesALongLease) {
    auto parting = duty(vip4_, What::held);
    hands_->set_duties({parting});
    parting.parting = true;
    hands_->set_duties({parting});
    run_for(1200ms);  // and a renewal
    const std::string text = shown(vip4_);
    const auto at = text.find("valid_lft ");
    ASSERT_NE(at, std::string::npos) << text;
    EXPECT_GT(std::stoi(text.substr(at + 10)), vip_lease.count()) << text;
    parting.parting = false;
    hands_->set_duties({parting});
    const std::string again = shown(vip4_);
    EXPECT_LE(std::stoi(again.substr(again.find("valid_lft ") + 10)), 3) << again;
}

TEST_F(Hands, AnnounceInARowThatBeginsAnewWhenItIsWanted) {
    set(What::held, 1);
    // At once and after 10, 50 and 200 ms; what else comes in 20 s makes 14 frames.
    EXPECT_TRUE(hears(vip4_, 8));
    set(What::held, 1, 1);
    EXPECT_TRUE(hears(vip4_, 8)) << "another announcement is wanted";
    set(What::held, 2, 1);
    EXPECT_TRUE(hears(vip4_, 8)) << "another taking";
    hands_->look_at("eth9");
    hands_->look_at("eth0");
    EXPECT_TRUE(hears(vip4_, 8)) << "another MAC address, perhaps";
    heard(vip6_);
    set(What::held, 2, 2);
    EXPECT_TRUE(hears(vip6_, 4));
    run_for(100ms);
    EXPECT_GE(reported(vip4_).announced, 40U);
    EXPECT_GE(reported(vip6_).announced, 16U);
}

TEST_F(Hands, TheSameDutiesAgainChangeNothing) {
    set(What::held, 1);
    run_for(400ms);
    heard(vip4_);
    for (int i = 0; i < 10; ++i)
        set(What::held, 1);
    EXPECT_EQ(heard(vip4_), 0);
}

TEST_F(Hands, AnotherMacAddressIsAnnounced) {
    set(What::held);
    run_for(2100ms);
    heard(vip4_);
    run("ip link set eth0 address 02:00:00:00:00:77");
    EXPECT_TRUE(hears(vip4_, 8));
}

TEST_F(Hands, AVipThatIsConfiguredNoMoreGoesAtOnce) {
    set(What::held);
    hands_->set_vips({vips_[1]});
    EXPECT_FALSE(here(vip4_));
    EXPECT_TRUE(here(vip6_));
    EXPECT_EQ(holdings_.size(), 1U);
    heard(vip4_);
    run_for(300ms);
    EXPECT_EQ(heard(vip4_), 0);
    hands_->set_vips(vips_);
    EXPECT_TRUE(here(vip4_)) << "the duty still says so";
}

TEST_F(Hands, AVipOnAnotherInterfaceMovesAtOnce) {
    run("ip link add eth7 type bridge");
    run("ip link set eth7 up");
    set(What::held);
    auto vips = vips_;
    vips[0].interface = "eth7";
    hands_->set_vips(vips);
    EXPECT_FALSE(here(vip4_));
    EXPECT_TRUE(here(vip4_, "eth7"));
    EXPECT_TRUE(holding(vip4_).here);
    vips[0].priority["lb2"] = 90;  // is no reason to touch it
    Leaving leaving(io_);
    hands_->set_vips(vips);
    run_for(100ms);
    EXPECT_EQ(leaving.count, 0);
}

TEST_F(Hands, DutiesMayComeBeforeTheirVip) {
    const Address vip = ip("10.9.0.101");
    hands_->set_duties({duty(vip, What::held, 5)});
    EXPECT_TRUE(holdings_.empty());
    auto vips = vips_;
    vips.push_back({vip, "eth0", {}});
    hands_->set_vips(vips);
    EXPECT_TRUE(here(vip));
    EXPECT_EQ(holding(vip).epoch, 5U);
}

TEST_F(Hands, WhatIsSaidNoMoreOfIsLeftToItsLease) {
    set(What::held);
    hands_->set_duties({duty(vip6_, What::held)});
    EXPECT_TRUE(here(vip4_));
    EXPECT_EQ(holdings_.size(), 1U);
    EXPECT_TRUE(run_until([&] { return !here(vip4_); }));
    EXPECT_TRUE(here(vip6_));
}

// From a node by itself to a cluster without a gap, and back.
TEST_F(Hands, TakeOverFromASingleNodesKeeperAndGiveBack) {
    hands_.reset();
    auto keeper = VipKeeper::open(io_).value();
    ASSERT_TRUE(keeper->hold(vips_[0]));
    ASSERT_NE(shown(vip4_).find("valid_lft forever"), std::string::npos);
    Leaving leaving(io_);
    keeper->leave();
    EXPECT_TRUE(keeper->status().empty());
    hands_ = make();
    hands_->set_duties({duty(vip4_, What::held)});
    EXPECT_EQ(shown(vip4_).find("valid_lft forever"), std::string::npos);
    run_for(200ms);
    hands_.reset();
    ASSERT_TRUE(keeper->hold(vips_[0]));
    EXPECT_NE(shown(vip4_).find("valid_lft forever"), std::string::npos);
    run_for(100ms);
    EXPECT_EQ(leaving.count, 0);
    EXPECT_EQ(keeper->restored(), 0U);
}

}  // namespace
}  // namespace bascule::node
