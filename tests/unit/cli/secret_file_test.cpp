// SPDX-License-Identifier: Apache-2.0
#include "cli/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/control/temporary_directory.h"

namespace bascule::cli {
namespace {

class SecretFile : public ::testing::Test {
protected:
    static std::string text_of(const std::string& path) {
        std::ostringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }
    static mode_t mode_of(const std::string& path) {
        struct stat status {};
        return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
    }
    std::size_t files() const {
        const std::filesystem::directory_iterator all(folder_.path());
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }

    TemporaryDirectory folder_;
    std::string path_ = folder_.file("secret");
};

TEST_F(SecretFile, IsItsOwnersAlone) {
    const mode_t before = ::umask(0);
    ASSERT_TRUE(create_secret_file(path_, "one\n"));
    ::umask(before);
    EXPECT_EQ(text_of(path_), "one\n");
    EXPECT_EQ(mode_of(path_), 0600u);
    EXPECT_EQ(files(), 1u);
}

TEST_F(SecretFile, IsNeverOverwrittenWhenItIsToBeNew) {
    ASSERT_TRUE(create_secret_file(path_, "one\n"));
    const auto again = create_secret_file(path_, "two\n");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().text(), path_ + ": File exists");
    EXPECT_EQ(text_of(path_), "one\n");
    EXPECT_EQ(files(), 1u) << "no draft stays";
    // Nor does a link that leads nowhere lead to a file.
    ASSERT_EQ(::symlink(folder_.file("nowhere").c_str(), folder_.file("link").c_str()), 0);
    EXPECT_FALSE(create_secret_file(folder_.file("link"), "two\n"));
    EXPECT_FALSE(std::filesystem::exists(folder_.file("nowhere")));
}

TEST_F(SecretFile, AnotherOneTakesItsPlace) {
    ASSERT_TRUE(create_secret_file(path_, "one\n"));
    ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
    ASSERT_TRUE(replace_secret_file(path_, "two\n"));
    EXPECT_EQ(text_of(path_), "two\n");
    EXPECT_EQ(mode_of(path_), 0600u);
    EXPECT_EQ(files(), 1u);
}

TEST_F(SecretFile, BehindALinkTheFileIsReplaced) {
    ASSERT_TRUE(create_secret_file(path_, "one\n"));
    const std::string link = folder_.file("link");
    ASSERT_EQ(::symlink(path_.c_str(), link.c_str()), 0);
    ASSERT_TRUE(replace_secret_file(link, "two\n"));
    EXPECT_TRUE(std::filesystem::is_symlink(link));
    EXPECT_EQ(text_of(path_), "two\n");
}

TEST_F(SecretFile, KeepsItsOwner) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
    ASSERT_TRUE(create_secret_file(path_, "one\n"));
    ASSERT_EQ(::chown(path_.c_str(), 12345, 23456), 0);
    ASSERT_TRUE(replace_secret_file(path_, "two\n"));
    struct stat status {};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 12345u);
    EXPECT_EQ(status.st_gid, 23456u);
    EXPECT_EQ(mode_of(path_), 0600u);
}

TEST_F(SecretFile, ErrorsNameTheFile) {
    const std::string nowhere = folder_.file("no/secret");
    EXPECT_EQ(create_secret_file(nowhere, "x").error().text(),
              nowhere + ": there is no directory " + folder_.file("no") + ". Make it (`mkdir -p " +
                  folder_.file("no") + "`), then again");
    EXPECT_EQ(create_secret_file(folder_.path(), "x").error().text(),
              folder_.path() + ": File exists");
    EXPECT_EQ(replace_secret_file(nowhere, "x").error().text(),
              nowhere + ": No such file or directory");
}

}  // namespace
}  // namespace bascule::cli
