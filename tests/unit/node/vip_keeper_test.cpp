// SPDX-License-Identifier: Apache-2.0
#include "node/vip_keeper.h"

#include <boost/asio/co_spawn.hpp>

#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using testing::ip;

class Keeper : public testing::Namespaces {
protected:
    void SetUp() override {
        Namespaces::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        auto opened = VipKeeper::open(
            io_, [this](const Address& vip, bool held) { told_.emplace_back(vip, held); });
        ASSERT_TRUE(opened) << opened.error().text();
        keeper_ = std::move(*opened);
    }
    void TearDown() override {
        keeper_.reset();
        Namespaces::TearDown();
    }
    Result<void> check_free(std::vector<model::VipConfig> vips) {
        std::optional<Result<void>> outcome;
        boost::asio::co_spawn(io_, keeper_->check_free(std::move(vips)),
                              [&](std::exception_ptr, Result<void> done) { outcome = done; });
        EXPECT_TRUE(run_until([&] { return outcome.has_value(); }));
        return outcome.value_or(failure("it never ended"));
    }
    static bool is_on(const char* interface) {
        return output("ip addr show dev " + std::string(interface)).find("10.9.0.100/32") !=
               std::string::npos;
    }
    // What the other host takes for the MAC address of the VIP.
    std::string known_mac() {
        std::string text;
        there([&] { text = output("ip neigh show 10.9.0.100 dev eth1"); });
        return text;
    }

    const model::VipConfig vip_{ip("10.9.0.100"), "eth0"};
    std::unique_ptr<VipKeeper> keeper_;
    std::vector<std::pair<Address, bool>> told_;
};

TEST_F(Keeper, TellsWhatIsHeldAndLost) {
    ASSERT_TRUE(keeper_->hold(vip_));
    const std::pair here(vip_.address, true);
    const std::pair gone(vip_.address, false);
    EXPECT_EQ(told_, (std::vector{here}));
    run("ip addr del 10.9.0.100/32 dev eth0");
    EXPECT_TRUE(run_until([&] { return told_.size() == 3; }));
    EXPECT_EQ(told_, (std::vector{here, gone, here})) << "it is set again";
    ASSERT_TRUE(keeper_->release(vip_.address));
    EXPECT_EQ(told_.back(), gone);
}

TEST_F(Keeper, AnAddressThatNobodyHasIsFree) {
    EXPECT_TRUE(check_free({vip_, {ip("2001:db8::100"), "eth0"}}));
    EXPECT_TRUE(check_free({}));
}

TEST_F(Keeper, AnAddressOfAnotherHostIsRefusedWithItsMac) {
    there([] { run("ip addr add 10.9.0.100/24 dev eth1"); });
    const auto free = check_free({{ip("10.9.0.99"), "eth0"}, vip_});
    ASSERT_FALSE(free);
    EXPECT_NE(free.error().text().find(mac_there), std::string::npos) << free.error().text();
    EXPECT_NE(free.error().text().find("VIP 10.9.0.100"), std::string::npos);
}

TEST_F(Keeper, AnInterfaceThatIsNotThereCannotBeAsked) {
    EXPECT_EQ(check_free({{ip("10.9.0.100"), "eth9"}}).error().text(),
              "interface eth9: No such device");
}

// A host answers for its addresses on every interface, so a VIP that moves from one to another of
// the same network would be found taken, by ourselves.
TEST_F(Keeper, AnAddressOfThisHostIsNotAskedForWhateverInterfaceHasIt) {
    run("ip link add up1 type veth peer name up2");
    run("ip link set up1 up");
    run("ip link set up2 up");
    ASSERT_TRUE(keeper_->hold(vip_));
    const auto free = check_free({{vip_.address, "up1"}});
    EXPECT_TRUE(free) << free.error().text();
}

