// SPDX-License-Identifier: Apache-2.0
#include "node/bridge.h"

#include <gtest/gtest.h>

#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/config_text.h"
#include "tests/unit/node/words_in.h"

namespace bascule::node {
namespace {

using namespace testing;
using health::Health;

const char* const checked = "[service.health]\ntype = \"tcp\"\n";

model::Config web(const std::string& backends, const std::string& keys = {}, int port = 80) {
    return config_of(head_text() + service_text("web", port, keys + checked) + backends);
}

class BridgeTest : public ::testing::Test {
protected:
    BridgeTest() {
        for (const char* address : {"10.9.0.21", "10.9.0.22", "10.9.0.31", "10.9.0.32"}) {
            NeighbourState neighbour;
            neighbour.address = Address::parse(address).value();
            neighbour.next_hop = model::NextHop{Mac::from_word(7), 3, 0, Mac::from_word(9), 1500};
            state_.set_neighbour(neighbour);
        }
        say("web1", Health::up);
        say("web2", Health::up);
    }
    void say(const std::string& name, Health health) {
        for (const auto& backend : state_.config().services.at(0).backends)
            if (backend.name == name)
                state_.set_health({"web", name}, key_of(backend), {health, 100, {}});
    }

    TemporaryDirectory folder_;
    const std::string old_ = backend_text("web1", "10.9.0.21") + backend_text("web2", "10.9.0.22");
    const std::string new_ = backend_text("web3", "10.9.0.31") + backend_text("web4", "10.9.0.32");
    State state_{web(old_), words_in(folder_.path())};
};

TEST_F(BridgeTest, TheEarlierBackendsStayUntilTheNewOnesAreJudged) {
    const auto over = bridge(state_, web(new_));
    ASSERT_TRUE(over);
    ASSERT_EQ(over->services.at(0).backends.size(), 4);
    EXPECT_EQ(over->services[0].backends[3].name, "web2");
    EXPECT_EQ(state_.desired(*over).services.at(0).backends.at(2).weight, 100)
        << "and serve meanwhile";
}

TEST_F(BridgeTest, NoneIsNeededWhileOneOfThemStays) {
    EXPECT_FALSE(bridge(state_, web(new_ + backend_text("web2", "10.9.0.22"))));
    EXPECT_FALSE(bridge(state_, web(old_)));
}

TEST_F(BridgeTest, NoneHelpsAServiceThatCannotServeAnyway) {
    say("web1", Health::down);
    say("web2", Health::down);
    EXPECT_FALSE(bridge(state_, web(new_)));
}

TEST_F(BridgeTest, WithoutChecksNothingIsWaitedFor) {
    EXPECT_FALSE(bridge(state_, config_of(head_text() + service_text("web", 80) + new_)));
}

TEST_F(BridgeTest, WhoeverWouldBeServedOtherwiseDoesNotStay) {
    EXPECT_FALSE(bridge(state_, web(new_, {}, 81))) << "another service";
    auto tunnelled = web(new_);
    tunnelled.services[0].forward = model::Forward::ipip;
    EXPECT_FALSE(bridge(state_, tunnelled));
}

TEST_F(BridgeTest, ANameStandsForTheNewOne) {
    const auto over =
        bridge(state_, web(backend_text("web1", "10.9.0.31") + backend_text("web4", "10.9.0.32")));
    ASSERT_TRUE(over);
    const auto& backends = over->services.at(0).backends;
    ASSERT_EQ(backends.size(), 3);
    EXPECT_EQ(backends[0].address.to_string(), "10.9.0.31");
    EXPECT_EQ(backends[2].name, "web2");
}

}  // namespace
}  // namespace bascule::node
