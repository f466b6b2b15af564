// SPDX-License-Identifier: Apache-2.0
// What checks do to the state: health, quorum, VIPs that are given up.
#include <gtest/gtest.h>

#include "node/state.h"
#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/config_text.h"
#include "tests/unit/node/words_in.h"

namespace bascule::node {
namespace {

using namespace testing;
using health::Health;

const Address vip = Address::parse("10.9.0.100").value();
const char* const checked = "[service.health]\ntype = \"tcp\"\n";

std::string three_backends(const std::string& third = {}) {
    return backend_text("web1", "10.9.0.21") + backend_text("web2", "10.9.0.22", "weight = 50\n") +
           backend_text("web3", "10.9.0.23", third);
}

model::Config config(const std::string& service_keys = {}, const std::string& check = checked,
                     const std::string& third = {}) {
    return config_of(head_text() + service_text("web", 80, service_keys + check) +
                     three_backends(third));
}

class StateHealthTest : public ::testing::Test {
protected:
    StateHealthTest() { resolve_all(state_); }

    State make(model::Config of) { return State(std::move(of), words_in(folder_.path())); }
    static void resolve_all(State& state) {
        for (const auto& address : State::backend_addresses(state.config())) {
            NeighbourState neighbour;
            neighbour.address = address;
            neighbour.next_hop = {Mac::from_word(7), 3, 0, Mac::from_word(99), 1500};
            state.set_neighbour(neighbour);
        }
    }
    static void say(State& state, std::size_t index, HealthWord word) {
        const auto& backend = state.config().services.at(0).backends.at(index);
        state.set_health({"web", backend.name}, key_of(backend), word);
    }
    void all_up(State& state) {
        for (std::size_t i = 0; i < state.config().services.at(0).backends.size(); i++)
            say(state, i, {Health::up, 100, {}});
    }
    static BackendView view(const State& state, std::size_t index) {
        const auto& service = state.config().services.at(0);
        return state.view(service, service.backends.at(index));
    }
    static model::DesiredBackend wanted(const State& state, std::size_t index) {
        return state.desired().services.at(0).backends.at(index);
    }
    static ServiceView service(const State& state) {
        return state.view(state.config().services.at(0));
    }

    TemporaryDirectory folder_;
    State state_ = make(config());
};

TEST_F(StateHealthTest, WithoutChecksNobodyAsks) {
    State state = make(config({}, ""));
    resolve_all(state);
    EXPECT_EQ(view(state, 0).health, Health::unchecked);
    EXPECT_EQ(view(state, 0).condition, BackendCondition::up);
}

TEST_F(StateHealthTest, ABackendWithoutAVerdictTakesNoFlowsAndKeepsItsSessions) {
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::checking);
    EXPECT_EQ(view(state_, 0).health, Health::checking);
    EXPECT_EQ(wanted(state_, 0).weight, 0);
    EXPECT_TRUE(wanted(state_, 0).up);
}

TEST_F(StateHealthTest, AVerdictCounts) {
    all_up(state_);
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::up);
    EXPECT_EQ(wanted(state_, 0).weight, 100);
    say(state_, 0, {Health::down, 100, "connection refused by 10.9.0.21 (RST)"});
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::down);
    EXPECT_EQ(view(state_, 0).reason, "connection refused by 10.9.0.21 (RST)");
    EXPECT_FALSE(wanted(state_, 0).up) << "its sessions move";
    EXPECT_TRUE(wanted(state_, 1).up) << "another backend's word";
}

TEST_F(StateHealthTest, WhatServedByTablesThatCannotBeReadServesUntilItIsJudged) {
    State state = make(config("quorum = 3\n"));
    resolve_all(state);
    say(state, 2, {Health::down, 100, "HTTP 500"});
    state.presume();
    for (const std::size_t i : {0U, 1U}) {
        EXPECT_EQ(view(state, i).health, Health::checking) << "the first result decides alone";
        EXPECT_EQ(view(state, i).condition, BackendCondition::up);
    }
    EXPECT_EQ(view(state, 2).condition, BackendCondition::down) << "of it something is known";
    EXPECT_EQ(service(state).able, 2U);
    EXPECT_EQ(service(state).unjudged, 0U);

    say(state, 2, {Health::up, 100, {}});
    EXPECT_EQ(wanted(state, 0).weight, 100) << "it counts for the quorum";
    EXPECT_EQ(wanted(state, 1).weight, 50);
    ASSERT_TRUE(state.words().set({"web", "web2"}, {true, std::nullopt, 1}));
    EXPECT_EQ(view(state, 1).condition, BackendCondition::drained);
    say(state, 0, {Health::down, 100, "timeout"});
    EXPECT_EQ(view(state, 0).condition, BackendCondition::down);
    say(state, 0, {Health::checking, 100, {}});
    EXPECT_EQ(view(state, 0).condition, BackendCondition::checking) << "not once it was judged";
}

