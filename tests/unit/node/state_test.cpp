// SPDX-License-Identifier: Apache-2.0
#include "node/state.h"

#include <gtest/gtest.h>

#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/config_text.h"
#include "tests/unit/node/words_in.h"

namespace bascule::node {
namespace {

using namespace testing;

const Address web1 = Address::parse("10.9.0.21").value();
const Address vip = Address::parse("10.9.0.100").value();
const Address own = Address::parse("10.9.0.11").value();
const Address web2 = Address::parse("10.9.0.22").value();

model::NextHop hop(std::uint64_t mac) {
    return {Mac::from_word(mac), 3, 0, Mac::from_word(99), 1500};
}

NeighbourState at(const Address& address, std::uint64_t mac) {
    NeighbourState state;
    state.address = address;
    state.next_hop = hop(mac);
    return state;
}

NeighbourState lost(const Address& address, const std::string& reason) {
    NeighbourState state;
    state.address = address;
    state.reason = reason;
    return state;
}

std::string tunnel_text(const std::string& forward) {
    return "[[service]]\nname = \"web\"\nvip = \"10.9.0.100\"\nport = 80\nforward = \"" + forward +
           "\"\n";
}

class StateTest : public ::testing::Test {
protected:
    static model::Config config() {
        return config_of(head_text() + service_text("web", 80) + backend_text("web1", "10.9.0.21") +
                         backend_text("web2", "10.9.0.22", "weight = 50\n"));
    }
    State make(model::Config of) { return State(std::move(of), words_in(folder_.path())); }
    // The backend as the state sees it; `index` in the only service.
    static BackendView view(const State& state, std::size_t index) {
        const auto& service = state.config().services.at(0);
        return state.view(service, service.backends.at(index));
    }
    static model::DesiredBackend wanted(const State& state, std::size_t index) {
        return state.desired().services.at(0).backends.at(index);
    }

    TemporaryDirectory folder_;
    State state_ = make(config());
};

TEST_F(StateTest, ABackendTheKernelHasNotSpokenOfIsUnknownAndNotDown) {
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::unknown);
    EXPECT_FALSE(view(state_, 0).takes_flows());
    EXPECT_TRUE(wanted(state_, 0).up) << "its sessions must not move for want of a word";
    EXPECT_FALSE(wanted(state_, 0).next_hop);
}

TEST_F(StateTest, AResolvedBackendIsUp) {
    state_.set_neighbour(at(web1, 7));
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::up);
    EXPECT_TRUE(view(state_, 0).takes_flows());
    EXPECT_EQ(wanted(state_, 0).next_hop, hop(7));
    EXPECT_EQ(wanted(state_, 0).weight, 100);
    EXPECT_TRUE(wanted(state_, 0).up);
    EXPECT_EQ(view(state_, 1).condition, BackendCondition::unknown) << "another backend's word";
}

TEST_F(StateTest, AnUnresolvedBackendIsDownWithItsReason) {
    state_.set_neighbour(at(web1, 7));
    state_.set_neighbour(lost(web1, "no answer to ARP on eth0"));
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::unresolved);
    EXPECT_EQ(view(state_, 0).reason, "no answer to ARP on eth0");
    EXPECT_FALSE(wanted(state_, 0).up) << "its sessions move";
}

TEST_F(StateTest, ADrainedBackendKeepsItsSessionsAndGetsNoFlows) {
    state_.set_neighbour(at(web1, 7));
    ASSERT_TRUE(state_.words().set({"web", "web1"}, {true, std::nullopt, 1}));
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::drained);
    EXPECT_EQ(wanted(state_, 0).weight, 0);
    EXPECT_TRUE(wanted(state_, 0).up);
    EXPECT_EQ(wanted(state_, 0).next_hop, hop(7));
}

TEST_F(StateTest, TheOperatorsWeightCountsInsteadOfTheFiles) {
    state_.set_neighbour(at(web2, 8));
    EXPECT_EQ(wanted(state_, 1).weight, 50);
    ASSERT_TRUE(state_.words().set({"web", "web2"}, {false, 7, 1}));
    EXPECT_EQ(wanted(state_, 1).weight, 7);
    EXPECT_EQ(view(state_, 1).backend->weight, 50) << "the file's stays to be shown";
    ASSERT_TRUE(state_.words().set({"web", "web2"}, {false, 0, 1}));
    EXPECT_EQ(view(state_, 1).condition, BackendCondition::zero_weight);
    ASSERT_TRUE(state_.words().set({"web", "web2"}, {true, 7, 1}));
    EXPECT_EQ(wanted(state_, 1).weight, 0) << "a drain prevails over a weight";
    ASSERT_TRUE(state_.words().set({"web", "web2"}, {}));
    EXPECT_EQ(wanted(state_, 1).weight, 50);
}

