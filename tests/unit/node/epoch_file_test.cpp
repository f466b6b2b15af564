// SPDX-License-Identifier: Apache-2.0
#include "node/epoch_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace bascule::node {
namespace {

class Epochs : public ::testing::Test {
protected:
    Epochs() {
        std::string pattern = std::filesystem::temp_directory_path() / "epochs.XXXXXX";
        dir_ = ::mkdtemp(pattern.data());
        path_ = dir_ + "/epochs";
    }
    ~Epochs() override { std::filesystem::remove_all(dir_); }
    std::string text() const {
        std::ifstream in(path_);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void put(const std::string& text) const { std::ofstream(path_) << text; }

    std::string dir_;
    std::string path_;
};

TEST_F(Epochs, ARunBeginsAboveAllThatTheOneBeforeMayHaveClaimed) {
    auto first = EpochFile::open(path_);
    EXPECT_EQ(first.floor(), 0U);
    EXPECT_EQ(first.warning(), "");
    sync::Epoch claimed = 0;
    for (sync::Epoch epoch = 1; epoch < 10'000; epoch += 7) {
        // Claimed first, and only then known here: that is what the block is for.
        claimed = epoch;
        ASSERT_GT(std::stoull(text()), claimed) << "a crash now";
        ASSERT_TRUE(first.reserve(claimed));
    }
    auto second = EpochFile::open(path_);
    EXPECT_GT(second.floor(), claimed);
    EXPECT_GT(std::stoull(text()), second.floor()) << "its own first block";
}

TEST_F(Epochs, IsWrittenOnlyWhenHalfOfTheBlockIsUsedUp) {
    auto file = EpochFile::open(path_);
    const std::string first = text();
    std::filesystem::remove(path_);
    ASSERT_TRUE(file.reserve(100));
    EXPECT_FALSE(std::filesystem::exists(path_));
    ASSERT_TRUE(file.reserve(std::stoull(first) - EpochFile::block / 2 + 1));
    EXPECT_GT(std::stoull(text()), std::stoull(first));
}

TEST_F(Epochs, ABrokenFileCountsAsNoneAndSaysSo) {
    for (const char* bad :
         {"", "x", "12", "12\n13\n", "-1\n", "99999999999999999999\n", "17179869185\n"}) {
        put(bad);
        const auto file = EpochFile::open(path_);
        EXPECT_EQ(file.floor(), 0U) << bad;
        EXPECT_EQ(file.warning(), path_ +
                                      ": is not a number of epochs; epochs begin anew, above "
                                      "what peers tell")
            << bad;
        EXPECT_EQ(EpochFile::open(path_).warning(), "") << "it is written anew";
    }
}

TEST_F(Epochs, ADirectoryInItsPlaceIsNoReasonToStop) {
    std::filesystem::create_directory(path_);
    auto file = EpochFile::open(path_);
    EXPECT_EQ(file.floor(), 0U);
    EXPECT_NE(file.warning().find(path_), std::string::npos) << file.warning();
}

TEST_F(Epochs, ADiskThatFailsIsAWarningAndIsNotAskedAgainAtOnce) {
    auto file = EpochFile::open(path_);
    std::filesystem::remove_all(dir_);
    const auto failed = file.reserve(5000);
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().text().find(path_), std::string::npos) << failed.error().text();
    EXPECT_EQ(file.warning(), failed.error().text());
    EXPECT_TRUE(file.reserve(5001)) << "not asked";
    EXPECT_NE(file.warning(), "") << "but still so";
}

TEST_F(Epochs, NothingIsReservedBeyondTheLastEpoch) {
    auto file = EpochFile::open(path_);
    ASSERT_TRUE(file.reserve(~sync::Epoch{0}));
    EXPECT_EQ(std::stoull(text()), sync::most_epoch);
    EXPECT_EQ(EpochFile::open(path_).floor(), sync::most_epoch);
}

}  // namespace
}  // namespace bascule::node
