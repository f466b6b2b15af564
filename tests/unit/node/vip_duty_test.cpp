// SPDX-License-Identifier: Apache-2.0
// VIPs that follow the health of their services, on real interfaces.
#include "node/vip_duty.h"

#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/config_text.h"
#include "tests/unit/node/netns.h"
#include "tests/unit/node/words_in.h"

namespace bascule::node {
namespace {

using testing::backend_text;
using testing::config_of;
using testing::head_text;
using testing::ip;
using testing::service_text;

using Kind = Event::Kind;

model::Config config(const std::string& keys = "give_up_vip = true\n") {
    return config_of(head_text() +
                     service_text("web", 80, keys + "[service.health]\ntype = \"tcp\"\n") +
                     backend_text("web1", "10.9.0.2"));
}

model::Config two_vips() {
    const std::string check = "give_up_vip = true\n[service.health]\ntype = \"tcp\"\n";
    return config_of(head_text() + "[[vip]]\naddress = \"10.9.0.101\"\ninterface = \"eth0\"\n" +
                     service_text("web", 80, check) + backend_text("web1", "10.9.0.2") +
                     "[[service]]\nname = \"mail\"\nvip = \"10.9.0.101\"\nport = 25\n"
                     "protocol = \"tcp\"\nforward = \"l2\"\n" +
                     check + backend_text("mail1", "10.9.0.2"));
}

class VipDutyTest : public testing::Namespaces {
protected:
    void SetUp() override {
        Namespaces::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        auto opened = VipKeeper::open(io_);
        ASSERT_TRUE(opened) << opened.error().text();
        keeper_ = std::move(*opened);
        duty_ = std::make_unique<VipDuty>(io_, *keeper_, state_, events_);
        NeighbourState neighbour;
        neighbour.address = ip("10.9.0.2");
        neighbour.next_hop = model::NextHop{Mac::from_word(7), 3, 0, Mac::from_word(9), 1500};
        state_.set_neighbour(neighbour);
    }
    void TearDown() override {
        duty_.reset();
        keeper_.reset();
        Namespaces::TearDown();
    }
    void say(health::Health health) {
        const auto& backend = state_.config().services.at(0).backends.at(0);
        state_.set_health({"web", "web1"}, key_of(backend), {health, 100, {}});
    }
    void follow() {
        duty_->give_up();
        duty_->take_back();
    }
    static bool is_here() {
        return output("ip addr show dev eth0").find("10.9.0.100/32") != std::string::npos;
    }
    std::vector<Kind> kinds() const {
        std::vector<Kind> kinds;
        for (const auto& event : events_.since(0, 100))
            kinds.push_back(event.kind);
        return kinds;
    }

