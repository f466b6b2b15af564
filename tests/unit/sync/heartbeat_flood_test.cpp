// SPDX-License-Identifier: Apache-2.0
// 50,000 datagrams a second that nobody of the cluster has sent. They change nothing, and what
// leaves this node goes on leaving it: how regularly is printed.
#include "tests/unit/sync/heartbeat_flood.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tests/unit/sync/heartbeat_bed.h"
#include "tests/unit/sync/sealed.h"

namespace bascule::sync {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t flood_rate = 50'000;  // a second
constexpr auto interval = 20ms;

// lb1 is flooded, lb2 is its peer, lb3 only listens to what lb1 says to it.
class HeartbeatFlood : public testing::Test {
protected:
    HeartbeatFlood() : bed(made()), listener(bed.cluster.nodes[2].addresses[0]) {}

    static model::ClusterConfig made() {
        auto out = loopback_cluster(3, 1, interval);
        out.dead_after = 10;  // a test's machine has other things to do
        return out;
    }
    void SetUp() override {
        ASSERT_TRUE(listener.ready());
        one = bed.start("lb1", 11);
        two = bed.start("lb2", 22);
        ASSERT_TRUE(bed.wait_for(
            [&] { return one->sees(0) == Liveness::alive && two->sees(0) == Liveness::alive; }));
    }
    // Between two heartbeats of lb1 to lb3, in milliseconds.
    struct Gap {
        double longest = 0;
        double longest_at_best = 0;  // in the best half of a second
    };
    Gap longest_gap(std::chrono::milliseconds during, const char* what) {
        listener.arrivals(address_of(1));
        std::vector<double> times;
        for (auto left = during; left > 0ms; left -= 100ms) {
            bed.pass(100ms);
            const auto more = listener.arrivals(address_of(1));
            times.insert(times.end(), more.begin(), more.end());
        }
        const Gap gap = measure(times);
        std::printf(
            "%s: %zu heartbeats in %lld ms, longest gap %.2f ms, in the best half of a second "
            "%.2f (interval %lld ms), %s\n",
            what, times.size(), static_cast<long long>(during.count()), gap.longest,
            gap.longest_at_best, static_cast<long long>(interval.count()),
            one->report.priority.c_str());
        EXPECT_GT(times.size(), 0u);
        return gap;
    }
    static Gap measure(const std::vector<double>& times) {
        Gap gap{0, 1e9};
        double in_window = 0;
        double begin = times.empty() ? 0 : times.front();
        for (std::size_t i = 1; i < times.size(); ++i) {
            const double each = 1000 * (times[i] - times[i - 1]);
            gap.longest = std::max(gap.longest, each);
            in_window = std::max(in_window, each);
            if (times[i] - begin < 0.5) continue;
            gap.longest_at_best = std::min(gap.longest_at_best, in_window);
            in_window = 0;
            begin = times[i];
        }
        return gap;
    }
    // The machine may let the test wait now and then; it does not do so in each half of a second.
    void expect_unmoved(const Gap& gap) {
        EXPECT_LT(gap.longest, 10.0 * interval.count());
        EXPECT_LE(gap.longest_at_best, 2.0 * interval.count()) << "none later than an interval";
        EXPECT_EQ(one->sees(0), Liveness::alive);
        EXPECT_EQ(two->sees(0), Liveness::alive);
        EXPECT_EQ(one->report.peers[0].suspected, 0u);
        EXPECT_EQ(two->report.peers[0].suspected, 0u);
        EXPECT_EQ(one->changes.size(), 1u);
        EXPECT_EQ(two->changes.size(), 1u);
        EXPECT_LT(one->report.peers[0].paths[0].loss, 0.2);
        EXPECT_EQ(one->report.peers[0].unverified, unverified_before);
    }
    model::Endpoint address_of(int node) const {
        return bed.cluster.nodes[static_cast<std::size_t>(node - 1)].addresses[0];
    }

