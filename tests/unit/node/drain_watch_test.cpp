// SPDX-License-Identifier: Apache-2.0
#include "node/drain_watch.h"

#include <gtest/gtest.h>

#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/config_text.h"
#include "tests/unit/node/words_in.h"

namespace bascule::node {
namespace {

using namespace testing;
using namespace std::chrono_literals;

class DrainWatchTest : public ::testing::Test {
protected:
    static DrainWatch::Time at(int second) {
        return DrainWatch::Time{} + std::chrono::seconds(second);
    }
    void drain(const std::string& backend, bool drained = true) {
        OperatorWord word;
        word.drained = drained;
        word.unix_seconds = 1;
        ASSERT_TRUE(words_.set({"web", backend}, word));
    }
    std::vector<BackendName> count(int began, std::uint64_t sessions) {
        return watch_.count(at(began), [&](const BackendName&) { return sessions; });
    }

    const BackendName web1_{"web", "web1"};
    TemporaryDirectory folder_;
    model::Config config_ =
        config_of(head_text() + service_text("web", 80) + backend_text("web1", "10.9.0.21") +
                  backend_text("web2", "10.9.0.22"));
    OperatorWords words_ = words_in(folder_.path());
    DrainWatch watch_;
};

TEST_F(DrainWatchTest, ADrainEndsOnceWithItsLastSession) {
    drain("web1");
    watch_.follow(config_, words_, at(10));
    EXPECT_FALSE(watch_.sessions(web1_));
    EXPECT_TRUE(count(11, 3).empty());
    EXPECT_EQ(watch_.sessions(web1_), 3U);
    EXPECT_EQ(count(13, 0), std::vector<BackendName>{web1_});
    EXPECT_EQ(watch_.sessions(web1_), 0U);
    watch_.follow(config_, words_, at(14));
    EXPECT_TRUE(count(15, 0).empty()) << "told once";
}

TEST_F(DrainWatchTest, AWalkThatBeganEarlierDoesNotCount) {
    drain("web1");
    watch_.follow(config_, words_, at(10));
    EXPECT_TRUE(count(9, 0).empty()) << "a session may have come behind it";
    EXPECT_FALSE(watch_.sessions(web1_));
    EXPECT_EQ(count(10, 0).size(), 1U);
}

TEST_F(DrainWatchTest, ASecondDrainIsAnotherOne) {
    drain("web1");
    watch_.follow(config_, words_, at(10));
    EXPECT_EQ(count(11, 0).size(), 1U);
    drain("web1", false);
    watch_.follow(config_, words_, at(12));
    EXPECT_FALSE(watch_.sessions(web1_));
    EXPECT_TRUE(watch_.empty());
    drain("web1");
    watch_.follow(config_, words_, at(20));
    EXPECT_TRUE(count(13, 0).empty());
    EXPECT_EQ(count(21, 0).size(), 1U);
}

TEST_F(DrainWatchTest, OnlyBackendsOfTheFileCount) {
    drain("gone");
    watch_.follow(config_, words_, at(10));
    EXPECT_TRUE(watch_.empty());
    EXPECT_TRUE(count(11, 0).empty());
}

}  // namespace
}  // namespace bascule::node
