// SPDX-License-Identifier: Apache-2.0
// VIPs of whole heartbeat threads with each other on loopback. Limits are generous: what is
// asserted is what happens, not how soon.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/sync/vip_bed.h"

namespace bascule::sync {
namespace {

using namespace std::chrono_literals;
using What = VipDuty::What;

constexpr VipId web = 0xdeadbeef;
constexpr VipId mail = 2;

class HeartbeatTakeover : public testing::Test {
protected:
    explicit HeartbeatTakeover(int size = 2) : bed(loopback_cluster(size, 1, 20ms)) {}

    VipNode& start(int number, std::vector<TakeoverVip> vips) {
        auto& place = nodes[number];
        place.reset();
        place = std::make_unique<VipNode>(bed, "lb" + std::to_string(number), ++incarnation,
                                          std::move(vips));
        return *place;
    }
    void start_pair() {
        start(1, {{web, 200}});
        start(2, {{web, 100}});
        ASSERT_TRUE(wait_for([&] { return settled("lb1"); }));
    }
    bool wait_for(const std::function<bool()>& done) {
        return bed.wait_for([&] {
            serve();
            return done();
        });
    }
    void pass(Nanoseconds time) {
        const auto end = std::chrono::steady_clock::now() + time;
        while (std::chrono::steady_clock::now() < end) {
            bed.pass(5ms);
            serve();
        }
    }
    void serve() {
        for (const auto& [number, node] : nodes)
            if (node) node->serve();
    }
    // All say that this one holds it, and it does, and nobody else.
    bool settled(const std::string& name, VipId vip = web) {
        return std::ranges::all_of(nodes, [&](const auto& one) {
            if (!one.second) return true;
            const bool is_it = "lb" + std::to_string(one.first) == name;
            return one.second->holder(vip) == name && one.second->holds(vip) == is_it &&
                   one.second->found(vip) == is_it;
        });
    }

