// SPDX-License-Identifier: Apache-2.0
#include "node/witness.h"

#include <map>

#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using testing::ip;

class WitnessTest : public testing::Namespaces {
protected:
    void TearDown() override {
        witness_.reset();
        Namespaces::TearDown();
    }
    void ask(std::vector<Address> addresses) {
        witness_ = std::make_unique<Witness>(
            io_, std::move(addresses), period,
            [this](const WitnessState& state) { told_.push_back(state); });
    }
    WitnessState state(std::size_t index) const { return witness_->state().at(index); }
    void answer_there(bool yes) {
        there([&] {
            write("/proc/sys/net/ipv4/icmp_echo_ignore_all", yes ? "0" : "1");
            write("/proc/sys/net/ipv6/icmp/echo_ignore_all", yes ? "0" : "1");
        });
    }

    static constexpr std::chrono::milliseconds period = 100ms;
    std::unique_ptr<Witness> witness_;
    std::vector<WitnessState> told_;
};

TEST_F(WitnessTest, NoneAskedForIsWell) {
    ask({});
    EXPECT_TRUE(witness_->answers());
    EXPECT_TRUE(witness_->state().empty());
}

TEST_F(WitnessTest, WhoAnswersIsKnownWithItsRoundTrip) {
    ask({ip("10.9.0.2"), ip("2001:db8::2")});
    EXPECT_TRUE(witness_->answers()) << "until the first round is over";
    EXPECT_FALSE(state(0).asked);
    ASSERT_TRUE(run_until([&] { return state(0).answered > 1 && state(1).answered > 1; }));
    for (const auto& one : witness_->state()) {
        EXPECT_TRUE(one.answers);
        EXPECT_TRUE(one.asked);
        EXPECT_GT(one.rtt, 0us);
        EXPECT_EQ(one.problem, "");
    }
    // The first word of each, and then only another one: a busy machine may miss a round.
    std::map<Address, bool> last;
    for (const auto& one : told_) {
        EXPECT_TRUE(!last.contains(one.address) || last[one.address] != one.answers);
        last[one.address] = one.answers;
    }
    EXPECT_EQ(last, (std::map<Address, bool>{{ip("10.9.0.2"), true}, {ip("2001:db8::2"), true}}));
}

TEST_F(WitnessTest, OneOfThemIsEnough) {
    ask({ip("10.9.0.77"), ip("10.9.0.2")});
    ASSERT_TRUE(run_until([&] { return !state(0).answers; }));
    EXPECT_GE(state(0).requests, static_cast<std::uint64_t>(witness_round));
    EXPECT_NE(state(0).problem, "");
    EXPECT_TRUE(witness_->answers());
}

TEST_F(WitnessTest, WhoFallsSilentAndComesBackIsTold) {
    ask({ip("10.9.0.2"), ip("2001:db8::2")});
    ASSERT_TRUE(run_until([&] { return state(0).answered > 0 && state(1).answered > 0; }));
    answer_there(false);
    ASSERT_TRUE(run_until([&] { return !state(0).answers && !state(1).answers; }));
    EXPECT_FALSE(witness_->answers());
    EXPECT_EQ(state(0).problem, "no echo reply within 100ms");
    const auto since = state(0).since;
    answer_there(true);
    ASSERT_TRUE(run_until([&] { return witness_->answers(); }));
    ASSERT_TRUE(run_until([&] { return state(0).answers; }));
    EXPECT_GT(state(0).since, since);
    EXPECT_EQ(state(0).problem, "");
    EXPECT_GE(told_.size(), 5U);
}

TEST_F(WitnessTest, WithoutARouteTheReasonIsInWords) {
    ask({ip("198.51.100.7"), ip("2001:db8:9::7")});
    ASSERT_TRUE(run_until([&] { return !state(0).answers && !state(1).answers; }));
    for (const auto& one : witness_->state())
        EXPECT_EQ(one.problem,
                  one.address.to_string() + " cannot be reached: Network is unreachable");
}

TEST_F(WitnessTest, AThreadThatSleptHoldsNothingAgainstAWitness) {
    ask({ip("10.9.0.2")});
    ASSERT_TRUE(run_until([&] { return state(0).answered > 0; }));
    std::size_t told = told_.size();
    for (int i = 0; i < 5; ++i) {
        usleep(500'000);  // five requests' time
        io_.restart();
        io_.poll();
    }
    run_for(200ms);
    EXPECT_EQ(told_.size(), told);
    EXPECT_TRUE(witness_->answers());
}

TEST_F(WitnessTest, WhoStaysKeepsItsState) {
    ask({ip("10.9.0.2"), ip("10.9.0.77")});
    ASSERT_TRUE(run_until([&] { return state(0).answered > 0 && !state(1).answers; }));
    witness_->set({ip("10.9.0.77"), ip("10.9.0.78")}, period);
    EXPECT_FALSE(state(0).answers);
    EXPECT_TRUE(state(1).answers) << "not asked yet";
    EXPECT_TRUE(witness_->answers());
    ASSERT_TRUE(run_until([&] { return !witness_->answers(); }));
}

TEST(WitnessPeriod, FollowsTheHeartbeatsWithinBounds) {
    model::ClusterConfig cluster;
    const auto period = [&](int interval, std::uint32_t dead_after) {
        cluster.heartbeat_interval = std::chrono::milliseconds(interval);
        cluster.dead_after = dead_after;
        return witness_period(cluster);
    };
    EXPECT_EQ(period(20, 5), 200ms);
    EXPECT_EQ(period(10, 3), 200ms);
    EXPECT_EQ(period(100, 3), 600ms);
    EXPECT_EQ(period(1000, 10), 1000ms);
}

}  // namespace
}  // namespace bascule::node
