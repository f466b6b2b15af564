// SPDX-License-Identifier: Apache-2.0
// Which events reports of peers make, and since when things are as they are.
#include "node/peer_watch.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using Kind = Event::Kind;
using sync::Liveness;

constexpr sync::Moment start{std::chrono::hours(1)};

model::ClusterNodeConfig node(const std::string& name, std::uint8_t last) {
    model::ClusterNodeConfig made;
    made.name = name;
    made.addresses = {{Address::v4({10, 9, 0, last}), 7400}, {Address::v4({10, 8, 0, last}), 7400}};
    return made;
}

std::vector<Kind> kinds(const std::vector<PeerWatch::Told>& told) {
    std::vector<Kind> all;
    for (const auto& one : told)
        all.push_back(one.kind);
    return all;
}

class PeerWatchTest : public testing::Test {
protected:
    PeerWatchTest() {
        report_.peers.resize(1);
        report_.peers[0].liveness = Liveness::alive;
        report_.peers[0].paths.resize(2);
        for (auto& path : report_.peers[0].paths)
            path.heard = path.hears_us = true;
        report_.paths.resize(2);
        replication_.replica.resize(1);
        replication_.streams.peers.resize(1);
    }
    std::vector<PeerWatch::Told> report(std::chrono::milliseconds at) {
        return watch_.on_heartbeats(report_, own_, start + at);
    }
    std::vector<PeerWatch::Told> replicate(std::chrono::milliseconds at) {
        return watch_.on_replication(replication_, report_, start + at);
    }

    PeerWatch watch_{{node("lb2", 12)}, 2};
    sync::HeartbeatReport report_;
    sync::NodeFacts own_;
    ReplicationView replication_;
};

// Three nodes: heartbeats of both peers come, before the stream with the second one stands.
TEST_F(PeerWatchTest, InStepIsWhoIsItWithEveryPeerThatLives) {
    report_.peers.resize(2);
    report_.peers[1].liveness = Liveness::suspect;
    replication_.replica.resize(2);
    replication_.replica[0].connected = replication_.replica[0].synced = true;
    EXPECT_FALSE(is_in_step(report_, replication_, true));
    replication_.replica[1].connected = replication_.replica[1].synced = true;
    EXPECT_TRUE(is_in_step(report_, replication_, true));
    replication_.replica[1].synced = false;
    report_.peers[1].liveness = Liveness::dead;
    EXPECT_TRUE(is_in_step(report_, replication_, true));
    // A stream of a peer that is dead does not count.
    report_.peers[0].liveness = Liveness::dead;
    replication_.replica[0].synced = false;
    EXPECT_TRUE(is_in_step(report_, replication_, true)) << "alone";
}

TEST_F(PeerWatchTest, WhoHasNotListenedYetIsNotAlone) {
    EXPECT_FALSE(is_in_step({}, {}, false)) << "nothing was heard so far";
    report_.peers[0].liveness = Liveness::unknown;
    EXPECT_FALSE(is_in_step(report_, replication_, false));
    EXPECT_TRUE(is_in_step(report_, replication_, true));
    report_.peers[0].liveness = Liveness::alive;
    EXPECT_FALSE(is_in_step(report_, {}, true)) << "of sessions nothing is known yet";
}

TEST_F(PeerWatchTest, AnIncarnationIsNewOnce) {
    EXPECT_TRUE(watch_.is_new(0, 7));
    EXPECT_FALSE(watch_.is_new(0, 7));
    EXPECT_TRUE(watch_.is_new(0, 8));
    EXPECT_FALSE(watch_.is_new(0, 8));
}

TEST_F(PeerWatchTest, ItLeavesItsPathsOnce) {
    sync::PeerView view;
    EXPECT_FALSE(watch_.has_left_paths(0, view));
    view.by_wire = true;
    EXPECT_TRUE(watch_.has_left_paths(0, view));
    EXPECT_FALSE(watch_.has_left_paths(0, view))
        << "whatever connects since does so by another way";
    view.by_wire = false;
    EXPECT_FALSE(watch_.has_left_paths(0, view));
    view.by_wire = true;
    EXPECT_TRUE(watch_.has_left_paths(0, view));
}

TEST_F(PeerWatchTest, APathThatIsSilentForLongIsDown) {
    auto told = report(0ms);
    ASSERT_EQ(kinds(told), (std::vector{Kind::path_up, Kind::path_up}));
    EXPECT_EQ(told[1].subject, "lb2 10.8.0.12:7400");
    report_.peers[0].paths[1].heard = false;
    EXPECT_TRUE(report(100ms).empty());
    report_.peers[0].paths[1].heard = true;
    EXPECT_TRUE(report(900ms).empty()) << "a short silence is loss";
    report_.peers[0].paths[1].heard = false;
    EXPECT_TRUE(report(1000ms).empty());
    EXPECT_TRUE(report(1900ms).empty());
    told = report(2000ms);
    ASSERT_EQ(kinds(told), std::vector{Kind::path_down});
    EXPECT_EQ(told[0].subject, "lb2 10.8.0.12:7400");
    EXPECT_TRUE(report(3000ms).empty()) << "told once";
    report_.peers[0].paths[1].heard = true;
    EXPECT_EQ(kinds(report(3100ms)), std::vector{Kind::path_up});
}