    TemporaryDirectory folder_;
    EventLog events_;
    State state_{config(), words_in(folder_.path())};
    std::unique_ptr<VipKeeper> keeper_;
    std::unique_ptr<VipDuty> duty_;
};

TEST_F(VipDutyTest, AStartTakesOnlyWhatIsWanted) {
    EXPECT_TRUE(duty_->wanted(state_.config()).empty());
    ASSERT_TRUE(duty_->hold(state_.config()));
    EXPECT_FALSE(is_here());
    ASSERT_TRUE(duty_->hold(config(""))) << "one that is not given up";
    EXPECT_TRUE(is_here());
}

TEST_F(VipDutyTest, AVipFollowsItsService) {
    say(health::Health::up);
    ASSERT_TRUE(duty_->hold(state_.config()));
    EXPECT_TRUE(is_here());
    follow();
    EXPECT_TRUE(events_.since(0, 9).empty()) << "nothing has changed";
    say(health::Health::down);
    follow();
    EXPECT_FALSE(is_here());
    EXPECT_EQ(kinds(), std::vector{Kind::vip_given_up});
    EXPECT_EQ(events_.since(0, 1).at(0).text, "service web: 0 of 1 backends can serve");
    EXPECT_EQ(duty_->given_up().size(), 1);
    follow();
    EXPECT_EQ(kinds().size(), 1) << "told once";
    say(health::Health::up);
    follow();
    EXPECT_TRUE(run_until([&] { return is_here(); }));
    EXPECT_EQ(kinds(), (std::vector{Kind::vip_given_up, Kind::vip_taken_back}));
    EXPECT_TRUE(duty_->given_up().empty());
}

TEST_F(VipDutyTest, AnAddressThatAnotherHostHasTakenIsLeftToIt) {
    say(health::Health::up);
    ASSERT_TRUE(duty_->hold(state_.config()));
    say(health::Health::down);
    follow();
    there([] { run("ip addr add 10.9.0.100/24 dev eth1"); });
    say(health::Health::up);
    follow();
    run_for(std::chrono::milliseconds(1500));
    EXPECT_FALSE(is_here());
    EXPECT_EQ(kinds(), std::vector{Kind::vip_given_up});
    there([] { run("ip addr del 10.9.0.100/24 dev eth1"); });
    follow();
    EXPECT_TRUE(run_until([&] { return is_here(); }));
}

// Whoever restarts meanwhile, or reads its files again, is not refused for it.
TEST_F(VipDutyTest, WhatMayHaveBeenGivenUpIsAskedForOnlyWhenItIsTaken) {
    there([] { run("ip addr add 10.9.0.100/24 dev eth1"); });
    duty_->begin(state_.config());
    say(health::Health::up);
    EXPECT_EQ(duty_->missing(state_.config()).size(), 1);
    EXPECT_TRUE(duty_->to_hold(state_.config()).empty());
    ASSERT_TRUE(duty_->hold(state_.config()));
    duty_->keep(state_.config());
    EXPECT_FALSE(is_here()) << "two hosts would have it";
    EXPECT_EQ(duty_->to_hold(config("")).size(), 1) << "one that is not given up";
    there([] { run("ip addr del 10.9.0.100/24 dev eth1"); });
    follow();
    EXPECT_TRUE(run_until([&] { return is_here(); }));
    say(health::Health::down);
    follow();
    say(health::Health::up);
    EXPECT_TRUE(duty_->to_hold(state_.config()).empty()) << "given up, as before a start";
}

TEST_F(VipDutyTest, ARestartKeepsTheAddressThatItHas) {
    run("ip addr add 10.9.0.100/32 dev eth0");
    duty_->begin(state_.config());
    say(health::Health::up);
    EXPECT_EQ(duty_->to_hold(state_.config()).size(), 1);
}

TEST_F(VipDutyTest, OneAddressThatIsTakenBarsNoOther) {
    state_.set_config(two_vips());
    there([] { run("ip addr add 10.9.0.101/24 dev eth1"); });
    duty_->begin(state_.config());
    say(health::Health::up);
    const auto& other = state_.config().services.at(1);
    state_.set_health({"mail", "mail1"}, key_of(other.backends.at(0)),
                      {health::Health::up, 100, {}});
    follow();
    EXPECT_TRUE(run_until([&] { return is_here(); }));
}

TEST_F(VipDutyTest, ASecondThoughtIsHeeded) {
    say(health::Health::up);
    ASSERT_TRUE(duty_->hold(state_.config()));
    say(health::Health::down);
    follow();
    say(health::Health::up);
    follow();
    say(health::Health::down);
    follow();
    run_for(std::chrono::milliseconds(1500));
    EXPECT_FALSE(is_here()) << "while the network was asked, it fell again";
}

TEST_F(VipDutyTest, WhileAClusterDecidesItRests) {
    say(health::Health::up);
    ASSERT_TRUE(duty_->hold(state_.config()));
    ASSERT_TRUE(is_here());
    EXPECT_EQ(duty_->rest(), std::vector<Address>{ip("10.9.0.100")});
    EXPECT_TRUE(is_here()) << "left to whoever has it next";
    say(health::Health::down);
    follow();
    EXPECT_TRUE(is_here());
    EXPECT_TRUE(kinds().empty()) << "this node does not have it";
    state_.set_held(ip("10.9.0.100"), true);
    follow();
    EXPECT_EQ(kinds(), std::vector{Kind::vip_given_up}) << "it has, and takeover lets it go";
    EXPECT_TRUE(is_here());
    say(health::Health::up);
    duty_->wake();
    duty_->keep(state_.config());
    follow();
    run_until([&] { return keeper_->status().contains(ip("10.9.0.100")); });
    EXPECT_TRUE(is_here());
    say(health::Health::down);
    follow();
    EXPECT_FALSE(is_here()) << "it is its own business again";
}

TEST_F(VipDutyTest, OfAClusterItTakesNothing) {
    const auto with_cluster = config_of(head_text() + testing::cluster_text(100, 150) +
                                        service_text("web", 80) + backend_text("web1", "10.9.0.2"));
    EXPECT_EQ(duty_->wanted(with_cluster).size(), 1U) << "an address of ours may stay";
    EXPECT_TRUE(duty_->missing(with_cluster).empty());
    EXPECT_TRUE(duty_->to_hold(with_cluster).empty());
}

TEST_F(VipDutyTest, AnotherPriorityIsNoOtherVip) {
    say(health::Health::up);
    ASSERT_TRUE(duty_->hold(state_.config()));
    model::Config edited = state_.config();
    edited.vips.at(0).priority["lb1"] = 7;
    ASSERT_TRUE(duty_->release_others(edited));
    EXPECT_TRUE(is_here());
    EXPECT_TRUE(duty_->missing(edited).empty());
    edited.vips.at(0).interface = "eth7";
    ASSERT_TRUE(duty_->release_others(edited));
    EXPECT_FALSE(is_here());
}

TEST_F(VipDutyTest, OnceStoppedItTakesNothing) {
    say(health::Health::up);
    duty_->take_back();
    duty_->stop();
    run_for(std::chrono::milliseconds(1500));
    EXPECT_FALSE(is_here());
}

TEST_F(VipDutyTest, AnEditThatAsksForTheVipGetsIt) {
    follow();
    ASSERT_EQ(kinds(), std::vector{Kind::vip_given_up});
    state_.set_config(config(""));
    ASSERT_TRUE(duty_->release_others(state_.config()));
    ASSERT_TRUE(duty_->hold(state_.config()));
    EXPECT_TRUE(is_here());
    follow();
    EXPECT_EQ(kinds(), (std::vector{Kind::vip_given_up, Kind::vip_taken_back}));
    ASSERT_TRUE(duty_->release_others({}));
    EXPECT_FALSE(is_here()) << "of another configuration";
}

}  // namespace
}  // namespace bascule::node
