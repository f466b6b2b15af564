// SPDX-License-Identifier: Apache-2.0
// Nobody but root may be able to change what a program is: each way to do so is refused.
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <filesystem>

#include "health/program.h"
#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/health/script_folder.h"

namespace bascule::health {
namespace {

class ProgramCheck : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, for files of its own and others";
        script_ = folder_->script("check.sh", "exit 0");
    }

    static std::string error_of(const std::string& path, const std::string& user = "nobody") {
        model::ProgramConfig program;
        program.command = {path};
        program.user = user;
        const auto safe = check_program(program);
        return safe ? "" : safe.error().text();
    }

    static void give_to_nobody(const std::string& path) {
        const passwd* nobody = ::getpwnam("nobody");
        ASSERT_NE(nobody, nullptr);
        ASSERT_EQ(::lchown(path.c_str(), nobody->pw_uid, nobody->pw_gid), 0);
    }

    std::unique_ptr<testing::ScriptFolder> folder_ =
        ::geteuid() == 0 ? std::make_unique<testing::ScriptFolder>() : nullptr;
    std::string script_;
};

TEST_F(ProgramCheck, RootsOwnIsFine) {
    EXPECT_EQ(error_of(script_), "");
    EXPECT_EQ(error_of("/bin/sh"), "");  // by links, where /bin is one
    EXPECT_EQ(error_of(folder_->path() + "/./../" + folder_->path().substr(5) + "//check.sh"), "");
}

TEST_F(ProgramCheck, NeedsAnAbsolutePath) {
    EXPECT_EQ(error_of("check.sh"), "a program needs an absolute path");
    EXPECT_EQ(check_program({}).error().text(), "a program needs an absolute path");
    EXPECT_EQ(error_of(script_ + '\0' + "x"), "a command cannot hold zero bytes");
}

TEST_F(ProgramCheck, TheUserMustExist) {
    EXPECT_EQ(error_of(script_, "no-such-user"), "there is no user \"no-such-user\"");
}

TEST_F(ProgramCheck, WhatIsNotThereIsNamed) {
    EXPECT_EQ(error_of(folder_->file("a/b")), "cannot run " + folder_->file("a/b") + ": " +
                                                  folder_->file("a") +
                                                  ": No such file or directory");
}

TEST_F(ProgramCheck, OfAnotherOwner) {
    give_to_nobody(script_);
    EXPECT_EQ(error_of(script_), script_ + " is owned by uid 65534: it must be root's");
    EXPECT_NE(error_of(script_, "root"), "");
}

TEST_F(ProgramCheck, WritableForOthers) {
    for (const mode_t mode : {0775, 0757, 01777}) {
        ::chmod(script_.c_str(), mode);
        EXPECT_NE(error_of(script_).find(" is writable for others than root"), std::string::npos)
            << error_of(script_);
    }
}

TEST_F(ProgramCheck, InAFolderThatOthersCanWriteOrOwn) {
    std::filesystem::create_directory(folder_->file("bin"));
    const std::string inner = folder_->script("bin/check.sh", "exit 0");
    EXPECT_EQ(error_of(inner), "");
    ::chmod(folder_->file("bin").c_str(), 0775);
    EXPECT_EQ(error_of(inner), "cannot run " + inner + ": " + folder_->file("bin") +
                                   " is writable for others than root (mode 0775)");
    ::chmod(folder_->file("bin").c_str(), 01777);  // sticky: its owner could still rename it
    EXPECT_NE(error_of(inner), "");
    ::chmod(folder_->file("bin").c_str(), 0755);
    give_to_nobody(folder_->file("bin"));
    EXPECT_NE(error_of(inner), "");
}

TEST_F(ProgramCheck, InTmp) {
    const TemporaryDirectory tmp;
    ::chmod(tmp.path().c_str(), 0755);
    std::filesystem::copy(script_, tmp.file("check.sh"));
    EXPECT_EQ(error_of(tmp.file("check.sh")), "cannot run " + tmp.file("check.sh") +
                                                  ": /tmp is writable for others than root (mode "
                                                  "1777)");
}

TEST_F(ProgramCheck, ThroughALinkInAFolderThatOthersCanWrite) {
    const TemporaryDirectory tmp;
    std::filesystem::create_symlink(script_, tmp.file("link"));
    std::filesystem::create_symlink(tmp.file("link"), folder_->file("first"));
    EXPECT_NE(error_of(tmp.file("link")), "");
    EXPECT_NE(error_of(folder_->file("first")), "");  // safe at both ends, not between
}

TEST_F(ProgramCheck, ThroughALinkOfAFolder) {
    std::filesystem::create_directory(folder_->file("real"));
    folder_->script("real/check.sh", "exit 0");
    std::filesystem::create_directory_symlink("real", folder_->file("link"));
    EXPECT_EQ(error_of(folder_->file("link/check.sh")), "");
    EXPECT_EQ(error_of(folder_->file("link/../check.sh")), "");
    ::chmod(folder_->file("real").c_str(), 0777);
    EXPECT_NE(error_of(folder_->file("link/check.sh")), "");
}

TEST_F(ProgramCheck, ALinkOfAnotherOwner) {
    std::filesystem::create_symlink(script_, folder_->file("link"));
    EXPECT_EQ(error_of(folder_->file("link")), "");
    give_to_nobody(folder_->file("link"));
    EXPECT_EQ(error_of(folder_->file("link")),
              folder_->file("link") + " is owned by uid 65534: it must be root's");
}

TEST_F(ProgramCheck, LinksInACircle) {
    std::filesystem::create_symlink("circle", folder_->file("circle"));
    EXPECT_EQ(error_of(folder_->file("circle")), folder_->file("circle") + ": too many links");
}

TEST_F(ProgramCheck, TheUserMustBeAbleToExecuteIt) {
    ::chmod(script_.c_str(), 0744);
    EXPECT_EQ(error_of(script_), script_ + " is not executable for user \"nobody\" (mode 0744)");
    EXPECT_EQ(error_of(script_, "root"), "");
    ::chmod(script_.c_str(), 0644);
    EXPECT_NE(error_of(script_, "root"), "");
    ::chmod(script_.c_str(), 0755);
    ::chmod(folder_->path().c_str(), 0700);
    EXPECT_EQ(error_of(script_), "cannot run " + script_ + ": " + folder_->path() +
                                     " cannot be entered by user \"nobody\" (mode 0700)");
    EXPECT_EQ(error_of(script_, "root"), "");
}

TEST_F(ProgramCheck, OnlyFilesAreRun) {
    EXPECT_NE(error_of(folder_->path()).find(" is not a regular file"), std::string::npos);
    EXPECT_NE(error_of(script_ + "/x").find(" is not a folder"), std::string::npos);
}

}  // namespace
}  // namespace bascule::health
