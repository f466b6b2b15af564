// SPDX-License-Identifier: Apache-2.0
#include "base/descriptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace bascule {
namespace {

int some_file() {
    return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}

TEST(Descriptor, IsNoneAtFirst) {
    const Descriptor none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.get(), -1);
}

TEST(Descriptor, EndsWithItsOwner) {
    int fd = -1;
    {
        const Descriptor owner(some_file());
        ASSERT_TRUE(owner);
        fd = owner.get();
        EXPECT_TRUE(is_open(fd));
    }
    EXPECT_FALSE(is_open(fd));
}

TEST(Descriptor, HasOneOwner) {
    Descriptor first(some_file());
    const int fd = first.get();
    Descriptor second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is what is asked
    EXPECT_EQ(second.get(), fd);
    Descriptor third(some_file());
    const int replaced = third.get();
    third = std::move(second);
    EXPECT_FALSE(is_open(replaced));
    EXPECT_EQ(third.get(), fd);
    EXPECT_TRUE(is_open(fd));
}

TEST(Descriptor, StaysWhereItIsMovedToItself) {
    Descriptor owner(some_file());
    Descriptor& same = owner;
    owner = std::move(same);
    ASSERT_TRUE(owner);
    EXPECT_TRUE(is_open(owner.get()));
}

TEST(Descriptor, IsClosedWhenAnotherTakesItsPlace) {
    Descriptor owner(some_file());
    const int first = owner.get();
    const int second = some_file();
    owner.reset(second);
    EXPECT_FALSE(is_open(first));
    EXPECT_EQ(owner.get(), second);
    owner.reset();
    EXPECT_FALSE(is_open(second));
    EXPECT_FALSE(owner);
}

TEST(Descriptor, IsNobodysOnceReleased) {
    Descriptor owner(some_file());
    const int fd = owner.release();
    EXPECT_FALSE(owner);
    owner.reset();
    EXPECT_TRUE(is_open(fd));
    ::close(fd);
}

}  // namespace
}  // namespace bascule
