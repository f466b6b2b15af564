// SPDX-License-Identifier: Apache-2.0
#include "node/state.h"

#include <gtest/gtest.h>

#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/config_text.h"

namespace bascule::node {
namespace {

using namespace testing;

const Address web1 = Address::parse("10.9.0.21").value();
const Address web2 = Address::parse("10.9.0.22").value();

model::NextHop hop(std::uint64_t mac) {
    return {Mac::from_word(mac), 3};
}

class StateTest : public ::testing::Test {
protected:
    static model::Config config() {
        return config_of(head_text() + service_text("web", 80) + backend_text("web1", "10.9.0.21") +
                         backend_text("web2", "10.9.0.22", "weight = 50\n"));
    }
    State make(model::Config of) {
        return State(std::move(of), OperatorWords::load(folder_.path()).value());
    }
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
    state_.set_next_hop(web1, hop(7), {});
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::up);
    EXPECT_TRUE(view(state_, 0).takes_flows());
    EXPECT_EQ(wanted(state_, 0).next_hop, hop(7));
    EXPECT_EQ(wanted(state_, 0).weight, 100);
    EXPECT_TRUE(wanted(state_, 0).up);
    EXPECT_EQ(view(state_, 1).condition, BackendCondition::unknown) << "another backend's word";
}

TEST_F(StateTest, AnUnresolvedBackendIsDownWithItsReason) {
    state_.set_next_hop(web1, hop(7), {});
    state_.set_next_hop(web1, std::nullopt, "no answer to ARP on eth0");
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::unresolved);
    EXPECT_EQ(view(state_, 0).reason, "no answer to ARP on eth0");
    EXPECT_FALSE(wanted(state_, 0).up) << "its sessions move";
}

TEST_F(StateTest, ADrainedBackendKeepsItsSessionsAndGetsNoFlows) {
    state_.set_next_hop(web1, hop(7), {});
    ASSERT_TRUE(state_.words().set({"web", "web1"}, {true, std::nullopt, 1}));
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::drained);
    EXPECT_EQ(wanted(state_, 0).weight, 0);
    EXPECT_TRUE(wanted(state_, 0).up);
    EXPECT_EQ(wanted(state_, 0).next_hop, hop(7));
}

TEST_F(StateTest, TheOperatorsWeightCountsInsteadOfTheFiles) {
    state_.set_next_hop(web2, hop(8), {});
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
    state_.set_next_hop(web1, std::nullopt, "no route");
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::unresolved);
    EXPECT_EQ(view(state_, 0).weight, 0);
    EXPECT_NE(view(state_, 0).word, nullptr);
}

TEST_F(StateTest, AWordIsForOneServiceOnly) {
    State state =
        make(config_of(head_text() + service_text("web", 80) + backend_text("web1", "10.9.0.21") +
                       service_text("tls", 443) + backend_text("web1", "10.9.0.21")));
    state.set_next_hop(web1, hop(7), {});
    ASSERT_TRUE(state.words().set({"tls", "web1"}, {true, std::nullopt, 1}));
    const auto desired = state.desired();
    EXPECT_EQ(desired.services.at(0).backends.at(0).weight, 100);
    EXPECT_EQ(desired.services.at(1).backends.at(0).weight, 0);
    EXPECT_EQ(State::backend_addresses(state.config()), std::vector<Address>{web1})
        << "each address once";
}

TEST_F(StateTest, NextHopsOfAnEarlierProcessCountUntilTheKernelSpeaks) {
    model::Tables tables;
    tables.backends[1] = {0, {web1, 80}, 1, true, hop(7)};
    tables.backends[2] = {0, {web2, 80}, 1, false, std::nullopt};
    state_.assume_next_hops(tables);
    EXPECT_EQ(view(state_, 0).next_hop, hop(7));
    EXPECT_EQ(view(state_, 1).condition, BackendCondition::unknown);
    state_.set_next_hop(web1, std::nullopt, "gone");
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::unresolved);
}

TEST_F(StateTest, TheKernelsWordIsNotOverruledByTheTables) {
    state_.set_next_hop(web1, hop(9), {});
    model::Tables tables;
    tables.backends[1] = {0, {web1, 80}, 1, true, hop(7)};
    state_.assume_next_hops(tables);
    EXPECT_EQ(view(state_, 0).next_hop, hop(9));
}

TEST_F(StateTest, ANextHopDoesNotOutliveItsBackendInTheConfiguration) {
    const auto only_web2 =
        config_of(head_text() + service_text("web", 80) + backend_text("web2", "10.9.0.22"));
    state_.set_next_hop(web1, hop(7), {});
    state_.set_config(only_web2);
    state_.set_config(config());
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::unknown);

    State fresh = make(only_web2);
    model::Tables tables;
    tables.backends[1] = {0, {web1, 80}, 1, true, hop(7)};
    fresh.assume_next_hops(tables);
    fresh.set_config(config());
    EXPECT_EQ(view(fresh, 0).condition, BackendCondition::unknown);
}

TEST_F(StateTest, DesiredCarriesWhatTheFileSaysOfServices) {
    const auto other = config_of(
        head_text() + service_text("web", 8080, "affinity = \"source\"\nunknown = \"drop\"\n") +
        backend_text("web1", "10.9.0.21"));
    const auto desired = state_.desired(other);
    ASSERT_EQ(desired.services.size(), 1);
    EXPECT_EQ(desired.services[0].key.to_string(), "10.9.0.100:8080/tcp");
    EXPECT_EQ(desired.services[0].affinity, model::Affinity::source);
    EXPECT_EQ(desired.services[0].unknown, model::Unknown::drop);
    EXPECT_EQ(desired.services[0].limits, other.services[0].limits);
    EXPECT_EQ(desired.services[0].ring_size, other.services[0].ring_size);
    EXPECT_EQ(desired.vips, std::vector<Address>{Address::parse("10.9.0.100").value()});
    EXPECT_EQ(state_.config().services[0].port, 80) << "asking changes nothing";
}

}  // namespace
}  // namespace bascule::node
