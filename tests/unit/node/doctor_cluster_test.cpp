// SPDX-License-Identifier: Apache-2.0
// The cluster: one thing ill at a time.
#include "doctor_bed.h"

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using Result = DoctorCheck::Result;

Examination examined(const ClusterLook& look) {
    Examination examination;
    judge_cluster(look, examination);
    return examination;
}

template <typename Make>
Examination with_peer(Make make) {
    ClusterLook look = good_cluster();
    make(look.peers[0]);
    return examined(look);
}

TEST(DoctorCluster, OneThatIsWell) {
    const Examination examination = examined(good_cluster());
    EXPECT_EQ(codes_found(examination), Codes{});
    for (const char* code :
         {"own-address-missing", "path-closed", "wire-closed", "peer-silent", "peer-incompatible",
          "path-down", "path-one-way", "heartbeats-refused", "peer-config", "peer-ring",
          "sessions-behind", "clock-skew", "heartbeat-priority", "state-problem"})
        EXPECT_EQ(result_of(examination, code), Result::well) << code;
    for (const char* code : {"witness-none", "witness-silent"})
        EXPECT_EQ(result_of(examination, code), Result::not_needed) << code;
}

TEST(DoctorCluster, ANodeByItselfNeedsNone) {
    const Examination examination = examined(ClusterLook{});
    EXPECT_EQ(codes_found(examination), Codes{});
    EXPECT_EQ(result_of(examination, "peer-silent"), Result::not_needed);
    EXPECT_EQ(result_of(examination, "witness-none"), Result::not_needed);
}

TEST(DoctorCluster, WithoutADaemonOnlyTheFileIsKnown) {
    ClusterLook look = good_cluster();
    look.known = failure("no basculed answers");
    look.own[1].second = false;
    const Examination examination = examined(look);
    EXPECT_EQ(codes_found(examination), Codes{"own-address-missing"});
    EXPECT_EQ(result_of(examination, "peer-silent"), Result::not_made);
}

TEST(DoctorCluster, APathThatIsClosedForWantOfItsAddressIsToldOnce) {
    ClusterLook look = good_cluster();
    look.closed = {{"10.9.0.11:7400", "Address already in use"}};
    EXPECT_EQ(codes_found(examined(look)), Codes{"path-closed"});
    look.own[0].second = false;
    EXPECT_EQ(codes_found(examined(look)), Codes{"own-address-missing"});
}

TEST(DoctorCluster, TheLinkOfTheVipsIsClosed) {
    ClusterLook look = good_cluster();
    look.wire_problem = "no packet socket: Operation not permitted";
    const Examination examination = examined(look);
    EXPECT_EQ(codes_found(examination), Codes{"wire-closed"});
    EXPECT_NE(finding_of(examination, "wire-closed").advice.find("CAP_NET_RAW"), std::string::npos);
}

TEST(DoctorCluster, PeersThatAreIll) {
    EXPECT_EQ(codes_found(with_peer([](auto& peer) { peer.incompatible = true; })),
              Codes{"peer-incompatible"});
    EXPECT_EQ(codes_found(with_peer([](auto& peer) { peer.other_config = true; })),
              Codes{"peer-config"});
    EXPECT_EQ(codes_found(with_peer([](auto& peer) { peer.other_ring = true; })),
              Codes{"peer-ring"});
    EXPECT_EQ(codes_found(with_peer([](auto& peer) { peer.behind = "resync"; })),
              Codes{"sessions-behind"});
}

TEST(DoctorCluster, APeerThatIsSilentIsNothingElse) {
    const Examination examination = with_peer([](auto& peer) {
        peer.silent = peer.other_config = peer.other_ring = true;
        peer.paths[0].down = true;
    });
    EXPECT_EQ(codes_found(examination), Codes{"peer-silent"});
    EXPECT_NE(finding_of(examination, "peer-silent").advice.find("ping 10.9.0.12;"),
              std::string::npos);
}

TEST(DoctorCluster, PathsToPeers) {
    const Examination examination = with_peer([](auto& peer) {
        peer.paths[0].one_way = true;
        peer.paths[1].down = true;
    });
    EXPECT_EQ(codes_found(examination), (Codes{"path-down", "path-one-way"}));
    EXPECT_NE(finding_of(examination, "path-down").advice.find("ping fd00:9:1::12;"),
              std::string::npos);
}

TEST(DoctorCluster, Clocks) {
    for (const auto skew : {1'500ms, -3'600'000ms}) {
        const Examination examination = with_peer([&](auto& peer) { peer.skew = skew; });
        EXPECT_EQ(codes_found(examination), Codes{"clock-skew"});
    }
    EXPECT_EQ(finding_of(with_peer([](auto& peer) { peer.skew = -2s; }), "clock-skew").what,
              "the clock of lb2 is 2.0 s behind this one's");
    EXPECT_EQ(codes_found(with_peer([](auto& peer) { peer.skew = 900ms; })), Codes{});
    EXPECT_EQ(codes_found(with_peer([](auto& peer) { peer.skew.reset(); })), Codes{});
}

TEST(DoctorCluster, OneWitnessIsEnough) {
    ClusterLook look = good_cluster();
    look.witnesses = 2;
    look.silent_witnesses = {{"10.9.0.1", "no echo reply within 200ms"}};
    EXPECT_EQ(codes_found(examined(look)), Codes{});
    look.silent_witnesses.emplace_back("10.9.0.2", "");
    EXPECT_EQ(codes_found(examined(look)), Codes{"witness-silent"});
    look = good_cluster();
    look.paths = 1;
    EXPECT_EQ(codes_found(examined(look)), Codes{"witness-none"});
    look.witnesses = 1;
    EXPECT_EQ(codes_found(examined(look)), Codes{});
}

TEST(DoctorCluster, WhatThisNodeCannotDo) {
    ClusterLook look = good_cluster();
    look.refused = {{"10.9.0.11:7400", "sealed with a key that is not known here"}};
    look.priority = "ordinary: SCHED_FIFO is not permitted: Operation not permitted";
    look.state_problems = {"epochs: No space left on device"};
    EXPECT_EQ(codes_found(examined(look)),
              (Codes{"heartbeats-refused", "heartbeat-priority", "state-problem"}));
}

}  // namespace
}  // namespace bascule::node
