// SPDX-License-Identifier: Apache-2.0
// What is written is on the disk, also its name. This program's own fsync stands before libc's.
#include "backend/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace {

int directories_synced = 0;
int directory_error = 0;

}  // namespace

extern "C" int fsync(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) == 0 && S_ISDIR(about.st_mode)) {
        ++directories_synced;
        if (directory_error != 0) {
            errno = directory_error;
            return -1;
        }
    }
    return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace bascule::backend {
namespace {

class Files : public testing::Test {
protected:
    void SetUp() override {
        char place[] = "/tmp/bascule-files.XXXXXX";
        ASSERT_NE(::mkdtemp(place), nullptr);
        directory_ = place;
        directories_synced = 0;
    }
    void TearDown() override {
        directory_error = 0;
        (void)remove_file(directory_ + "/one");
        ::rmdir(directory_.c_str());
    }
    std::string directory_;
};

TEST_F(Files, TheirNamesAreOnTheDiskToo) {
    ASSERT_TRUE(write_file(directory_ + "/one", "text", 0600));
    EXPECT_EQ(directories_synced, 1);
    EXPECT_EQ(read_file(directory_ + "/one").value(), "text");
}

TEST_F(Files, ANameThatIsNotOnTheDiskIsAnError) {
    directory_error = EIO;
    const auto written = write_file(directory_ + "/one", "text", 0600);
    ASSERT_FALSE(written);
    EXPECT_NE(written.error().text().find(directory_ + "/one"), std::string::npos);
}

}  // namespace
}  // namespace bascule::backend
