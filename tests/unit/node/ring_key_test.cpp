// SPDX-License-Identifier: Apache-2.0
#include "node/ring_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/unit/control/temporary_directory.h"

namespace bascule::node {
namespace {

TEST(RingKey, IsMadeOnceAndNeverChanges) {
    const TemporaryDirectory folder;
    const auto first = load_ring_key(folder.path());
    ASSERT_TRUE(first) << first.error().text();
    EXPECT_NE(*first, (std::array<std::uint64_t, 2>{}));
    EXPECT_EQ(load_ring_key(folder.path()).value(), *first);
    EXPECT_EQ(load_ring_key(folder.path()).value(), *first);
}

TEST(RingKey, IsAnotherOnEveryNode) {
    const TemporaryDirectory one, other;
    EXPECT_NE(load_ring_key(one.path()).value(), load_ring_key(other.path()).value());
}

TEST(RingKey, IsForTheDaemonsEyesOnly) {
    const TemporaryDirectory folder;
    const mode_t before = ::umask(0);
    const auto key = load_ring_key(folder.path());
    ::umask(before);
    ASSERT_TRUE(key);
    struct stat status {};
    ASSERT_EQ(::stat(folder.file("ring.key").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600);
    EXPECT_EQ(status.st_size, 16);
}

TEST(RingKey, AFileOfAnotherSizeIsRefusedAndKept) {
    for (const std::size_t size : {0, 15, 17, 5000}) {
        const TemporaryDirectory folder;
        const std::string path = folder.file("ring.key");
        std::ofstream(path) << std::string(size, 'k');
        const auto key = load_ring_key(folder.path());
        ASSERT_FALSE(key) << size;
        EXPECT_EQ(key.error().text().find(path + ": "), 0) << key.error().text();
        EXPECT_EQ(std::filesystem::file_size(path), size);
    }
}

TEST(RingKey, OneThatCannotBeKeptIsNotUsed) {
    const TemporaryDirectory folder;
    EXPECT_FALSE(load_ring_key(folder.file("not there")));
}

}  // namespace
}  // namespace bascule::node
