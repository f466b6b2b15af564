// SPDX-License-Identifier: Apache-2.0
#include "node/vip_rivals.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

using namespace std::chrono_literals;

class Rivals : public ::testing::Test {
protected:
    static Mac mac(std::uint64_t number) { return Mac::from_word(number); }
    VipRival rival(std::uint64_t who, std::uint64_t count = 1) const {
        return {vip_, "eth0", mac(who), count, {}};
    }

    const Address vip_ = Address::v4({10, 9, 0, 100});
    const Address other_ = Address::v4({10, 9, 0, 101});
    VipRivals::Time now_{1h};
    std::set<Mac> own_{mac(1), mac(2)};
    int asked_ = 0;
    VipRivals rivals_{[this] {
        ++asked_;
        return own_;
    }};
};

TEST_F(Rivals, IsAnsweredAtOnceAndThenAtABoundedPace) {
    int answers = 0;
    for (int i = 0; i < 100; ++i, now_ += 10ms) {  // a second of frames
        const auto due = rivals_.take({rival(9)}, now_);
        answers += static_cast<int>(due.size());
        EXPECT_TRUE(i > 0 || due == std::vector{vip_});
    }
    EXPECT_EQ(answers, 5);
    // What came too early is not forgotten.
    EXPECT_EQ(rivals_.take({}, now_ + VipRivals::pace).size(), 1U);
    EXPECT_TRUE(rivals_.take({}, now_ + 10 * VipRivals::pace).empty());
    ASSERT_EQ(rivals_.recent(now_).size(), 1U);
    EXPECT_EQ(rivals_.recent(now_)[0].count, 100U);
    EXPECT_EQ(rivals_.recent(now_)[0].mac, mac(9));
}

TEST_F(Rivals, AnotherVipIsAnsweredByItself) {
    EXPECT_EQ(rivals_.take({rival(9)}, now_).size(), 1U);
    auto second = rival(9);
    second.vip = other_;
    EXPECT_EQ(rivals_.take({second}, now_ + 1ms), std::vector{other_});
}

TEST_F(Rivals, ThisHostIsNoRivalOfItself) {
    EXPECT_TRUE(rivals_.take({rival(1), rival(2)}, now_).empty());
    EXPECT_TRUE(rivals_.recent(now_).empty());
    own_.insert(mac(3));  // an interface made later
    EXPECT_TRUE(rivals_.take({rival(3)}, now_ + 1h).empty());
    for (int i = 0; i < 100; ++i)
        rivals_.take({rival(9)}, now_ + 1h + i * 1ms);
    EXPECT_LE(asked_, 3) << "interfaces are not listed for each frame";
}

TEST_F(Rivals, WhoIsSilentForAMinuteIsOutOfTheReport) {
    rivals_.take({rival(9)}, now_);
    EXPECT_EQ(rivals_.recent(now_ + 59s).size(), 1U);
    EXPECT_TRUE(rivals_.recent(now_ + 61s).empty());
}

TEST_F(Rivals, ANewTakingBeginsAnew) {
    rivals_.take({rival(9, 7)}, now_);
    rivals_.forget(vip_);
    EXPECT_TRUE(rivals_.recent(now_).empty());
    EXPECT_EQ(rivals_.take({rival(9, 2)}, now_ + 1ms).size(), 1U);
    EXPECT_EQ(rivals_.recent(now_)[0].count, 2U);
}

TEST_F(Rivals, ManyAreBoundedAndTheOneSilentLongestGoes) {
    for (std::uint64_t who = 100; who < 100 + 2 * VipRivals::most_rivals; ++who)
        rivals_.take({rival(who)}, now_ += 1ms);
    const auto all = rivals_.recent(now_);
    ASSERT_EQ(all.size(), VipRivals::most_rivals);
    for (const auto& one : all)
        EXPECT_GE(one.mac.to_word(), 100 + VipRivals::most_rivals);
}

}  // namespace
}  // namespace bascule::node
