// SPDX-License-Identifier: Apache-2.0
// Compared with what if_nametoindex() says, in network namespaces of the tests' own.
#include "base/interface_index.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "tests/support/no_name_ioctls.h"

namespace bascule {
namespace {

TEST(InterfaceIndex, AsksByNoIoctl) {
    const auto expected = ::if_nametoindex("lo");
    test::without_name_ioctls([&] {
        EXPECT_EQ(::if_nametoindex("lo"), 0U) << "or this test shows nothing";
        EXPECT_EQ(interface_index("lo"), expected);
    });
}

// What needs root, in a thread whose namespace ends with it.
class InterfaceIndexes : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, for a network namespace";
    }
    template <typename Body>
    static void in_namespace(Body body) {
        std::thread([&] {
            ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
            ASSERT_EQ(std::system("ip link add fifteen-letters type veth peer name two"), 0);
            body();
        }).join();
    }
};

TEST_F(InterfaceIndexes, AreTheKernels) {
    in_namespace([] {
        InterfaceLookup lookup;
        EXPECT_EQ(lookup.index_of("not-there"), 0U);
        EXPECT_EQ(errno, ENODEV);
        const auto one = ::if_nametoindex("fifteen-letters");
        const auto two = ::if_nametoindex("two");
        ASSERT_NE(one, 0U);
        for (int i = 0; i < 2; ++i) {
            EXPECT_EQ(lookup.index_of("two"), two);
            EXPECT_EQ(lookup.index_of("fifteen-letters"), one) << "one after the other";
            EXPECT_EQ(lookup.index_of("not-there"), 0U);
            EXPECT_EQ(lookup.index_of("fifteen-letters-and"), 0U) << "is not cut";
            EXPECT_EQ(lookup.index_of(""), 0U);
            EXPECT_EQ(interface_index("two"), two);
        }
    });
}

TEST_F(InterfaceIndexes, FollowTheName) {
    in_namespace([] {
        InterfaceLookup lookup;
        const auto before = lookup.index_of("two");
        ASSERT_EQ(std::system("ip link set two name three"), 0);
        EXPECT_EQ(lookup.index_of("two"), 0U);
        EXPECT_EQ(lookup.index_of("three"), before);
        ASSERT_EQ(std::system("ip link del three && ip link add three type veth"), 0);
        EXPECT_NE(lookup.index_of("three"), before);
        EXPECT_EQ(lookup.index_of("three"), ::if_nametoindex("three"));
    });
}

// A lookup goes on where the process can open nothing any more.
TEST_F(InterfaceIndexes, NeedNoNewSocket) {
    in_namespace([] {
        InterfaceLookup lookup;
        const auto two = lookup.index_of("two");
        ASSERT_NE(two, 0U);
        rlimit limit{};
        ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
        const rlimit none{0, limit.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
        const auto again = lookup.index_of("two");
        const auto fresh = interface_index("two");
        const int why = errno;
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
        EXPECT_EQ(again, two);
        EXPECT_EQ(fresh, 0U);
        EXPECT_EQ(why, EMFILE);
    });
}

}  // namespace
}  // namespace bascule
