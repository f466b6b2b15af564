// SPDX-License-Identifier: Apache-2.0
#include "dataplane/delta_feed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "bpf/atomics.h"

namespace bascule::dataplane {
namespace {

// What XDP does on its CPU.
bool announce(bsc_delta_log& log, std::uint32_t seconds) {
    const __u64 head = bsc_load(&log.head);
    if (head - bsc_load(&log.tail) >= BSC_DELTA_LOG_ENTRIES) {
        bsc_store(&log.lost, bsc_load(&log.lost) + 1);
        return false;
    }
    bsc_delta& entry = log.entry[head % BSC_DELTA_LOG_ENTRIES];
    entry = {};
    entry.seconds = seconds;
    entry.service = static_cast<__u16>(seconds);
    bsc_store(&log.head, head + 1);
    return true;
}

class DeltaFeedTest : public testing::Test {
protected:
    std::vector<std::uint32_t> drain(std::size_t limit) {
        std::vector<std::uint32_t> seen;
        feed_.drain(limit, [&](const bsc_delta& delta) { seen.push_back(delta.seconds); });
        return seen;
    }

    std::vector<bsc_delta_log> logs_{2};
    DeltaFeed feed_{logs_};
};

TEST_F(DeltaFeedTest, InOrderOfEachCpuOnceAndNoMoreThanAsked) {
    EXPECT_TRUE(drain(10).empty());
    for (std::uint32_t i = 0; i < 5; i++)
        announce(logs_[0], i);
    EXPECT_EQ(drain(3), (std::vector<std::uint32_t>{0, 1, 2}));
    announce(logs_[0], 5);
    EXPECT_EQ(drain(100), (std::vector<std::uint32_t>{3, 4, 5}));
    EXPECT_TRUE(drain(100).empty());
    EXPECT_EQ(feed_.consumed(), 6U);
}

TEST_F(DeltaFeedTest, ABusyCpuDoesNotStarveAnother) {
    for (std::uint32_t i = 0; i < 1000; i++)
        announce(logs_[0], i);
    announce(logs_[1], 7777);
    bool reached = false;
    for (int round = 0; round < 2; round++)
        for (const std::uint32_t seconds : drain(10))
            reached |= seconds == 7777;
    EXPECT_TRUE(reached);
}

TEST_F(DeltaFeedTest, AFullLogLosesAndSaysSo) {
    for (std::uint32_t i = 0; i < BSC_DELTA_LOG_ENTRIES; i++)
        ASSERT_TRUE(announce(logs_[1], i));
    EXPECT_FALSE(announce(logs_[1], 1));
    EXPECT_FALSE(announce(logs_[1], 2));
    EXPECT_EQ(feed_.lost(), 2U);
    EXPECT_EQ(drain(BSC_DELTA_LOG_ENTRIES * 2).size(), std::size_t{BSC_DELTA_LOG_ENTRIES});
    EXPECT_TRUE(announce(logs_[1], 3));
    EXPECT_EQ(drain(10), (std::vector<std::uint32_t>{3}));
}

TEST_F(DeltaFeedTest, DamagedIndexesDoNotLoop) {
    bsc_store(&logs_[0].tail, 1'000'000);
    announce(logs_[1], 9);
    EXPECT_EQ(drain(100), (std::vector<std::uint32_t>{9}));
    EXPECT_TRUE(drain(100).empty());
}

TEST_F(DeltaFeedTest, ProducerAndConsumerAtOnce) {
    constexpr std::uint32_t count = 300'000;
    std::atomic<bool> done{false};
    std::thread producer([&] {
        for (std::uint32_t i = 0; i < count;)
            if (announce(logs_[0], i))
                i++;
            else
                std::this_thread::yield();
        done = true;
    });
    std::uint32_t expected = 0;
    bool sound = true;
    const auto take = [&] {
        return feed_.drain(1000, [&](const bsc_delta& delta) {
            sound &= delta.seconds == expected && delta.service == static_cast<__u16>(expected);
            expected++;
        });
    };
    while (!done)
        if (take() == 0) std::this_thread::yield();
    while (take() != 0) {
    }
    producer.join();
    EXPECT_TRUE(sound);
    EXPECT_EQ(expected, count);
}

}  // namespace
}  // namespace bascule::dataplane
