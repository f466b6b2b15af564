// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace bascule {
namespace {

std::string stderr_id() {
    struct stat file {};
    EXPECT_EQ(fstat(STDERR_FILENO, &file), 0);
    return std::to_string(file.st_dev) + ':' + std::to_string(file.st_ino);
}

std::string logged(bool by_journal) {
    testing::internal::CaptureStderr();
    setenv("JOURNAL_STREAM", by_journal ? stderr_id().c_str() : "1:1", 1);
    start_log(spdlog::level::info);
    spdlog::debug("too quiet");
    spdlog::info("hello");
    spdlog::warn("mind the {}", "gap");
    spdlog::error("broken");
    unsetenv("JOURNAL_STREAM");
    return testing::internal::GetCapturedStderr();
}

TEST(Log, JournalGetsThePriorityAndKeepsTheTime) {
    EXPECT_EQ(logged(true), "<6>hello\n<4>mind the gap\n<3>broken\n");
}

TEST(Log, TerminalGetsTimeAndLevel) {
    const std::string text = logged(false);
    EXPECT_NE(text.find(" info: hello\n"), std::string::npos) << text;
    EXPECT_NE(text.find(" warning: mind the gap\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("too quiet"), std::string::npos) << text;
    EXPECT_EQ(text.find("20"), 0u) << "a line starts with its year: " << text;
}

}  // namespace
}  // namespace bascule
