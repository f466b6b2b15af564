// SPDX-License-Identifier: Apache-2.0
#include "node/readiness.h"

#include <gtest/gtest.h>

#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/config_text.h"
#include "tests/unit/node/words_in.h"

namespace bascule::node {
namespace {

using namespace testing;
using health::Health;

model::Config config(const std::string& keys) {
    return config_of(head_text() +
                     service_text("web", 80, keys + "[service.health]\ntype = \"tcp\"\n") +
                     backend_text("web1", "10.9.0.21") + backend_text("web2", "10.9.0.22"));
}

class ReadinessTest : public ::testing::Test {
protected:
    State make(const std::string& keys) {
        State state(config(keys), words_in(folder_.path()));
        for (const auto& address : State::backend_addresses(state.config())) {
            NeighbourState neighbour;
            neighbour.address = address;
            neighbour.next_hop = {Mac::from_word(7), 3, 0, Mac::from_word(99), 1500};
            state.set_neighbour(neighbour);
        }
        return state;
    }
    static void say(State& state, std::size_t index, Health health) {
        const auto& backend = state.config().services.at(0).backends.at(index);
        state.set_health({"web", backend.name}, key_of(backend), {health, 100, {}});
    }

    TemporaryDirectory folder_;
    Readiness readiness_;
};

TEST_F(ReadinessTest, TellsOnlyWhatChanges) {
    State state = make("");
    say(state, 0, Health::up);
    EXPECT_TRUE(readiness_.follow(state).empty()) << "that it serves is what is expected";
    say(state, 1, Health::up);
    EXPECT_TRUE(readiness_.follow(state).empty());
    say(state, 0, Health::down);
    say(state, 1, Health::down);
    auto changes = readiness_.follow(state);
    ASSERT_EQ(changes.size(), 1);
    EXPECT_EQ(changes[0].service, "web");
    EXPECT_FALSE(changes[0].ready);
    EXPECT_EQ(changes[0].text, "0 of 2 backends can serve");
    EXPECT_TRUE(readiness_.follow(state).empty());
    say(state, 1, Health::up);
    changes = readiness_.follow(state);
    ASSERT_EQ(changes.size(), 1);
    EXPECT_TRUE(changes[0].ready);
}

TEST_F(ReadinessTest, AServiceThatCannotServeAtFirstIsToldOf) {
    State state = make("quorum = 2\n");
    say(state, 0, Health::up);
    const auto changes = readiness_.follow(state);
    ASSERT_EQ(changes.size(), 1);
    EXPECT_EQ(changes[0].text, "1 of 2 backends can serve, its quorum is 2");
}

TEST_F(ReadinessTest, AServiceThatGoesIsForgotten) {
    State state = make("");
    ASSERT_EQ(readiness_.follow(state).size(), 1);
    state.set_config(
        config_of(head_text() + service_text("tls", 443) + backend_text("web1", "10.9.0.21")));
    EXPECT_TRUE(readiness_.follow(state).empty());
    state.set_config(config(""));
    EXPECT_EQ(readiness_.follow(state).size(), 1) << "it is new again";
}

}  // namespace
}  // namespace bascule::node