TEST_F(StateHealthTest, WhatComesLaterIsNotPresumedToServe) {
    const model::Config three = config();
    model::Config two = three;
    two.services[0].backends.pop_back();
    State state = make(two);
    state.presume();
    state.set_config(three);
    resolve_all(state);
    EXPECT_EQ(view(state, 1).condition, BackendCondition::up) << "a reload does not end it";
    EXPECT_EQ(view(state, 2).condition, BackendCondition::checking);
    model::Config moved = three;
    moved.services[0].backends[1].port = 8080;
    state.set_config(moved);
    EXPECT_EQ(view(state, 1).condition, BackendCondition::checking) << "another address";
}

TEST_F(StateHealthTest, TheCheckTakesItsShareOfTheWeight) {
    say(state_, 0, {Health::up, 10, {}});
    say(state_, 1, {Health::up, 1, {}});
    say(state_, 2, {Health::up, 0, {}});
    EXPECT_EQ(wanted(state_, 0).weight, 10);
    EXPECT_EQ(wanted(state_, 1).weight, 1) << "of 50: never nothing for want of precision";
    EXPECT_EQ(wanted(state_, 2).weight, 0);
    EXPECT_EQ(view(state_, 2).condition, BackendCondition::zero_weight);
    ASSERT_TRUE(state_.words().set({"web", "web1"}, {false, 65535, 1}));
    say(state_, 0, {Health::up, 90, {}});
    EXPECT_EQ(wanted(state_, 0).weight, 58982) << "of the operator's";
}

TEST_F(StateHealthTest, OneConditionPrevails) {
    const auto condition = [&] { return view(state_, 0).condition; };
    OperatorWord drained{true, std::nullopt, 1};
    ASSERT_TRUE(state_.words().set({"web", "web1"}, drained));
    EXPECT_EQ(condition(), BackendCondition::checking);
    say(state_, 0, {Health::up, 100, {}});
    EXPECT_EQ(condition(), BackendCondition::drained);
    say(state_, 0, {Health::down, 100, "HTTP 500"});
    EXPECT_EQ(condition(), BackendCondition::down);
    NeighbourState lost;
    lost.address = state_.config().services[0].backends[0].address;
    lost.reason = "no answer to ARP";
    state_.set_neighbour(lost);
    EXPECT_EQ(condition(), BackendCondition::unresolved);
    EXPECT_EQ(view(state_, 0).reason, "no answer to ARP");
    EXPECT_EQ(view(state_, 0).health, Health::down);
    OperatorWord disabled;
    disabled.disabled = true;
    ASSERT_TRUE(state_.words().set({"web", "web1"}, disabled));
    EXPECT_EQ(condition(), BackendCondition::disabled);
}

TEST_F(StateHealthTest, BelowItsQuorumAServiceTakesNoFlowsAndKeepsItsSessions) {
    State state = make(config("quorum = 2\n"));
    resolve_all(state);
    all_up(state);
    EXPECT_EQ(service(state).able, 3);
    EXPECT_FALSE(service(state).below_quorum);
    say(state, 0, {Health::down, 100, "x"});
    EXPECT_FALSE(service(state).below_quorum);
    EXPECT_EQ(wanted(state, 1).weight, 50);
    ASSERT_TRUE(state.words().set({"web", "web2"}, {true, std::nullopt, 1}));
    EXPECT_EQ(service(state).able, 1) << "a drained one is none that could serve";
    EXPECT_TRUE(service(state).below_quorum);
    for (std::size_t i = 0; i < 3; i++)
        EXPECT_EQ(wanted(state, i).weight, 0);
    EXPECT_TRUE(wanted(state, 2).up);
    EXPECT_EQ(view(state, 2).condition, BackendCondition::up) << "its own condition is its own";
}

TEST_F(StateHealthTest, BackupsCountForTheQuorum) {
    State state = make(config("quorum = 3\n", checked, "backup = true\n"));
    resolve_all(state);
    all_up(state);
    EXPECT_EQ(view(state, 2).condition, BackendCondition::standby);
    EXPECT_EQ(service(state).able, 3);
    EXPECT_EQ(wanted(state, 0).weight, 100);
}

TEST_F(StateHealthTest, AVipIsGivenUpByTheServiceThatSaysSo) {
    const std::string give_up = "quorum = 2\ngive_up_vip = true\n";
    State state =
        make(config_of(head_text() + service_text("web", 80, give_up + checked) + three_backends() +
                       service_text("dns", 53) + backend_text("dns1", "10.9.0.21")));
    resolve_all(state);
    EXPECT_FALSE(state.wants_vip(vip)) << "nothing is known to serve";
    all_up(state);
    EXPECT_TRUE(state.wants_vip(vip));
    say(state, 0, {Health::down, 100, "x"});
    say(state, 1, {Health::down, 100, "x"});
    EXPECT_FALSE(state.wants_vip(vip));
    EXPECT_TRUE(state.wants_vip(Address::parse("10.9.0.101").value())) << "of no such service";
    EXPECT_TRUE(state.wants_vip(vip, config("quorum = 2\n"))) << "does not give it up";
}

