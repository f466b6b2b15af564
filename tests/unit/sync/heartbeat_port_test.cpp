// SPDX-License-Identifier: Apache-2.0
// Whole heartbeat threads with each other on loopback. Limits are generous: what is asserted is
// what happens, not how soon.
#include "sync/heartbeat_port.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/descriptor.h"
#include "sync/socket_address.h"
#include "tests/unit/sync/heartbeat_bed.h"

namespace bascule::sync {
namespace {

using namespace std::chrono_literals;

bool has_change(const BedNode& node, Liveness to, bool restarted = false) {
    return std::any_of(node.changes.begin(), node.changes.end(), [&](const auto& change) {
        return change.to == to && change.restarted == restarted;
    });
}

TEST(HeartbeatPort, TwoNodesFindEachOther) {
    HeartbeatBed bed(loopback_cluster(2, 1, 20ms));
    const auto one = bed.start("lb1", 11);
    const auto two = bed.start("lb2", 22);
    NodeFacts facts;
    facts.attached = true;
    facts.config_hash = 77;
    facts.release = "0.1.0";
    two->port().set_facts(facts);
    ASSERT_TRUE(bed.wait_for([&] {
        return one->all_alive() && two->all_alive() && one->report.peers[0].facts == facts &&
               one->report.peers[0].paths[0].rtt > 0ns;
    }));
    EXPECT_TRUE(has_change(*one, Liveness::alive));
    const PeerView& peer = one->report.peers[0];
    EXPECT_EQ(peer.name, "lb2");
    EXPECT_EQ(peer.incarnation, 22u);
    EXPECT_LT(peer.wall_skew.value_or(1h), 10s);
    const PathState& path = one->report.paths.at(0);
    EXPECT_EQ(path.problem, "");
    EXPECT_GT(path.datagrams, 0u);
    EXPECT_EQ(path.send_errors, 0u);
    EXPECT_EQ(one->unopened(), 0u);
    EXPECT_FALSE(one->report.priority.empty());
    std::printf("priority: %s; rtt %.3f ms\n", one->report.priority.c_str(),
                std::chrono::duration<double, std::milli>(peer.paths[0].rtt).count());
}

TEST(HeartbeatPort, ThreeNodesOnTwoPathsOfBothFamilies) {
    model::ClusterConfig cluster = loopback_cluster(3, 2, 20ms);
    // One address for all of them, which has but one of its family: ports tell them apart.
    const auto port = static_cast<std::uint16_t>(20'000 + ::getpid() % 10'000 * 4);
    for (std::size_t i = 0; i < cluster.nodes.size(); ++i)
        cluster.nodes[i].addresses[1] = {*Address::parse("::1"),
                                         static_cast<std::uint16_t>(port + i)};
    HeartbeatBed bed(cluster);
    std::vector<std::unique_ptr<BedNode>> nodes;
    for (int i = 1; i <= 3; ++i)
        nodes.push_back(bed.start("lb" + std::to_string(i), static_cast<Incarnation>(i)));
    ASSERT_TRUE(bed.wait_for([&] {
        return std::all_of(nodes.begin(), nodes.end(), [](const auto& node) {
            return node->all_alive() &&
                   std::all_of(node->report.peers.begin(), node->report.peers.end(),
                               [](const PeerView& peer) {
                                   return peer.paths[0].hears_us && peer.paths[1].hears_us;
                               });
        });
    }));
    for (const auto& node : nodes)
        EXPECT_EQ(node->unopened(), 0u);
}

TEST(HeartbeatPort, WhoStopsIsDeadAndComesBack) {
    HeartbeatBed bed(loopback_cluster(2, 1, 20ms));
    const auto one = bed.start("lb1", 11);
    auto two = bed.start("lb2", 22);
    ASSERT_TRUE(bed.wait_for([&] { return one->all_alive() && two->all_alive(); }));
    two.reset();
    ASSERT_TRUE(bed.wait_for([&] { return one->sees(0) == Liveness::dead; }));
    EXPECT_TRUE(has_change(*one, Liveness::suspect));
    EXPECT_TRUE(has_change(*one, Liveness::dead));
    EXPECT_GT(one->probes, 0u);  // its stream was asked, too
    two = bed.start("lb2", 33);
    ASSERT_TRUE(bed.wait_for([&] { return one->all_alive() && two->all_alive(); }));
    EXPECT_TRUE(has_change(*one, Liveness::alive, true));
    EXPECT_EQ(one->report.peers[0].incarnation, 33u);
}

TEST(HeartbeatPort, WhoAnswersOnItsStreamIsNotDead) {
    HeartbeatBed bed(loopback_cluster(2, 1, 20ms));
    const auto one = bed.start("lb1", 11);
    auto two = bed.start("lb2", 22);
    ASSERT_TRUE(bed.wait_for([&] { return one->all_alive(); }));
    two.reset();
    std::size_t answered = 0;
    const auto end = std::chrono::steady_clock::now() + 1s;
    while (std::chrono::steady_clock::now() < end) {
        bed.pass(1ms);
        if (const std::size_t asked = one->probes; asked != answered) {
            answered = asked;
            one->port().stream_answered(0, {}, std::chrono::steady_clock::now());
        }
    }
    // Each answer is in time on a machine that is not busy; then it is suspect for the whole
    // second.
    EXPECT_GT(answered, 1u);
    std::printf("asked %zu times in a second of silence, dead %llu times\n", answered,
                static_cast<unsigned long long>(one->report.peers[0].died));
    ASSERT_TRUE(bed.wait_for([&] { return one->sees(0) == Liveness::dead; }));
}

TEST(HeartbeatPort, KeysAreRotatedWithoutOneUnopenedHeartbeat) {
    const SecretKey old_key = key_of(1);
    const SecretKey new_key = key_of(2);
    HeartbeatBed bed(loopback_cluster(3, 1, 10ms));
    std::vector<std::unique_ptr<BedNode>> nodes;
    for (int i = 1; i <= 3; ++i)
        nodes.push_back(
            bed.start("lb" + std::to_string(i), static_cast<Incarnation>(i), keys_of({old_key})));
    const auto all_alive = [&] {
        return std::all_of(nodes.begin(), nodes.end(),
                           [](const auto& node) { return node->all_alive(); });
    };
    ASSERT_TRUE(bed.wait_for(all_alive));
    for (const auto& step :
         {std::vector{old_key, new_key}, std::vector{new_key, old_key}, std::vector{new_key}}) {
        for (const auto& node : nodes) {
            node->port().set_keys(keys_of(step));
            bed.pass(50ms);
        }
        bed.pass(100ms);
    }
    ASSERT_TRUE(bed.wait_for(all_alive));
    for (const auto& node : nodes) {
        EXPECT_EQ(node->unopened(), 0u);
        EXPECT_GT(node->report.paths[0].datagrams, 50u);
    }
    // The rotation was real: who has the old key only is out.
    nodes[2]->port().set_keys(keys_of({old_key}));
    EXPECT_TRUE(bed.wait_for([&] {
        return nodes[0]->sees(1) == Liveness::dead && nodes[0]->unopened(Unopened::unknown_key) > 0;
    }));
    EXPECT_TRUE(bed.wait_for([&] { return nodes[0]->sees(0) == Liveness::alive; }));
}

// Each of these is at the right address and never becomes a member; the reason is counted.
TEST(HeartbeatPort, StrangersAtAPeersAddress) {
    HeartbeatBed bed(loopback_cluster(4, 1, 10ms));
    const auto one = bed.start("lb1", 11);
    const auto other_key = bed.start("lb2", 22, keys_of({key_of(9)}));
    model::ClusterConfig renamed = bed.cluster;
    renamed.name = "other";
    BedNode other_cluster(bed.io, renamed, "lb3", 33, keys_of({key_of(1)}));
    model::ClusterConfig misplaced = bed.cluster;  // says that it is lb2, at lb4's address
    std::swap(misplaced.nodes[1].addresses, misplaced.nodes[3].addresses);
    BedNode at_wrong_address(bed.io, misplaced, "lb2", 44, keys_of({key_of(1)}));
    EXPECT_TRUE(bed.wait_for([&] {
        return one->unopened(Unopened::unknown_key) > 10 &&
               one->unopened(Unopened::other_cluster) > 10 &&
               one->unopened(Unopened::unknown_sender) > 10;
    }));
    for (std::size_t peer = 0; peer < 3; ++peer)
        EXPECT_EQ(one->sees(peer), Liveness::unknown) << peer;
    EXPECT_TRUE(one->changes.empty());
}

TEST(HeartbeatPort, WordsForAnAddressThatCannotBeUsed) {
    model::ClusterConfig cluster = loopback_cluster(2, 2, 20ms);
    cluster.nodes[0].addresses[0].address = *Address::parse("192.0.2.77");
    HeartbeatBed bed(cluster);
    Descriptor taken(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto address = socket_address(cluster.nodes[0].addresses[1]);
    ASSERT_EQ(::bind(taken.get(), address.get(), address.length), 0);
    const auto one = bed.start("lb1", 11);
    ASSERT_TRUE(bed.wait_for([&] { return one->reports > 0; }));
    EXPECT_EQ(one->report.paths[0].problem, "192.0.2.77 is not an address of this host");
    EXPECT_EQ(one->report.paths[1].problem,
              "another program has UDP " + loopback(51).to_string() + ":7400");
    // Given back, it is used within a second or so.
    taken.reset();
    EXPECT_TRUE(bed.wait_for([&] { return one->report.paths[1].problem.empty(); }));
    EXPECT_FALSE(one->report.paths[0].problem.empty());
}

// News wait, merged into one, for a control thread that is away; nothing of them is lost.
TEST(HeartbeatPort, AControlThreadThatIsAway) {
    HeartbeatBed bed(loopback_cluster(2, 1, 10ms));
    const auto one = bed.start("lb1", 11);
    {
        boost::asio::io_context elsewhere;
        BedNode two(elsewhere, bed.cluster, "lb2", 22, keys_of({key_of(1)}));
        std::this_thread::sleep_for(1s);
    }
    std::this_thread::sleep_for(1s);
    EXPECT_EQ(one->reports, 0u);
    bed.io.restart();
    bed.io.run_one_for(5s);
    EXPECT_EQ(one->reports, 1u);
    ASSERT_GE(one->changes.size(), 3u);
    EXPECT_EQ(one->changes.front().to, Liveness::alive);
    EXPECT_EQ(one->changes.back().to, Liveness::dead);
    EXPECT_EQ(one->report.changes_lost, 0u);
}

TEST(HeartbeatPort, MayBeEndedByWhoItTells) {
    HeartbeatBed bed(loopback_cluster(2, 1, 10ms));
    std::unique_ptr<HeartbeatPort> port;
    std::size_t told = 0;
    const auto end_it = [&] {
        ++told;
        port.reset();
    };
    port = std::make_unique<HeartbeatPort>(
        bed.io, HeartbeatPortOptions{bed.cluster, "lb1", 11, "0.1.0"}, keys_of({key_of(1)}),
        HeartbeatPort::Callbacks{[&](const MembershipChange&) { end_it(); },
                                 [&](const HeartbeatReport&) { end_it(); }, [](std::size_t) {}});
    EXPECT_TRUE(bed.wait_for([&] { return told > 0; }));
    bed.pass(300ms);
    EXPECT_EQ(told, 1u);
}

TEST(HeartbeatPort, NothingComesAfterItsEnd) {
    HeartbeatBed bed(loopback_cluster(2, 1, 10ms));
    for (int i = 0; i < 20; ++i) {
        const auto one = bed.start("lb1", 11);
        std::this_thread::sleep_for(std::chrono::milliseconds(i));  // news may be waiting or not
        if (i % 2 == 0) bed.pass(1ms);
    }
    bed.pass(100ms);  // a handler that remembered one of them would crash
}

TEST(HeartbeatPort, ANodeThatIsNoneOfItsCluster) {
    HeartbeatBed bed(loopback_cluster(2, 1, 10ms));
    EXPECT_THROW(bed.start("lb3", 1), std::logic_error);
    EXPECT_THROW(bed.start("lb1", 1, ClusterKeys()), std::logic_error);
}

}  // namespace
}  // namespace bascule::sync
