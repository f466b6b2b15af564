// SPDX-License-Identifier: Apache-2.0
#include "node/hearing.h"

#include <sys/resource.h>

#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

class HearingTest : public testing::Namespaces {
protected:
    void SetUp() override {
        Namespaces::SetUp();
        if (IsSkipped()) return;
        own_.addresses = {{Address::v4({10, 77, 0, 1}), 7400}};
        vips_ = {{Address::v4({10, 77, 0, 100}), "eth0", {}}};
        hearing_ = std::make_unique<Hearing>(io_);
    }
    bool hears() { return hearing_->can_hear(own_, vips_); }

    model::ClusterNodeConfig own_;
    std::vector<model::VipConfig> vips_;
    std::unique_ptr<Hearing> hearing_;
};

TEST_F(HearingTest, TheKernelIsAskedWhenSomethingHasChanged) {
    EXPECT_FALSE(hears()) << "the address is not here";
    run("ip addr add 10.77.0.1/24 dev eth0");
    EXPECT_TRUE(hears());
    const auto looks = hearing_->looks();
    for (int i = 0; i < 100; ++i) {
        run("true");
        ASSERT_TRUE(hears());
    }
    // A lease that is renewed is no news either.
    run("ip addr add 10.77.0.100/32 dev eth0");
    run("ip addr change 10.77.0.100/32 dev eth0 valid_lft 100 preferred_lft 0");
    EXPECT_TRUE(hears());
    EXPECT_EQ(hearing_->looks(), looks);
}

TEST_F(HearingTest, LinkAndAddressesGo) {
    run("ip addr add 10.77.0.1/24 dev eth0");
    EXPECT_TRUE(hears());
    there([] { run("ip link set eth1 down"); });
    EXPECT_FALSE(hears()) << "no carrier";
    run("ip addr add 10.77.0.100/32 dev eth0");
    EXPECT_TRUE(hears()) << "an earlier run has left a VIP";
    run("ip addr del 10.77.0.100/32 dev eth0");
    EXPECT_FALSE(hears());
    there([] { run("ip link set eth1 up"); });
    EXPECT_TRUE(hears());
    run("ip addr del 10.77.0.1/24 dev eth0");
    EXPECT_FALSE(hears());
    own_.addresses.push_back({Address::v4({127, 0, 0, 1}), 7400});
    run("ip link set lo up");
    EXPECT_TRUE(hears()) << "another configuration";
}

TEST_F(HearingTest, ALookThatFailedIsNotKept) {
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const int next = dup(STDERR_FILENO);
    ASSERT_GE(next, 0);
    close(next);
    const rlimit no_more{static_cast<rlim_t>(next), limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &no_more), 0);
    const bool unknown = hears();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_TRUE(unknown) << "the kernel does not tell";
    EXPECT_FALSE(hears()) << "the address is not here";
    const auto looks = hearing_->looks();
    EXPECT_FALSE(hears());
    EXPECT_EQ(hearing_->looks(), looks);
}

}  // namespace
}  // namespace bascule::node
