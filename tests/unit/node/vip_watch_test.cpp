// SPDX-License-Identifier: Apache-2.0
// Which events a cluster's VIPs make, and what is remembered of them.
#include "node/vip_watch.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using Kind = Event::Kind;
using What = sync::VipMove::What;

constexpr sync::Moment start{std::chrono::hours(1)};
const Address vip = Address::v4({10, 9, 0, 100});
const Address other = Address::v4({10, 9, 0, 101});

class VipWatchTest : public testing::Test {
protected:
    VipWatchTest() {
        watch_.set_vips({vip, other});
        report_.vips.resize(1);
        report_.vips[0].vip = sync::vip_id(vip);
        hold({"lb1"});
        report_.vips[0].next = "lb2";
        report_.vips[0].next_ready = true;
    }
    void hold(std::vector<std::string> holders) {
        report_.vips[0].holder = holders.empty() ? "" : holders.front();
        report_.vips[0].holders = std::move(holders);
    }
    // The events of a report that comes then, as "kind subject: text".
    std::vector<std::string> heartbeats(std::chrono::milliseconds after) {
        return told(watch_.on_heartbeats(report_, start + after));
    }
    std::vector<std::string> holder(std::chrono::milliseconds after) {
        return told(watch_.on_holder(holder_, start + after));
    }
    static std::vector<std::string> told(const std::vector<VipWatch::Told>& events) {
        std::vector<std::string> texts;
        for (const auto& event : events)
            texts.push_back(std::string(name_of(event.kind)) + " " + event.subject + ": " +
                            event.text);
        return texts;
    }
    const VipNotes& notes() const { return watch_.vips().at(vip); }

    using Texts = std::vector<std::string>;
    VipWatch watch_;
    sync::HeartbeatReport report_;
    VipHolderReport holder_;
};

TEST_F(VipWatchTest, MovesAreTold) {
    report_.moves = {{sync::vip_id(vip), What::taken, 8, "lb1 is dead"},
                     {sync::vip_id(other), What::offered, 9, "this node leaves"},
                     {sync::vip_id(other), What::released, 9, "lb2 has it with epoch 10"},
                     {sync::vip_id(vip), What::failed, 9, "no such interface"},
                     {12345, What::taken, 9, "of no VIP that is known"}};
    EXPECT_EQ(heartbeats(0ms), (Texts{"vip_taken 10.9.0.100: lb1 is dead (epoch 8)",
                                      "vip_released 10.9.0.101: lb2 has it with epoch 10",
                                      "vip_failed 10.9.0.100: no such interface"}));
    report_.moves.clear();
    EXPECT_EQ(heartbeats(100ms), Texts{});
}

TEST_F(VipWatchTest, TwoHoldersAreToldOnceAndAfterAMoment) {
    hold({"lb1", "lb2"});
    EXPECT_EQ(heartbeats(0ms), Texts{});
    EXPECT_EQ(heartbeats(400ms), Texts{}) << "a planned takeover looks like this";
    const Texts told{"vip_conflict 10.9.0.100: lb1 and lb2 hold it at once"};
    EXPECT_EQ(heartbeats(600ms), told);
    EXPECT_EQ(heartbeats(700ms), Texts{});
    hold({"lb2"});
    EXPECT_EQ(heartbeats(800ms), Texts{});
    EXPECT_FALSE(notes().two);
    hold({"lb1", "lb2"});
    EXPECT_EQ(heartbeats(900ms), Texts{});
    EXPECT_EQ(heartbeats(1500ms), told);
}

TEST_F(VipWatchTest, ItIsRememberedSinceWhen) {
    heartbeats(0ms);
    EXPECT_FALSE(notes().nobody || notes().no_next || notes().waits);
    hold({});
    report_.vips[0].waits = "not in step yet";
    report_.vips[0].next_ready = false;
    heartbeats(100ms);
    heartbeats(200ms);
    EXPECT_EQ(notes().nobody, start + 100ms);
    EXPECT_EQ(notes().waits, start + 100ms);
    EXPECT_EQ(notes().no_next, start + 100ms);
    watch_.set_vips({vip});
    EXPECT_EQ(notes().nobody, start + 100ms) << "it stays";
    watch_.set_vips({other});
    EXPECT_FALSE(watch_.vips().contains(vip));
}

TEST_F(VipWatchTest, ARivalIsToldOnceAndAgainAtTimes) {
    report_.vips[0].role = sync::VipRole::holding;
    heartbeats(0ms);
    const Mac mac{{2, 0, 0, 0, 0, 9}};
    holder_.rivals = {{vip, "eth0", mac, 1, start + 10s}};
    const Texts told{"vip_conflict 10.9.0.100: 02:00:00:00:00:09 answers for it on eth0"};
    EXPECT_EQ(holder(10s), Texts{}) << "it may be who takes the VIP, and we are about to let go";
    EXPECT_FALSE(watch_.is_rival(holder_.rivals[0]));
    EXPECT_EQ(holder(10400ms), told) << "one frame is enough";
    EXPECT_TRUE(watch_.is_rival(holder_.rivals[0]));
    EXPECT_EQ(holder(30s), Texts{}) << "told already";
    EXPECT_EQ(holder(71s), told);
    const VipRival gone = std::exchange(holder_.rivals, {}).front();
    EXPECT_EQ(holder(72s), Texts{});
    EXPECT_FALSE(watch_.is_rival(gone));
}

TEST_F(VipWatchTest, WhoHadItUntilNowIsNoRival) {
    holder_.rivals = {{vip, "eth0", Mac{{2, 0, 0, 0, 0, 9}}, 1, start}};
    EXPECT_EQ(holder(5s), Texts{}) << "this node does not have it";
    report_.vips[0].role = sync::VipRole::holding;
    heartbeats(5s);
    holder_.rivals[0].last = start + 5500ms;
    EXPECT_EQ(holder(9s), Texts{});
    holder_.rivals[0].last = start + 9s;
    EXPECT_EQ(holder(10s).size(), 1U);
}

TEST(VipWatch, NamesAreJoined) {
    EXPECT_EQ(in_words(std::vector<std::string>{}), "");
    EXPECT_EQ(in_words({"a"}), "a");
    EXPECT_EQ(in_words({"a", "b"}), "a and b");
    EXPECT_EQ(in_words({"a", "b", "c"}), "a, b and c");
}

}  // namespace
}  // namespace bascule::node