TEST_F(Keeper, WhatAStrangerTakesAwayIsSetAgain) {
    ASSERT_TRUE(keeper_->hold(vip_));
    EXPECT_TRUE(is_on("eth0"));
    run("ip addr del 10.9.0.100/32 dev eth0");
    ASSERT_TRUE(run_until([&] { return keeper_->restored() == 1; }));
    EXPECT_TRUE(is_on("eth0"));
    EXPECT_TRUE(keeper_->status().at(vip_.address).held);
}

TEST_F(Keeper, WhatIsReleasedStaysAway) {
    ASSERT_TRUE(keeper_->hold(vip_));
    ASSERT_TRUE(keeper_->release(vip_.address));
    run_for(std::chrono::milliseconds(300));
    EXPECT_FALSE(is_on("eth0"));
    EXPECT_TRUE(keeper_->status().empty());
    EXPECT_TRUE(keeper_->release(vip_.address)) << "again is well";
}

TEST_F(Keeper, WhatTheKernelRefusesIsToldAndTriedAgain) {
    run("ip link add up1 type veth peer name up2");
    run("ip addr add 10.9.0.100/32 dev up1");
    keeper_->keep(vip_);
    EXPECT_FALSE(keeper_->status().at(vip_.address).held);
    EXPECT_NE(keeper_->status().at(vip_.address).problem.find("is already on up1"),
              std::string::npos);
    run("ip link del up1");
    ASSERT_TRUE(run_until([&] { return keeper_->status().at(vip_.address).held; }));
    EXPECT_TRUE(is_on("eth0"));
    EXPECT_EQ(keeper_->status().at(vip_.address).problem, "");
}

TEST_F(Keeper, AReleaseEndsTheAttempts) {
    run("ip link add up1 type veth peer name up2");
    run("ip addr add 10.9.0.100/32 dev up1");
    keeper_->keep(vip_);
    ASSERT_TRUE(keeper_->release(vip_.address));
    run("ip link del up1");
    run_for(std::chrono::seconds(6));
    EXPECT_FALSE(is_on("eth0"));
}

TEST_F(Keeper, ANewMacAddressIsAnnounced) {
    ASSERT_TRUE(keeper_->hold(vip_));
    there([] { run("bash -c 'echo > /dev/udp/10.9.0.100/9'"); });
    ASSERT_TRUE(run_until([&] { return known_mac().find(mac_here) != std::string::npos; }));
    run_for(std::chrono::milliseconds(1500));  // the kernel takes no two changes at once
    run("ip link set eth0 address 02:00:00:00:00:77");
    keeper_->announce_on("eth9");
    EXPECT_EQ(known_mac().find("02:00:00:00:00:77"), std::string::npos);
    keeper_->announce_on("eth0");
    // Sooner than hold() repeats itself anyway.
    EXPECT_TRUE(
        run_until([&] { return known_mac().find("02:00:00:00:00:77") != std::string::npos; },
                  std::chrono::seconds(2)));
}

TEST_F(Keeper, AnInterfaceThatWasMadeAnewGetsItsAddressesBack) {
    ASSERT_TRUE(keeper_->hold(vip_));
    run("ip link del eth0");
    run("ip link add eth0 type veth peer name other");
    run("ip link set eth0 up");
    keeper_->keep_on("eth0");
    EXPECT_TRUE(is_on("eth0"));
}

TEST_F(Keeper, AddressesOfAnEarlierDaemonAreFoundAndReleased) {
    ASSERT_TRUE(keeper_->hold(vip_));
    ASSERT_TRUE(keeper_->hold({ip("10.9.0.101"), "eth0"}));
    run("ip addr add 10.9.0.102/32 dev eth0");
    keeper_.reset();
    const auto released =
        VipKeeper::release_others([&](const Address& one) { return one == vip_.address; });
    ASSERT_TRUE(released) << released.error().text();
    EXPECT_EQ(*released, std::vector<std::string>{"10.9.0.101"});
    EXPECT_TRUE(is_on("eth0"));
    EXPECT_NE(output("ip addr show dev eth0").find("10.9.0.102"), std::string::npos)
        << "a stranger's stays";
}

}  // namespace
}  // namespace bascule::node