    HeartbeatBed bed;
    Incarnation incarnation = 10;
    std::map<int, std::unique_ptr<VipNode>> nodes;
};

TEST_F(HeartbeatTakeover, OneHoldsIt) {
    start_pair();
    const VipNode& one = *nodes[1];
    EXPECT_TRUE(one.moved(web, VipMove::What::taken));
    EXPECT_GT(one.report.highest_epoch, 0u);
    EXPECT_EQ(one.view(web)->role, VipRole::holding);
    EXPECT_EQ(nodes[2]->view(web)->holder_epoch, one.view(web)->epoch);
    EXPECT_EQ(one.report.moves_lost, 0u);
    // Found all the time, by deadlines that are set anew with each round.
    const std::size_t before = one.rounds();
    for (int i = 0; i < 20; ++i) {
        pass(10ms);
        EXPECT_TRUE(one.holds(web)) << i;
    }
    EXPECT_GT(one.rounds(), before + 2);
    ASSERT_TRUE(
        wait_for([&] { return one.view(web)->next == "lb2" && one.view(web)->next_ready; }));
}

// Two VIPs, each with another one first; both go to who is left.
TEST_F(HeartbeatTakeover, WhoIsLeftTakesWhatTheDeadHad) {
    start(1, {{web, 200}, {mail, 100}});
    start(2, {{web, 100}, {mail, 200}});
    ASSERT_TRUE(wait_for([&] { return settled("lb1", web) && settled("lb2", mail); }));
    const Epoch before = nodes[2]->report.highest_epoch;
    nodes[1].reset();
    const auto then = std::chrono::steady_clock::now();
    ASSERT_TRUE(wait_for([&] { return settled("lb2", web) && settled("lb2", mail); }));
    std::printf(
        "taken %.1f ms after its death\n",
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - then).count());
    EXPECT_GT(nodes[2]->report.highest_epoch, before);
    // And back, when it is there again, and in step.
    start(1, {{web, 200}, {mail, 100}});
    ASSERT_TRUE(wait_for([&] { return settled("lb1", web) && settled("lb2", mail); }));
}

TEST_F(HeartbeatTakeover, ByTheOperatorsWord) {
    start_pair();
    pass(1200ms);  // until both are known to be in step
    EXPECT_TRUE(nodes[1]->port().move_vip(web));
    ASSERT_TRUE(wait_for([&] { return settled("lb2"); }));
    // Not back by itself: it was the operator's word. By another one it is.
    pass(1500ms);
    EXPECT_TRUE(settled("lb2"));
    EXPECT_TRUE(nodes[1]->port().move_vip(web));
    EXPECT_TRUE(wait_for([&] { return settled("lb1"); }));
}

TEST_F(HeartbeatTakeover, WhoLeavesHandsOver) {
    start_pair();
    pass(1200ms);
    OwnFitness leaving = nodes[1]->fit();
    leaving.leaving = true;
    nodes[1]->set_fitness(leaving);
    ASSERT_TRUE(wait_for([&] { return settled("lb2"); }));
    EXPECT_TRUE(nodes[1]->moved(web, VipMove::What::released));
    EXPECT_TRUE(nodes[2]->moved(web, VipMove::What::taken));
}

// A host that stands still is not found any more before another one takes the VIP; when it goes on
// it lets go before anything else, and that it has seen nothing meanwhile is nobody's death.
TEST_F(HeartbeatTakeover, WhoStandsStill) {
    start_pair();
    VipNode& one = *nodes[1];
    const VipNode& two = *nodes[2];
    one.sleep();
    bool both = false;
    ASSERT_TRUE(wait_for([&] {
        // In this order: what is found now and was found before.
        const bool found = two.found(web);
        both = both || (found && one.found(web));
        return found;
    }));
    EXPECT_FALSE(both);
    pass(300ms);
    EXPECT_FALSE(one.found(web));
    EXPECT_EQ(one.duty(web), What::held);  // it knows nothing of it
    one.wake();
    ASSERT_TRUE(wait_for([&] { return one.duty(web) != What::held; }));
    EXPECT_FALSE(one.found(web));
    EXPECT_TRUE(two.holds(web));
    ASSERT_TRUE(wait_for([&] { return one.report.slept > 0; }));
    EXPECT_EQ(one.report.peers.at(0).died, 0u);
    // It comes back in its turn: nobody has to die for it.
    EXPECT_TRUE(wait_for([&] { return settled("lb1"); }));
}

TEST_F(HeartbeatTakeover, WhoIsAloneKeepsItThroughASleep) {
    VipNode& one = start(1, {{web, 200}});
    ASSERT_TRUE(wait_for([&] { return one.holds(web); }));
    one.sleep();
    pass(1s);
    EXPECT_TRUE(one.found(web));
    one.wake();
    ASSERT_TRUE(wait_for([&] { return one.report.slept > 0; }));
    pass(200ms);
    EXPECT_TRUE(one.holds(web));
    EXPECT_FALSE(one.moved(web, VipMove::What::released));
}

TEST_F(HeartbeatTakeover, OtherVipsByAnotherConfiguration) {
    start_pair();
    TakeoverOptions options;
    options.self = "nobody";  // the port knows better
    for (const auto& [number, node] : nodes) {
        options.vips = {{mail, static_cast<std::uint32_t>(number)}};
        node->port().set_takeover(options);
        OwnFitness fitness = node->fit();
        fitness.vips = {{.vip = mail, .carrier = true}};
        node->set_fitness(fitness);
    }
    ASSERT_TRUE(wait_for([&] { return settled("lb2", mail); }));
    for (const auto& [number, node] : nodes) {
        EXPECT_EQ(node->duty(web), What::absent);
        EXPECT_EQ(node->report.vips.size(), 1u);
    }
}

// What nobody could send, or would understand, is refused where it is asked for.
TEST_F(HeartbeatTakeover, OptionsThatMakeNoHeartbeat) {
    VipNode& one = start(1, {{web, 200}});
    const auto refused = [&](const TakeoverOptions& options) {
        EXPECT_THROW(one.port().set_takeover(options), std::invalid_argument);
    };
    TakeoverOptions options;
    options.vips = {{web, 1}, {web, 2}};
    refused(options);
    options.vips = {{web, 256}};
    refused(options);
    options.vips = {{web, 255}};
    options.epoch_floor = most_epoch + 1;
    refused(options);
    options.epoch_floor = 0;
    options.vips.clear();
    for (VipId vip = 0; vip <= most_vips; ++vip)
        options.vips.push_back({vip, 1});
    refused(options);
    EXPECT_THROW(start(2, options.vips), std::invalid_argument);
    ASSERT_TRUE(wait_for([&] { return one.holds(web); }));
}

// As many as there may be.
TEST_F(HeartbeatTakeover, SixtyFourVips) {
    std::vector<TakeoverVip> vips;
    for (VipId vip = 1; vip <= most_vips; ++vip)
        vips.push_back({~vip, 254});
    start(1, vips);
    for (TakeoverVip& vip : vips)
        ++vip.priority;
    start(2, vips);
    ASSERT_TRUE(wait_for([&] {
        return std::ranges::all_of(vips,
                                   [&](const TakeoverVip& vip) { return settled("lb2", vip.vip); });
    }));
    for (const auto& [number, node] : nodes) {
        EXPECT_EQ(node->report.vips.size(), most_vips);
        for (const PathState& path : node->report.paths) {
            EXPECT_EQ(path.send_errors, 0u);
            EXPECT_EQ(std::ranges::count(path.unopened, 0u), std::ssize(path.unopened));
        }
    }
}

class ThreeNodes : public HeartbeatTakeover {
protected:
    ThreeNodes() : HeartbeatTakeover(3) {}
};

TEST_F(ThreeNodes, OneAfterTheOther) {
    start(1, {{web, 100}});
    start(2, {{web, 255}});
    start(3, {{web, 200}});
    for (const int next : {2, 3, 1}) {
        ASSERT_TRUE(wait_for([&] { return settled("lb" + std::to_string(next)); })) << next;
        nodes[next].reset();
    }
}

// A control thread that is away hears of each move when it is back.
TEST_F(HeartbeatTakeover, MovesWaitForTheControlThread) {
    const auto one = std::make_unique<VipNode>(bed, "lb1", 1, std::vector<TakeoverVip>{{web, 9}});
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!one->holds(web) && std::chrono::steady_clock::now() < end) {
        one->serve();
        std::this_thread::sleep_for(5ms);
    }
    one->serve();
    std::this_thread::sleep_for(300ms);
    OwnFitness without = one->fit();
    without.vips[0].carrier = false;
    one->set_fitness(without);
    while (one->duty(web) == What::held && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(5ms);
    std::this_thread::sleep_for(300ms);
    EXPECT_TRUE(one->moves.empty());
    bed.io.restart();
    bed.io.run_one_for(5s);
    ASSERT_EQ(one->moves.size(), 2u);
    EXPECT_EQ(one->moves[0].what, VipMove::What::taken);
    EXPECT_EQ(one->moves[1].what, VipMove::What::released);
    bed.pass(300ms);
    EXPECT_EQ(one->moves.size(), 2u);
}

}  // namespace
}  // namespace bascule::sync