TEST_F(StateTest, WhatIsAmissPrevailsOverTheOperatorsWord) {
    ASSERT_TRUE(state_.words().set({"web", "web1"}, {true, std::nullopt, 1}));
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::unknown);
    state_.set_neighbour(lost(web1, "no route"));
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::unresolved);
    EXPECT_EQ(view(state_, 0).weight, 0);
    EXPECT_NE(view(state_, 0).word, nullptr);
}

TEST_F(StateTest, AWordIsForOneServiceOnly) {
    State state =
        make(config_of(head_text() + service_text("web", 80) + backend_text("web1", "10.9.0.21") +
                       service_text("tls", 443) + backend_text("web1", "10.9.0.21")));
    state.set_neighbour(at(web1, 7));
    ASSERT_TRUE(state.words().set({"tls", "web1"}, {true, std::nullopt, 1}));
    const auto desired = state.desired();
    EXPECT_EQ(desired.services.at(0).backends.at(0).weight, 100);
    EXPECT_EQ(desired.services.at(1).backends.at(0).weight, 0);
    EXPECT_EQ(State::backend_addresses(state.config()), std::vector<Address>{web1})
        << "each address once";
}

TEST_F(StateTest, NextHopsOfAnEarlierProcessCountUntilTheKernelSpeaks) {
    model::Tables tables;
    tables.backends[1] = {0, {web1, 80}, 1, true, hop(7), {}};
    tables.backends[2] = {0, {web2, 80}, 1, false, std::nullopt, {}};
    state_.assume(tables);
    EXPECT_EQ(view(state_, 0).next_hop, hop(7));
    EXPECT_EQ(view(state_, 1).condition, BackendCondition::unknown);
    state_.set_neighbour(lost(web1, "gone"));
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::unresolved);
}

TEST_F(StateTest, TheKernelsWordIsNotOverruledByTheTables) {
    state_.set_neighbour(at(web1, 9));
    model::Tables tables;
    tables.backends[1] = {0, {web1, 80}, 1, true, hop(7), {}};
    state_.assume(tables);
    EXPECT_EQ(view(state_, 0).next_hop, hop(9));
}

TEST_F(StateTest, ANextHopDoesNotOutliveItsBackendInTheConfiguration) {
    const auto only_web2 =
        config_of(head_text() + service_text("web", 80) + backend_text("web2", "10.9.0.22"));
    state_.set_neighbour(at(web1, 7));
    state_.set_config(only_web2);
    state_.set_config(config());
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::unknown);

    State fresh = make(only_web2);
    model::Tables tables;
    tables.backends[1] = {0, {web1, 80}, 1, true, hop(7), {}};
    fresh.assume(tables);
    fresh.set_config(config());
    EXPECT_EQ(view(fresh, 0).condition, BackendCondition::unknown);
}

TEST_F(StateTest, DesiredCarriesWhatTheFileSaysOfServices) {
    const auto other =
        config_of(head_text() +
                  service_text("web", 8080,
                               "affinity = \"source\"\nunknown = \"drop\"\non_empty = \"reset\"\n"
                               "mss_clamp = 1400\n") +
                  backend_text("web1", "10.9.0.21", "backup = true\n"));
    const auto desired = state_.desired(other);
    ASSERT_EQ(desired.services.size(), 1);
    const auto& service = desired.services[0];
    EXPECT_EQ(service.key.to_string(), "10.9.0.100:8080/tcp");
    EXPECT_EQ(service.options.affinity, model::Affinity::source);
    EXPECT_EQ(service.options.unknown, model::Unknown::drop);
    EXPECT_EQ(service.options.on_empty, model::OnEmpty::reset);
    EXPECT_EQ(service.options.mss_clamp, 1400);
    EXPECT_EQ(service.options.limits, other.services[0].limits);
    EXPECT_EQ(service.ring_size, other.services[0].ring_size);
    EXPECT_TRUE(service.backends.at(0).backup);
    ASSERT_EQ(desired.vips.size(), 1);
    EXPECT_EQ(desired.vips[0].address, vip);
    EXPECT_EQ(state_.config().services[0].ports.first, 80) << "asking changes nothing";
}

