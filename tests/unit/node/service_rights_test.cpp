// SPDX-License-Identifier: Apache-2.0
#include "node/service_rights.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

namespace bascule::node {
namespace {

constexpr uid_t nobody = 65534;

bool opens(const std::string& path) {
    return std::ifstream(path).is_open();
}

// In a process of its own: rights do not come back.
TEST(ServiceRights, WhatBelongsToOthersIsNotRead) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root reads everything";
    const std::string path = ::testing::TempDir() + "rights." + std::to_string(::getpid());
    std::ofstream(path) << "x";
    std::filesystem::permissions(path, std::filesystem::perms(0600));
    const auto opens_as_the_service = [&path] {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(!read_as_the_service() ? 2 : opens(path) ? 1 : 0);
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status));
        return WEXITSTATUS(status);
    };
    EXPECT_EQ(opens_as_the_service(), 1) << "its own";
    ASSERT_EQ(::chown(path.c_str(), nobody, nobody), 0);
    EXPECT_TRUE(opens(path)) << "root";
    EXPECT_EQ(opens_as_the_service(), 0);
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace bascule::node
