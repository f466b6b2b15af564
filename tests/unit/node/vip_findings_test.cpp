// SPDX-License-Identifier: Apache-2.0
// What status says of a cluster's VIPs, and what the operator's word can move.
#include "node/vip_findings.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

using namespace std::chrono_literals;
using Level = Finding::Level;
using sync::Liveness;
using sync::VipRole;

constexpr sync::Moment now{std::chrono::hours(1)};
const Address vip = Address::v4({10, 9, 0, 100});
const Address other = Address::v4({10, 9, 0, 101});

class VipFindingsTest : public testing::Test {
protected:
    VipFindingsTest() {
        facts_.self = "lb1";
        facts_.peers = {"lb2"};
        facts_.paths = 2;
        facts_.heartbeats = &report_;
        facts_.vips = &vips_;
        facts_.now = now;
        report_.peers.resize(1);
        report_.peers[0].liveness = Liveness::alive;
        for (const Address& each : {vip, other}) {
            vips_.vips.push_back({each, "eth0", {}});
            vips_.notes[each];
            sync::VipView view;
            view.vip = sync::vip_id(each);
            view.role = VipRole::holding;
            view.holder = "lb1";
            view.holders = {"lb1"};
            view.next = "lb2";
            view.next_ready = true;
            view.nodes = {{"lb1", VipRole::holding, 150, 3}, {"lb2", VipRole::ready, 100, 3}};
            report_.vips.push_back(view);
        }
    }
    sync::VipView& view() { return report_.vips[0]; }
    VipNotes& notes() { return vips_.notes[vip]; }
    // Another node has it.
    void is_elsewhere(VipRole role) {
        view().role = role;
        view().holder = "lb2";
        view().holders = {"lb2"};
        view().next = "lb1";
        view().nodes = {{"lb1", role, 150, 3}, {"lb2", VipRole::holding, 100, 3}};
    }
    void expect(Level level, const std::string& what) {
        const auto found = vip_findings(facts_);
        ASSERT_EQ(found.size(), 1U) << what << "; first: " << (found.empty() ? "" : found[0].what);
        EXPECT_EQ(found[0].level, level);
        EXPECT_EQ(found[0].what, what);
    }
    void expect_nothing() {
        const auto found = vip_findings(facts_);
        EXPECT_TRUE(found.empty()) << found[0].what;
    }
    std::string refusal() {
        auto may = may_move(facts_, view());
        return may ? "" : may.error().text();
    }

    sync::HeartbeatReport report_;
    ClusterVipsView vips_;
    VipFacts facts_;
};

TEST_F(VipFindingsTest, NothingIsWrong) {
    expect_nothing();
}

TEST_F(VipFindingsTest, NobodyWouldTakeIt) {
    view().next = "";
    report_.peers[0].liveness = Liveness::dead;
    notes().no_next = now - 1s;
    expect_nothing();
    notes().no_next = now - 4s;
    expect(Level::problem, "if lb1 died now nobody would hold VIP 10.9.0.100: lb2 is dead");
    report_.peers[0].liveness = Liveness::alive;
    view().nodes[1].role = VipRole::unfit;
    expect(Level::problem,
           "if lb1 died now nobody would hold VIP 10.9.0.100: lb2 cannot hold it (`bascule "
           "status` there)");
    view().nodes.pop_back();
    expect(Level::problem,
           "if lb1 died now nobody would hold VIP 10.9.0.100: lb2 says nothing of it");
}

TEST_F(VipFindingsTest, WhoWouldTakeItIsNotInStep) {
    view().next_ready = false;
    view().nodes[1].role = VipRole::fit;
    notes().no_next = now - 4s;
    expect(Level::problem,
           "if lb1 died now lb2 would take VIP 10.9.0.100, and connections would break: lb2 is "
           "not in step");
}

TEST_F(VipFindingsTest, ThisNodeCouldNotTakeAnothersVip) {
    is_elsewhere(VipRole::unfit);
    view().next = "";
    view().unfit = "no carrier";
    notes().no_next = now - 4s;
    expect(Level::problem,
           "if lb2 died now nobody would hold VIP 10.9.0.100: this node: no carrier");
}

TEST_F(VipFindingsTest, SeveralVipsAreNamedTogether) {
    for (auto& view : report_.vips)
        view.next = "";
    for (auto& [address, notes] : vips_.notes)
        notes.no_next = now - 4s;
    report_.peers[0].liveness = Liveness::unknown;
    expect(Level::problem,
           "if lb1 died now nobody would hold VIP 10.9.0.100, 10.9.0.101: lb2 has not been heard "
           "of");
}