// An edit gives a VIP that serves another service, which no check has judged and which would give
// it up.
TEST_F(StateHealthTest, AVipIsNotGivenUpForWantOfVerdicts) {
    State state = make(config("quorum = 2\ngive_up_vip = true\n"));
    resolve_all(state);
    EXPECT_FALSE(state.wants_vip(vip)) << "not taken for it either";
    state.set_held(vip, true);
    EXPECT_TRUE(state.wants_vip(vip));
    say(state, 0, {Health::down, 100, "x"});
    EXPECT_TRUE(state.wants_vip(vip)) << "two may be up yet";
    say(state, 1, {Health::down, 100, "x"});
    EXPECT_FALSE(state.wants_vip(vip)) << "one is not enough";
    say(state, 1, {Health::up, 100, {}});
    EXPECT_TRUE(state.wants_vip(vip));
    OperatorWord drained;
    drained.drained = true;
    ASSERT_TRUE(state.words().set({"web", "web3"}, drained));
    EXPECT_FALSE(state.wants_vip(vip)) << "what is drained does not count, however it is judged";
}

TEST_F(StateHealthTest, TheWordIsAboutAServerAndNotAboutItsName) {
    all_up(state_);
    const auto moved = config_of(head_text() + service_text("web", 80, checked) +
                                 backend_text("web1", "10.9.0.31") +
                                 backend_text("web2", "10.9.0.22", "weight = 7\n"));
    const auto before = state_.desired(moved).services.at(0);
    EXPECT_EQ(before.backends.at(0).weight, 0) << "nobody has asked 10.9.0.31";
    EXPECT_EQ(before.backends.at(1).weight, 7);
    state_.set_config(moved);
    resolve_all(state_);
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::checking);
    EXPECT_EQ(view(state_, 1).condition, BackendCondition::up);
    state_.set_config(config());
    resolve_all(state_);
    EXPECT_EQ(view(state_, 0).condition, BackendCondition::checking) << "that was long ago";
    EXPECT_EQ(view(state_, 2).condition, BackendCondition::checking) << "it was out of the file";
}

TEST_F(StateHealthTest, WhoeverServedUncheckedGoesOnUntilAVerdict) {
    State state = make(config({}, ""));
    resolve_all(state);
    EXPECT_EQ(state.desired(config()).services.at(0).backends.at(0).weight, 100);
    state.set_config(config());
    EXPECT_EQ(view(state, 0).condition, BackendCondition::up);
    EXPECT_EQ(view(state, 0).health, Health::up);
    say(state, 0, {Health::down, 100, "x"});
    EXPECT_EQ(view(state, 0).condition, BackendCondition::down);
    state.set_config(config({}, ""));
    EXPECT_EQ(view(state, 0).condition, BackendCondition::up) << "no longer checked";
}

TEST_F(StateHealthTest, TheTablesOfAnEarlierProcessAreBelieved) {
    State state = make(config());
    const model::NextHop hop{Mac::from_word(7), 3, 0, Mac::from_word(99), 1500};
    const auto& service = state.config().services.at(0);
    model::Tables tables;
    tables.services[4] = {key_of(service), {}};
    tables.backends[1] = {4, key_of(service.backends[0]), 1, true, hop, {}};
    tables.backends[2] = {4, key_of(service.backends[1]), 1, false, hop, {}};
    tables.backends[3] = {4, key_of(service.backends[2]), 1, false, std::nullopt, {}};
    state.assume(tables);
    resolve_all(state);
    EXPECT_EQ(view(state, 0).condition, BackendCondition::up);
    EXPECT_EQ(view(state, 1).condition, BackendCondition::down);
    EXPECT_EQ(view(state, 1).reason, "an earlier process found it down");
    EXPECT_EQ(view(state, 2).condition, BackendCondition::checking)
        << "it could not be reached: that says nothing of its health";

    State later = make(config());
    say(later, 0, {Health::down, 100, "x"});
    later.assume(tables);
    EXPECT_EQ(view(later, 0).health, Health::down) << "what was said counts more";
}

TEST_F(StateHealthTest, WhatTheOperatorDisabledWasNotFoundDown) {
    OperatorWord disabled;
    disabled.disabled = true;
    ASSERT_TRUE(state_.words().set({"web", "web1"}, disabled));
    const model::NextHop hop{Mac::from_word(7), 3, 0, Mac::from_word(99), 1500};
    const auto& service = state_.config().services.at(0);
    model::Tables tables;
    tables.services[0] = {key_of(service), {}};
    tables.backends[1] = {0, key_of(service.backends[0]), 1, false, hop, {}};
    state_.assume(tables);
    EXPECT_EQ(view(state_, 0).health, Health::checking);
}

}  // namespace
}  // namespace bascule::node
