// SPDX-License-Identifier: Apache-2.0
#include "node/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "tests/unit/control/temporary_directory.h"

namespace bascule::node {
namespace {

// While it lives no file grows beyond `bytes`: what a full disk does to a writer.
class FullDisk {
public:
    explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int);
};

class Files : public ::testing::Test {
protected:
    std::string text(const std::string& name) {
        auto read = read_small_file(folder_.file(name), 1 << 20);
        return read && *read ? **read : "(cannot be read)";
    }
    mode_t mode(const std::string& name) {
        struct stat status {};
        ::stat(folder_.file(name).c_str(), &status);
        return status.st_mode & 07777;
    }

    TemporaryDirectory folder_;
};

TEST_F(Files, AFileIsReadWhole) {
    const std::string long_text(200'000, 'x');
    ASSERT_TRUE(write_file_whole(folder_.file("a"), long_text, 0600));
    EXPECT_EQ(text("a"), long_text);
    EXPECT_EQ(read_small_file(folder_.file("a"), 200'000).value().value(), long_text);
}

TEST_F(Files, WhatIsNoSmallFileIsRefused) {
    EXPECT_EQ(read_small_file(folder_.file("none"), 10).value(), std::nullopt);
    EXPECT_EQ(read_small_file(folder_.path(), 10).error().text(), "is not a regular file");
    ASSERT_EQ(::mkfifo(folder_.file("pipe").c_str(), 0600), 0);
    EXPECT_EQ(read_small_file(folder_.file("pipe"), 10).error().text(), "is not a regular file")
        << "and is not waited for";
    ASSERT_TRUE(write_file_whole(folder_.file("a"), "12345678901", 0600));
    EXPECT_EQ(read_small_file(folder_.file("a"), 10).error().text(), "is larger than 10 bytes");
    EXPECT_EQ(read_small_file(folder_.file("a/b"), 10).error().text(),
              "cannot be read: Not a directory");
}

TEST_F(Files, ANewTextReplacesTheOldOneWithTheModeAskedFor) {
    ASSERT_TRUE(write_file_whole(folder_.file("a"), "old", 0644));
    ASSERT_TRUE(write_file_whole(folder_.file("a"), "new", 0600));
    EXPECT_EQ(text("a"), "new");
    EXPECT_EQ(mode("a"), 0600);
    EXPECT_FALSE(std::filesystem::exists(folder_.file("a.new")));
}

TEST_F(Files, AnOldDraftDoesNotLendItsMode) {
    std::ofstream(folder_.file("a.new")) << "left behind by a crash, and longer than the text";
    ::chmod(folder_.file("a.new").c_str(), 0666);
    ASSERT_TRUE(write_file_whole(folder_.file("a"), "secret", 0600));
    EXPECT_EQ(text("a"), "secret");
    EXPECT_EQ(mode("a"), 0600);
}

TEST_F(Files, AFullDiskLeavesTheOldText) {
    ASSERT_TRUE(write_file_whole(folder_.file("a"), "old", 0600));
    {
        const FullDisk full(10'000);
        const auto written = write_file_whole(folder_.file("a"), std::string(50'000, 'n'), 0600);
        ASSERT_FALSE(written);
        EXPECT_EQ(written.error().text(),
                  folder_.file("a.new") + ": cannot be written: File too large");
    }
    EXPECT_EQ(text("a"), "old");
    EXPECT_FALSE(std::filesystem::exists(folder_.file("a.new"))) << "no half text stays behind";
}

TEST_F(Files, ADraftThatCannotBeMadeLeavesTheOldText) {
    ASSERT_TRUE(write_file_whole(folder_.file("a"), "old", 0600));
    std::filesystem::create_directory(folder_.file("a.new"));
    const auto written = write_file_whole(folder_.file("a"), "new", 0600);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().text(),
              folder_.file("a.new") + ": cannot be written: Is a directory");
    EXPECT_EQ(text("a"), "old");
}

TEST_F(Files, WhatCannotBeReplacedStays) {
    std::filesystem::create_directories(folder_.file("a/inside"));
    const auto written = write_file_whole(folder_.file("a"), "new", 0600);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().text().find(folder_.file("a") + ": cannot be replaced: "), 0);
    EXPECT_TRUE(std::filesystem::exists(folder_.file("a/inside")));
    EXPECT_FALSE(std::filesystem::exists(folder_.file("a.new")));
}

TEST_F(Files, DirectoriesAreMadeWithTheirParents) {
    ASSERT_TRUE(make_directory(folder_.file("x/y/z")));
    ASSERT_TRUE(make_directory(folder_.file("x/y/z"))) << "is there already";
    std::ofstream(folder_.file("file")) << "text";
    EXPECT_EQ(make_directory(folder_.file("file/z")).error().text(),
              folder_.file("file/z") + ": cannot be made: Not a directory");
}

}  // namespace
}  // namespace bascule::node