TEST_F(VipFindingsTest, TwoHolders) {
    view().holders = {"lb1", "lb2"};
    notes().two = now - 500ms;
    notes().no_next = now - 10s;
    expect_nothing();
    notes().two = now - 2s;
    expect(Level::problem, "lb1 and lb2 hold VIP 10.9.0.100 at once");
    vips_.rivals = {{vip, "eth0", Mac{{2, 0, 0, 0, 0, 9}}, 4, now}};
    expect(Level::problem, "lb1 and lb2 hold VIP 10.9.0.100 at once");
}

TEST_F(VipFindingsTest, NobodyHasIt) {
    view().role = VipRole::unfit;
    view().holder = "";
    view().unfit = "no witness answers";
    view().nodes = {{"lb1", VipRole::unfit, 150, 3}, {"lb2", VipRole::unfit, 100, 3}};
    notes().nobody = now - 100ms;
    notes().no_next = now - 10s;
    expect_nothing();
    notes().nobody = now - 2s;
    expect(Level::problem,
           "nobody holds VIP 10.9.0.100: this node: no witness answers, lb2 cannot hold it "
           "(`bascule status` there)");
}

TEST_F(VipFindingsTest, ThisNodeWaits) {
    is_elsewhere(VipRole::ready);
    view().waits = "lb2 has it by the operator's word";
    view().moved = true;
    notes().waits = now - 1s;
    expect_nothing();
    notes().waits = now - 4s;
    expect(Level::notice,
           "this node would take VIP 10.9.0.100 from lb2, and waits: lb2 has it by the operator's "
           "word");
    EXPECT_EQ(vip_findings(facts_)[0].mend, "bascule failover 10.9.0.100");
}

TEST_F(VipFindingsTest, WhatIsWrongWithTheAddress) {
    vips_.holder.vips = {{vip, "eth0", false, "Permission denied", 0, 0},
                         {other, "eth0", false, "", 0, 0}};
    expect(Level::problem, "VIP 10.9.0.100 on eth0: Permission denied");
}

TEST_F(VipFindingsTest, ARivalIsToldHowToKeepSilent) {
    vips_.rivals = {{vip, "eth0", Mac{{2, 0, 0, 0, 0, 9}}, 4, now}};
    const auto found = vip_findings(facts_);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].level, Level::problem);
    for (const char* part : {"02:00:00:00:00:09", "eth0", "arp_ignore=1", "arp_announce=2"})
        EXPECT_NE(found[0].what.find(part), std::string::npos) << found[0].what;
}

TEST_F(VipFindingsTest, Witnesses) {
    WitnessState silent;
    silent.address = Address::v4({10, 9, 0, 1});
    silent.answers = false;
    silent.problem = "no echo reply within 600ms";
    WitnessState well = silent;
    well.answers = true;
    vips_.witnesses = {silent, well};
    expect(Level::notice, "witness 10.9.0.1 does not answer: no echo reply within 600ms");
    vips_.witnesses = {silent};
    vips_.witness = false;
    expect(Level::problem, "witness 10.9.0.1 does not answer: no echo reply within 600ms");
}

TEST_F(VipFindingsTest, OnePathAndNoWitness) {
    facts_.paths = 1;
    const auto found = vip_findings(facts_);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].level, Level::notice) << "it works, for now";
    vips_.witnesses.resize(1);
    expect_nothing();
}

TEST_F(VipFindingsTest, EpochsAndDeadlines) {
    vips_.epoch_problem = "/var/lib/bascule/epoch: No space left on device";
    expect(Level::problem, vips_.epoch_problem);
    vips_.epoch_problem = "";
    vips_.deadlines_fail = true;
    EXPECT_EQ(vip_findings(facts_).size(), 1U);
}

// ---- the operator's word ----

TEST_F(VipFindingsTest, AwayFromHereToOneThatIsReady) {
    EXPECT_EQ(refusal(), "");
    view().next_ready = false;
    view().nodes[1].role = VipRole::fit;
    EXPECT_EQ(refusal(), "no other node can take it: lb2 is not in step");
    view().next = "";
    report_.peers[0].liveness = Liveness::dead;
    EXPECT_EQ(refusal(), "no other node can take it: lb2 is dead");
}

TEST_F(VipFindingsTest, HereWhereThisNodeIsReady) {
    is_elsewhere(VipRole::ready);
    EXPECT_EQ(refusal(), "");
    is_elsewhere(VipRole::fit);
    EXPECT_NE(refusal().find("not in step"), std::string::npos);
    is_elsewhere(VipRole::unfit);
    view().unfit = "no program is attached";
    EXPECT_EQ(refusal(), "this node cannot take it: no program is attached");
}

}  // namespace
}  // namespace bascule::node