    HeartbeatBed bed;
    Listener listener;
    std::unique_ptr<BedNode> one;
    std::unique_ptr<BedNode> two;
    std::uint64_t unverified_before = 0;
};

TEST_F(HeartbeatFlood, FromStrangers) {
    unverified_before = one->report.peers[0].unverified;
    const Gap quiet = longest_gap(1s, "quiet");
    std::vector<model::Endpoint> from;
    for (int i = 0; i < 20; ++i)
        from.push_back({loopback(200 + i), static_cast<std::uint16_t>(i % 2 == 0 ? 7400 : 7401)});
    // Authentic, what is more: recorded from a peer.
    const Datagram datagram = sealed(key_of(1), "main", "lb2", Datagram(100, 7));
    Flood flood(Flood::strangers(from), address_of(1), datagram, flood_rate);
    const Gap gap = longest_gap(3s, "strangers");
    const std::size_t sent = flood.stop();
    bed.pass(200ms);
    std::printf("quiet %.2f ms; %zu sent, %llu counted as strangers', %llu read\n", quiet.longest,
                sent, static_cast<unsigned long long>(one->report.paths[0].from_strangers),
                static_cast<unsigned long long>(one->report.paths[0].datagrams));
    expect_unmoved(gap);
    EXPECT_EQ(one->unopened(), 0u);
    EXPECT_GT(sent, 10'000u);
    // All that the kernel has not lost on the way, and none of them was read.
    EXPECT_LE(one->report.paths[0].from_strangers, sent);
    EXPECT_GT(one->report.paths[0].from_strangers, sent / 4);
    EXPECT_LT(one->report.paths[0].datagrams, 2000u);
}

// Rounds have fixed distances: what comes late does not move what comes after it.
TEST_F(HeartbeatFlood, TheQuietPaceDoesNotDrift) {
    listener.arrivals(address_of(1));
    std::vector<double> times;
    for (int i = 0; i < 20; ++i) {
        bed.pass(100ms);
        const auto more = listener.arrivals(address_of(1));
        times.insert(times.end(), more.begin(), more.end());
    }
    ASSERT_GT(times.size(), 20u);
    const double step = std::chrono::duration<double>(interval).count();
    double worst = 0;  // distance from the grid that the first one begins
    for (const double time : times) {
        const double phase = std::remainder(time - times.front(), step);
        worst = std::max(worst, std::abs(phase));
    }
    const double passed = times.back() - times.front();
    std::printf("%zu heartbeats in %.4f s, %.3f ms off their grid at most, %.3f ms at the end\n",
                times.size(), passed, 1000 * worst,
                1000 * std::remainder(times.back() - times.front(), step));
    // None is made up for, and none is sent besides.
    EXPECT_LE(static_cast<double>(times.size()), passed / step + 2);
}

// What it costs most: each has to be opened to be refused.
TEST_F(HeartbeatFlood, FromAPeersOwnAddress) {
    unverified_before = one->report.peers[0].unverified;
    auto forger = Flood::forger();
    if (::geteuid() != 0 && forger.empty()) GTEST_SKIP() << "raw sockets need root";
    ASSERT_FALSE(forger.empty()) << "no raw socket";
    Datagram garbage = sealed(key_of(1), "main", "lb2", Datagram(200, 7));
    garbage.back() ^= 1;  // looks right to the last byte
    Flood flood(std::move(forger), address_of(1),
                Flood::forged(address_of(2), address_of(1), garbage), flood_rate);
    const Gap gap = longest_gap(3s, "a peer's address");
    const std::size_t sent = flood.stop();
    bed.pass(200ms);
    const PathState& path = one->report.paths[0];
    std::printf("%zu sent, %llu not authentic, %llu dropped\n", sent,
                static_cast<unsigned long long>(one->unopened(Unopened::not_authentic)),
                static_cast<unsigned long long>(path.from_strangers));
    expect_unmoved(gap);
    EXPECT_GT(sent, 10'000u);
    EXPECT_GT(one->unopened(Unopened::not_authentic), 1000u);
    EXPECT_EQ(one->unopened(), one->unopened(Unopened::not_authentic));
    // Beyond what was sent, what a full buffer dropped may be the peer's own.
    EXPECT_LE(one->unopened() + path.from_strangers, sent + 1000);
}

// A recording of a peer's run that is over, from that peer's own address.
TEST_F(HeartbeatFlood, ARecordingOfAnEarlierRun) {
    auto forger = Flood::forger();
    if (::geteuid() != 0 && forger.empty()) GTEST_SKIP() << "raw sockets need root";
    ASSERT_FALSE(forger.empty()) << "no raw socket";
    Heartbeat old;
    old.node = "lb2";
    old.to = "lb1";
    old.incarnation = 5;
    old.sequence = 1'000'000;
    old.sent = ~0ull / 2;
    HeartbeatSealer sealer(keys_of({key_of(1)}), "main", "lb2");
    const auto span = sealer.seal(old);
    Flood flood(std::move(forger), address_of(1),
                Flood::forged(address_of(2), address_of(1), {span.begin(), span.end()}),
                flood_rate / 10);
    const Gap gap = longest_gap(2s, "a recording");
    flood.stop();
    bed.pass(200ms);
    EXPECT_GT(one->report.peers[0].unverified, 100u);
    unverified_before = one->report.peers[0].unverified;
    expect_unmoved(gap);
    EXPECT_EQ(one->report.peers[0].incarnation, 22u);
}

}  // namespace
}  // namespace bascule::sync
