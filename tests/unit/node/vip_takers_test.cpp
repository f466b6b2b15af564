// SPDX-License-Identifier: Apache-2.0
// In network namespaces: what is taken away of a daemon that has died.
#include "node/vip_takers.h"

#include <filesystem>
#include <fstream>

#include "node/vip.h"
#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using testing::ip;

class Takers : public testing::Namespaces {
protected:
    void SetUp() override {
        Namespaces::SetUp();
        if (IsSkipped()) return;
        directory_ = ::testing::TempDir() + "takers-" + std::to_string(getpid());
        std::filesystem::create_directories(directory_);
        vips_ = VipAddresses::open(io_, [](const VipLost&) {}).value();
        for (const Address& vip : {vip4_, vip6_})
            ASSERT_TRUE(vips_->add(vip, "eth0", 60s));
    }
    void TearDown() override {
        vips_.reset();
        if (!directory_.empty()) std::filesystem::remove_all(directory_);
        Namespaces::TearDown();
    }
    bool here(const Address& vip) {
        const auto all = vips_->list().value();
        return std::any_of(all.begin(), all.end(),
                           [&](const auto& each) { return each.address == vip; });
    }

    const Address vip4_ = ip("10.9.0.100");
    const Address vip6_ = ip("2001:db8::100");
    std::string directory_;
    std::unique_ptr<VipAddresses> vips_;
};

TEST_F(Takers, WhatAPeerTakesGoesAndTheRestStays) {
    VipTakers(directory_).set({vip6_});
    const LeftVips left = release_left_vips(directory_);
    EXPECT_EQ(left.released, std::vector<std::string>{"2001:db8::100"});
    EXPECT_TRUE(left.problems.empty());
    EXPECT_TRUE(here(vip4_));
    EXPECT_FALSE(here(vip6_));
    // Once.
    ASSERT_TRUE(vips_->add(vip6_, "eth0", 60s));
    EXPECT_TRUE(release_left_vips(directory_).released.empty());
    EXPECT_TRUE(here(vip6_));
}

TEST_F(Takers, NothingAfterAnOrderlyEndOrWhereNobodyTakes) {
    VipTakers takers(directory_);
    takers.set({vip4_, vip6_});
    takers.set({});  // the peer has died
    EXPECT_TRUE(release_left_vips(directory_).released.empty());
    takers.set({vip4_});
    takers.end();
    EXPECT_TRUE(release_left_vips(directory_).released.empty());
    takers.set({vip4_});
    VipTakers(directory_).begin();  // a daemon that has begun since
    EXPECT_TRUE(release_left_vips(directory_).released.empty());
    EXPECT_TRUE(here(vip4_) && here(vip6_));
}

TEST_F(Takers, AnAddressThatSomebodyElseHasSetStays) {
    ASSERT_TRUE(vips_->remove_ours(vip4_));
    run("ip addr add 10.9.0.100/32 dev eth0");
    VipTakers(directory_).set({vip4_, ip("10.9.0.1")});
    EXPECT_TRUE(release_left_vips(directory_).released.empty());
    EXPECT_TRUE(here(vip4_));
    EXPECT_TRUE(here(ip("10.9.0.1"))) << "nor what the host lives by";
}

TEST_F(Takers, AFileThatIsNoneOfOursHarmsNothing) {
    VipTakers(directory_).set({vip4_});
    const auto path = *std::filesystem::directory_iterator(directory_);
    std::ofstream(path.path()) << "nonsense\n\n10.9.0.100/32\n" << std::string(60, 'x');
    EXPECT_TRUE(release_left_vips(directory_).released.empty());
    std::ofstream(path.path()) << std::string(1 << 20, '1');
    const LeftVips left = release_left_vips(directory_);
    EXPECT_TRUE(left.released.empty());
    EXPECT_EQ(left.problems.size(), 1U) << "too large";
    EXPECT_TRUE(here(vip4_));
    EXPECT_TRUE(release_left_vips(directory_ + "/nowhere").problems.empty());
}

}  // namespace
}  // namespace bascule::node
