// SPDX-License-Identifier: Apache-2.0
// XDP programs that others take off: at once as a rule, slowly where it does not end.
#include "node/program_pace.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

using namespace std::chrono_literals;

class ProgramPaceTest : public testing::Test {
protected:
    // Who takes it off as soon as it is there, looked for every 10 ms. How often it is put back.
    int fight(std::chrono::milliseconds span) {
        int times = 0;
        for (const auto end = now_ + span; now_ < end; now_ += 10ms) {
            if (!pace_.may("eth0", now_)) {
                off_ += pace_.put_off("eth0") ? 1 : 0;
                continue;
            }
            told_ += pace_.note("eth0", now_) ? 1 : 0;
            pace_.put_back("eth0");
            ++times;
        }
        return times;
    }

    ProgramPace pace_;
    ProgramPace::Time now_{1h};
    int told_ = 0;
    int off_ = 0;  // times that it was said to be off
};

TEST_F(ProgramPaceTest, OneByHandIsMendedAtOnceHoweverOften) {
    for (int i = 0; i < 100; ++i, now_ += 1100ms) {
        if (i % 9 == 8) now_ += 10s;
        ASSERT_TRUE(pace_.may("eth0", now_)) << i;
        EXPECT_FALSE(pace_.note("eth0", now_)) << i;
        pace_.put_back("eth0");
    }
    EXPECT_FALSE(pace_.is_fought("eth0", now_));
    EXPECT_EQ(pace_.restored(), 100U);
}

TEST_F(ProgramPaceTest, AFightIsSlowAndToldOnce) {
    EXPECT_EQ(fight(100ms), 10);
    EXPECT_EQ(told_, 1);
    EXPECT_TRUE(pace_.is_fought("eth0", now_));
    EXPECT_TRUE(pace_.may("eth1", now_)) << "another interface is not concerned";
    EXPECT_LE(fight(1h), 3600);
    EXPECT_GE(pace_.restored(), 3500U);
    EXPECT_EQ(told_, 1);
}

TEST_F(ProgramPaceTest, EachTimeThatItStaysOffIsSaidAtOnceAndOnce) {
    EXPECT_FALSE(pace_.put_off("eth0")) << "nobody has taken it off";
    fight(100ms);
    EXPECT_EQ(off_, 0) << "put back at once";
    fight(10ms);
    EXPECT_EQ(off_, 1);
    fight(500ms);
    EXPECT_EQ(off_, 1);
    const int more = fight(10s);
    EXPECT_GE(off_, more);
    EXPECT_LE(off_, more + 1);
}

TEST_F(ProgramPaceTest, OnlyWhatIsBackIsCounted) {
    pace_.note("eth0", now_);
    EXPECT_EQ(pace_.restored(), 0U) << "it is refused";
    pace_.put_back("eth0");
    EXPECT_EQ(pace_.restored(), 1U) << "later, by whom it may be";
    pace_.put_back("eth0");
    pace_.put_back("eth1");
    EXPECT_EQ(pace_.restored(), 1U) << "nobody had taken these off";
    pace_.note("eth0", now_);
    pace_.keep({"eth1"});
    pace_.put_back("eth0");
    EXPECT_EQ(pace_.restored(), 1U) << "it is another's now";
}

TEST_F(ProgramPaceTest, AfterARestItBeginsAnew) {
    fight(5s);
    now_ += ProgramPace::lately;
    EXPECT_FALSE(pace_.is_fought("eth0", now_));
    EXPECT_EQ(fight(100ms), 10);
    EXPECT_EQ(told_, 2);
}

TEST_F(ProgramPaceTest, AnInterfaceThatIsNotOursAnyMoreIsForgotten) {
    fight(5s);
    pace_.keep({"eth1"});
    EXPECT_FALSE(pace_.is_fought("eth0", now_));
    EXPECT_TRUE(pace_.may("eth0", now_));
}

}  // namespace
}  // namespace bascule::node