TEST_F(PeerWatchTest, AOneWayPathIsDown) {
    report(0ms);
    report_.peers[0].paths[0].hears_us = false;
    report(100ms);
    const auto told = report(1100ms);
    ASSERT_EQ(kinds(told), std::vector{Kind::path_down});
    EXPECT_NE(told[0].text.find("one way"), std::string::npos);
    EXPECT_TRUE(watch_.peers()[0].paths[0].unheard.has_value());
    EXPECT_FALSE(watch_.peers()[0].paths[0].silent.has_value());
}

TEST_F(PeerWatchTest, TheEndOfAPeerIsOneEvent) {
    report(0ms);
    report_.peers[0].liveness = Liveness::dead;
    for (auto& path : report_.peers[0].paths)
        path.heard = path.hears_us = false;
    EXPECT_TRUE(report(100ms).empty());
    EXPECT_TRUE(report(5000ms).empty());
    EXPECT_EQ(watch_.peers()[0].dead, start + 100ms);
    report_.peers[0].paths[0].heard = report_.peers[0].paths[0].hears_us = true;
    EXPECT_TRUE(report(5100ms).empty()) << "what is still heard of it is no path to it";
    sync::MembershipChange change{0, Liveness::suspect, Liveness::dead, false, "no heartbeat"};
    const auto told = watch_.on_change(change);
    ASSERT_TRUE(told.has_value());
    EXPECT_EQ(told->kind, Kind::peer_dead);
    EXPECT_EQ(told->subject, "lb2");
    EXPECT_EQ(told->text, "no heartbeat");
}

TEST_F(PeerWatchTest, DoubtIsNoEvent) {
    EXPECT_FALSE(watch_.on_change({0, Liveness::alive, Liveness::suspect, false, ""}));
    EXPECT_FALSE(watch_.on_change({0, Liveness::suspect, Liveness::alive, false, ""}));
    const auto by_stream =
        watch_.on_change({0, Liveness::dead, Liveness::suspect, false, "it answers by its stream"});
    ASSERT_TRUE(by_stream);
    EXPECT_EQ(by_stream->kind, Kind::peer_alive);
    EXPECT_EQ(by_stream->text, "it answers by its stream");
    EXPECT_EQ(watch_.on_change({0, Liveness::dead, Liveness::alive, false, ""})->kind,
              Kind::peer_alive);
    EXPECT_EQ(watch_.on_change({0, Liveness::alive, Liveness::alive, true, ""})->text,
              "it was restarted");
}

TEST_F(PeerWatchTest, HashesAreComparedOnceKnown) {
    own_.config_hash = 5;
    own_.ring_hash = 6;
    report(0ms);
    EXPECT_FALSE(watch_.peers()[0].other_config) << "the peer has not said its own";
    report_.peers[0].facts.config_hash = 9;
    report_.peers[0].facts.ring_hash = 6;
    report(100ms);
    report(200ms);
    EXPECT_EQ(watch_.peers()[0].other_config, start + 100ms);
    EXPECT_FALSE(watch_.peers()[0].other_ring);
    report_.peers[0].facts.config_hash = 5;
    report(300ms);
    EXPECT_FALSE(watch_.peers()[0].other_config);
}

TEST_F(PeerWatchTest, StepsInAndOutAreEvents) {
    report(0ms);
    EXPECT_TRUE(replicate(0ms).empty());
    EXPECT_EQ(watch_.peers()[0].behind, start);
    replication_.replica[0].synced = true;
    EXPECT_EQ(kinds(replicate(100ms)), std::vector{Kind::peer_synced});
    EXPECT_FALSE(watch_.peers()[0].behind);
    EXPECT_TRUE(replicate(200ms).empty());
    replication_.replica[0].synced = false;
    replication_.replica[0].behind = "resync: 3 of 1024 partitions";
    const auto told = replicate(300ms);
    ASSERT_EQ(kinds(told), std::vector{Kind::peer_unsynced});
    EXPECT_EQ(told[0].text, "resync: 3 of 1024 partitions");
}

TEST_F(PeerWatchTest, RefusalsAreToldNowAndThen) {
    report(0ms);
    replication_.streams.peers[0].refused = 1;
    replication_.streams.peers[0].problem = "another key";
    EXPECT_EQ(kinds(replicate(0ms)), std::vector{Kind::peer_refused});
    replication_.streams.peers[0].refused = 20;
    EXPECT_TRUE(replicate(2000ms).empty());
    replication_.streams.peers[0].refused = 40;
    EXPECT_EQ(kinds(replicate(61'000ms)), std::vector{Kind::peer_refused});

    const auto key = static_cast<std::size_t>(sync::Unopened::unknown_key);
    report_.paths[1].unopened[key] = 7;
    report_.paths[1].unopened[static_cast<std::size_t>(sync::Unopened::too_short)] = 7;
    EXPECT_EQ(kinds(report(61'100ms)), std::vector{Kind::peer_refused});
    EXPECT_EQ(watch_.unopened()[1].reasons[key].grew, start + 61'100ms);
    report_.paths[1].unopened[key] = 70;
    EXPECT_TRUE(report(61'200ms).empty());
    EXPECT_EQ(watch_.unopened()[1].reasons[key].grew, start + 61'200ms);
}

}  // namespace
}  // namespace bascule::node
