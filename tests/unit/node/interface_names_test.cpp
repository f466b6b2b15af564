// SPDX-License-Identifier: Apache-2.0
// Interfaces that are not there are asked for in a way that does not wait for modprobe.
#include <linux/ethtool.h>

#include <cerrno>

#include "node/ethtool.h"
#include "node/vip.h"
#include "tests/support/no_name_ioctls.h"
#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

class InterfaceNames : public testing::Namespaces {};

TEST_F(InterfaceNames, AVipIsTakenAwayByThem) {
    const Address vip = testing::ip("10.9.0.100");
    auto vips = VipAddresses::open(io_, [](const VipLost&) {}).value();
    ASSERT_TRUE(vips->add(vip, "eth0"));
    test::without_name_ioctls([&] {
        EXPECT_EQ(vips->remove(vip, "eth9"), false);
        EXPECT_EQ(vips->remove(vip, "eth0"), true);
    });
}

TEST_F(InterfaceNames, EthtoolAsksOnlyOfThoseThatAreThere) {
    ethtool_value flags{};
    flags.cmd = ETHTOOL_GFLAGS;
    EXPECT_TRUE(ethtool("eth0", &flags));
    test::without_name_ioctls([&] {
        EXPECT_FALSE(ethtool("eth0", &flags));
        EXPECT_EQ(errno, EPERM) << "or this test shows nothing";
        EXPECT_FALSE(ethtool("eth9", &flags));
        EXPECT_EQ(errno, ENODEV);
    });
}

}  // namespace
}  // namespace bascule::node