TEST_F(StateTest, AVipIsHeldWhenItIsSaid) {
    EXPECT_FALSE(state_.desired().vips.at(0).held);
    state_.set_held(vip, true);
    EXPECT_TRUE(state_.desired().vips.at(0).held);
    state_.set_config(config());
    EXPECT_TRUE(state_.desired().vips.at(0).held) << "a reload is no loss";
    state_.set_held(vip, false);
    EXPECT_FALSE(state_.desired().vips.at(0).held);

    model::Tables tables;
    tables.vips[1] = {vip, true};
    state_.assume(tables);
    EXPECT_FALSE(state_.desired().vips.at(0).held) << "what is known counts more";
    State fresh = make(config());
    fresh.assume(tables);
    EXPECT_TRUE(fresh.desired().vips.at(0).held) << "nothing was lost while nobody looked";
}

TEST_F(StateTest, ADisabledBackendIsDownWhateverElseIsTrue) {
    OperatorWord word;
    word.disabled = true;
    ASSERT_TRUE(state_.words().set({"web", "web1"}, word));
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::disabled);
    state_.set_neighbour(at(web1, 7));
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::disabled);
    EXPECT_FALSE(wanted(state_, 0).up) << "its sessions move";
    EXPECT_EQ(wanted(state_, 0).weight, 0);
    EXPECT_EQ(wanted(state_, 0).next_hop, hop(7));
    ASSERT_TRUE(state_.words().set({"web", "web1"}, {}));
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::up);
}

TEST_F(StateTest, ABackupStandsByWhileAnotherServes) {
    State state =
        make(config_of(head_text() + service_text("web", 80) + backend_text("web1", "10.9.0.21") +
                       backend_text("web2", "10.9.0.22", "backup = true\n")));
    state.set_neighbour(at(web2, 8));
    EXPECT_EQ(view(state, 1).condition, BackendCondition::up);
    state.set_neighbour(at(web1, 7));
    EXPECT_EQ(view(state, 1).condition, BackendCondition::standby);
    EXPECT_FALSE(view(state, 1).takes_flows());
    EXPECT_TRUE(wanted(state, 1).up) << "its sessions stay";
    EXPECT_EQ(view(state, 0).condition, BackendCondition::up);
    ASSERT_TRUE(state.words().set({"web", "web1"}, {true, std::nullopt, 1}));
    EXPECT_EQ(view(state, 1).condition, BackendCondition::up);
}

TEST_F(StateTest, ALocalBackendNeedsNoNeighbour) {
    State state = make(config_of(
        head_text() +
        "[[service]]\nname = \"web\"\nvip = \"10.9.0.100\"\nport = 80\nforward = \"local\"\n"
        "[[service.backend]]\nport = 25001\n[[service.backend]]\nport = 25002\n"));
    EXPECT_TRUE(State::backend_addresses(state.config()).empty()) << "nobody to be asked for";
    EXPECT_EQ(view(state, 0).condition, BackendCondition::up);
    const auto backend = wanted(state, 1);
    ASSERT_TRUE(backend.next_hop);
    EXPECT_EQ(*backend.next_hop, (model::NextHop{{}, 0, 0, {}, 0}));
    EXPECT_EQ(backend.delivery.forward, model::Forward::local);
    EXPECT_EQ(backend.delivery.rewrite_port, 25002);
    EXPECT_EQ(backend.key, (model::BackendKey{vip, 25002}));
}

TEST_F(StateTest, TheTunnelSourceOfAnEarlierProcessCountsToo) {
    State state =
        make(config_of(head_text() + tunnel_text("ipip") + backend_text("web1", "10.9.0.21")));
    model::Tables tables;
    model::Delivery delivery;
    delivery.forward = model::Forward::ipip;
    delivery.tunnel_source = own;
    tables.backends[1] = {0, {web1, 80}, 1, true, hop(7), delivery};
    state.assume(tables);
    EXPECT_EQ(view(state, 0).condition, BackendCondition::up);
    EXPECT_EQ(view(state, 0).delivery, delivery);
}

// Who of a cluster has a VIP is not the services' business.
TEST_F(StateTest, PrioritiesOfNodesDoNotMatterToWhatServicesWant) {
    const auto text = head_text() + service_text("web", 80) + backend_text("web1", "10.9.0.21");
    EXPECT_TRUE(make(config_of(text)).wants_vip(vip));
    EXPECT_TRUE(make(config_of(text + cluster_text(100, 150))).wants_vip(vip));
}

}  // namespace
}  // namespace bascule::node
