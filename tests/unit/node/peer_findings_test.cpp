// SPDX-License-Identifier: Apache-2.0
// What status says of the cluster: a state that passes by itself is nothing, what stays has its
// words.
#include "node/peer_findings.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using Level = Finding::Level;
using sync::Liveness;

constexpr sync::Moment now{std::chrono::hours(1)};

class PeerFindingsTest : public testing::Test {
protected:
    PeerFindingsTest() {
        model::ClusterNodeConfig peer;
        peer.name = "lb2";
        peer.addresses = {{Address::v4({10, 9, 0, 12}), 7400}};
        facts_.peers = {peer};
        facts_.view = &view_;
        facts_.now = now;
        facts_.key_file = "/etc/bascule/cluster.key";
        view_.began = now - 60s;
        view_.heartbeats.peers.resize(1);
        view_.heartbeats.peers[0].liveness = Liveness::alive;
        view_.heartbeats.paths.resize(1);
        view_.heartbeats.paths[0].own = {Address::v4({10, 9, 0, 11}), 7400};
        view_.replication.replica.resize(1);
        view_.replication.streams.peers.resize(1);
        view_.notes.resize(1);
        view_.notes[0].paths.resize(1);
        view_.unopened.resize(1);
    }
    // The one finding.
    void expect(Level level, const std::string& part) {
        const auto found = peer_findings(facts_);
        ASSERT_EQ(found.size(), 1U) << part;
        EXPECT_EQ(found[0].level, level) << found[0].what;
        EXPECT_NE(found[0].what.find(part), std::string::npos) << found[0].what;
    }
    void expect_nothing() { EXPECT_TRUE(peer_findings(facts_).empty()); }
    PeerNotes& notes() { return view_.notes[0]; }

    ClusterView view_;
    ClusterFacts facts_;
};

TEST_F(PeerFindingsTest, NothingIsWrong) {
    expect_nothing();
    facts_.view = nullptr;
    expect_nothing();
}

TEST_F(PeerFindingsTest, ANodeThatSpeaksToNobodySaysWhy) {
    facts_.view = nullptr;
    facts_.cluster_problem = "cluster edge: no descriptors";
    expect(Level::problem, "cluster edge: no descriptors");
}

TEST_F(PeerFindingsTest, TheLinkOfTheVipsIsClosed) {
    view_.heartbeats.wire.problem = "no packet socket: Operation not permitted";
    expect(Level::notice, "on the links of VIPs: no packet socket: Operation not permitted");
}

TEST_F(PeerFindingsTest, DeadPeers) {
    notes().dead = now - 1s;
    view_.heartbeats.peers[0].liveness = Liveness::dead;
    notes().paths[0].silent = now - 10s;
    notes().other_config = now - 10s;
    expect(Level::problem, "peer lb2 is dead");
}

TEST_F(PeerFindingsTest, OneThatNeverSpokeHasAMomentToDoSo) {
    notes().dead = now - 60s;
    view_.heartbeats.peers[0].liveness = Liveness::unknown;
    expect(Level::problem, "peer lb2 has not been heard of");
    view_.began = now - 2s;
    expect_nothing();
}

TEST_F(PeerFindingsTest, Paths) {
    notes().paths[0].silent = now - 500ms;
    expect_nothing();
    notes().paths[0].silent = now - 2s;
    expect(Level::problem, "10.9.0.12:7400 is down");
    notes().paths[0].silent.reset();
    notes().paths[0].unheard = now - 2s;
    expect(Level::problem, "10.9.0.12:7400 is one-way");
    notes().paths[0].unheard.reset();
    view_.heartbeats.paths[0].problem = "no such address";
    expect(Level::problem, "10.9.0.11:7400: no such address");
}

TEST_F(PeerFindingsTest, APathOnWhichAllIsRefusedIsNotSoughtInTheCable) {
    notes().paths[0].silent = now - 2s;
    EXPECT_NE(peer_findings(facts_).at(0).mend.find("cable"), std::string::npos);
    const auto key = static_cast<std::size_t>(sync::Unopened::unknown_key);
    view_.unopened[0].reasons[key].grew = now - 1s;
    EXPECT_NE(peer_findings(facts_).at(0).mend.find("refused"), std::string::npos);
}

TEST_F(PeerFindingsTest, Steps) {
    notes().behind = now - 1s;
    expect_nothing();
    notes().behind = now - 4s;
    view_.replication.replica[0].behind = "resync: 3 of 1024 partitions";
    view_.replication.streams.peers[0].connected = true;
    expect(Level::problem, "not in step with lb2: resync: 3 of 1024");
    view_.replication.streams.peers[0].connected = false;
    view_.replication.streams.peers[0].problem = "connection refused";
    expect(Level::problem, "not in step with lb2: connection refused");
}

TEST_F(PeerFindingsTest, OtherConfigurationAndOtherRings) {
    notes().other_config = now - 2s;
    notes().other_ring = now - 2s;
    expect_nothing();
    notes().other_config = now - 4s;
    expect(Level::problem, "lb2 runs another configuration");
    notes().other_config.reset();
    notes().other_ring = now - 4s;
    expect(Level::problem, "lb2 chooses other backends");
}

TEST_F(PeerFindingsTest, Clocks) {
    view_.heartbeats.peers[0].wall_skew = 900ms;
    expect_nothing();
    view_.heartbeats.peers[0].wall_skew = -2500ms;
    expect(Level::notice, "the clock of lb2 is 2.5 s behind");
}

TEST_F(PeerFindingsTest, RefusedHeartbeatsAreAProblemWhileAPeerIsMissing) {
    const auto key = static_cast<std::size_t>(sync::Unopened::unknown_key);
    view_.unopened[0].reasons[key].grew = now - 1s;
    expect(Level::notice, "heartbeats from a peer's address at 10.9.0.11:7400 are refused");
    view_.notes[0].dead = now - 60s;
    const auto found = peer_findings(facts_);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[1].level, Level::problem);
    EXPECT_NE(found[1].mend.find("/etc/bascule/cluster.key"), std::string::npos);
    view_.notes[0].dead.reset();
    view_.unopened[0].reasons[key].grew = now - 60s;
    expect_nothing();
}

TEST_F(PeerFindingsTest, WhatIsRefusedHasItsMend) {
    using sync::Unopened;
    for (const auto& [why, part] : {std::pair{Unopened::not_authentic, "/etc/bascule/cluster.key"},
                                    std::pair{Unopened::other_cluster, "[cluster] name"},
                                    std::pair{Unopened::unknown_sender, "[[cluster.node]]"}}) {
        view_.unopened[0].reasons = {};
        view_.unopened[0].reasons[static_cast<std::size_t>(why)].grew = now - 1s;
        const auto found = peer_findings(facts_);
        ASSERT_EQ(found.size(), 1U) << part;
        EXPECT_NE(found[0].mend.find(part), std::string::npos) << found[0].mend;
    }
}

TEST_F(PeerFindingsTest, TheRest) {
    notes().incompatible = true;
    expect(Level::problem, "lb2 runs a release");
    notes().incompatible = false;
    view_.replication.streams.problems = {"cannot listen at 10.9.0.11:7400"};
    expect(Level::problem, "cannot listen");
    view_.replication.streams.problems.clear();
    facts_.shared_problem = "shared.json: No space left on device";
    expect(Level::problem, "No space left");
    facts_.view = nullptr;
    expect(Level::problem, "No space left");
}

}  // namespace
}  // namespace bascule::node
