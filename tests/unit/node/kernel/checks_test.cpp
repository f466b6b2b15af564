// SPDX-License-Identifier: Apache-2.0
// Checks between State, a real data plane and servers on the loopback interface.
#include "node/checks.h"

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>

#include "model/plan.h"
#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/dataplane/kernel/world.h"
#include "tests/unit/node/words_in.h"

namespace bascule::node {
namespace {

using boost::asio::ip::tcp;
using health::Health;
using namespace std::chrono_literals;

const Address loopback = Address::v4({127, 0, 0, 1});
const Address far_away = Address::v4({10, 9, 0, 21});

class ChecksTest : public ::testing::Test {
protected:
    ChecksTest() {
        test::shell("ip link set lo up");
        auto opened = dataplane::Dataplane::open({bpffs_, 10'000, 5'000, {1, 2}});
        if (!opened) throw std::runtime_error(opened.error().text());
        plane_ = std::move(*opened);
    }
    ~ChecksTest() override {
        checks_.reset();
        plane_.reset();
        EXPECT_TRUE(dataplane::Dataplane::detach_all(bpffs_));
    }

    static model::Config config(const Address& address, std::uint16_t port,
                                model::Via via = model::Via::address) {
        model::Config config;
        config.vips = {{Address::v4({10, 9, 0, 100}), "lo"}};
        model::ServiceConfig service;
        service.name = "web";
        service.vip = config.vips[0].address;
        service.ports = {80, 80};
        service.health.type = model::ProbeType::tcp;
        service.health.via = via;
        service.health.interval = 50ms;
        service.health.fast_interval = 20ms;
        service.health.timeout = 50ms;
        model::BackendConfig backend;
        backend.name = "web1";
        backend.address = address;
        backend.port = port;
        service.backends = {backend};
        config.services = {service};
        return config;
    }
    void begin(const model::Config& config, bool presumed = false) {
        state_ = std::make_unique<State>(config, words_in(folder_.path()));
        if (presumed) state_->presume();
        carry_out();
        checks_ = std::make_unique<Checks>(io_, *plane_, *state_, events_, [this] { ++changes_; });
        checks_->follow();
    }
    void carry_out() {
        auto plan = model::plan(plane_->tables(), state_->desired());
        ASSERT_TRUE(plan);
        ASSERT_TRUE(plane_->apply(*plan));
        if (checks_) checks_->slots_changed();
    }
    template <typename Condition>
    bool run_until(Condition condition, std::chrono::milliseconds patience = 10s) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!condition() && std::chrono::steady_clock::now() < deadline) {
            io_.restart();
            io_.run_for(10ms);
        }
        return condition();
    }
    Health health() const {
        const auto& service = state_->config().services.at(0);
        return state_->health(service, service.backends.at(0));
    }
    std::string last_event() const {
        const auto events = events_.since(events_.last_serial() - 1, 1);
        return events.empty() ? "" : in_words(events[0]);
    }

    std::string bpffs_ = test::new_bpffs();
    TemporaryDirectory folder_;
    boost::asio::io_context io_;
    EventLog events_;
    std::unique_ptr<dataplane::Dataplane> plane_;
    std::unique_ptr<State> state_;
    std::unique_ptr<Checks> checks_;
    int changes_ = 0;
};

TEST_F(ChecksTest, AVerdictGoesToStateAndBecomesAnEvent) {
    auto server = std::make_unique<tcp::acceptor>(
        io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    const std::uint16_t port = server->local_endpoint().port();
    begin(config(loopback, port));
    EXPECT_EQ(health(), Health::checking);
    EXPECT_FALSE(checks_->all_judged());
    ASSERT_TRUE(run_until([&] { return health() == Health::up; }));
    EXPECT_TRUE(checks_->all_judged());
    EXPECT_EQ(last_event(), "backend web/web1 is up at its first check");
    EXPECT_EQ(changes_, 1);

    server.reset();
    ASSERT_TRUE(run_until([&] { return health() == Health::down; }));
    EXPECT_EQ(last_event(), "backend web/web1 is down: connection refused by 127.0.0.1 (RST)");
    server = std::make_unique<tcp::acceptor>(
        io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), port));
    ASSERT_TRUE(run_until([&] { return health() == Health::up; }));
    EXPECT_EQ(last_event().rfind("backend web/web1 is up again after ", 0), 0) << last_event();
}

TEST_F(ChecksTest, WhatStateBelievesIsNoNewVerdict) {
    const tcp::acceptor server(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    auto unchecked = config(loopback, server.local_endpoint().port());
    const auto checked = unchecked;
    unchecked.services[0].health.type = model::ProbeType::none;
    begin(unchecked);
    EXPECT_TRUE(checks_->checker().all().empty());
    state_->set_config(checked);
    checks_->follow();
    EXPECT_EQ(health(), Health::up);
    EXPECT_TRUE(checks_->all_judged());
    ASSERT_TRUE(run_until([&] { return checks_->checker().find({"web", "web1"})->checks > 2; }));
    EXPECT_EQ(events_.last_serial(), 0) << "it goes on serving";
}

TEST_F(ChecksTest, WhatIsPresumedToServeIsJudgedByItsFirstResult) {
    auto server = std::make_unique<tcp::acceptor>(
        io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    const auto dead = config(loopback, server->local_endpoint().port());
    server.reset();
    begin(dead, true);
    NeighbourState neighbour;
    neighbour.address = loopback;
    neighbour.next_hop = {Mac::from_word(7), 1, 0, Mac::from_word(9), 1500};
    state_->set_neighbour(neighbour);
    EXPECT_EQ(state_->desired().services.at(0).backends.at(0).weight, 100);
    ASSERT_TRUE(run_until([&] { return health() == Health::down; }));
    EXPECT_EQ(checks_->checker().find({"web", "web1"})->checks, 1U);
    EXPECT_EQ(state_->desired().services.at(0).backends.at(0).weight, 0);
}

TEST_F(ChecksTest, AProbeByTheVipThatCannotBeSentSaysWhy) {
    begin(config(far_away, 80, model::Via::vip));
    checks_->set_path_problem("there is no way");
    ASSERT_TRUE(run_until([&] { return health() == Health::down; }));
    EXPECT_EQ(last_event(), "backend web/web1 is down: there is no way");
}

TEST_F(ChecksTest, ABackendThatTheKernelDoesNotFindIsDownWithItsReason) {
    begin(config(far_away, 80, model::Via::vip));
    run_until([&] { return false; }, 200ms);
    EXPECT_EQ(health(), Health::checking) << "the kernel has not said yet";
    NeighbourState lost;
    lost.address = far_away;
    lost.reason = "no answer to ARP on eth0";
    state_->set_neighbour(lost);
    carry_out();
    ASSERT_TRUE(run_until([&] { return health() == Health::down; }));
    EXPECT_EQ(last_event(), "backend web/web1 is down: no answer to ARP on eth0");
}

TEST_F(ChecksTest, WithoutAnAddressToProbeFromItSaysSo) {
    begin(config(far_away, 80, model::Via::vip));
    NeighbourState found;
    found.address = far_away;
    found.next_hop = model::NextHop{Mac::from_word(7), 1, 0, Mac::from_word(9), 1500};
    state_->set_neighbour(found);
    carry_out();
    ASSERT_TRUE(run_until([&] { return health() == Health::down; }));
    EXPECT_EQ(last_event(),
              "backend web/web1 is down: no address to probe 10.9.0.100 from: this host needs one "
              "that is no VIP, or the service a [service.health] source");
}

}  // namespace
}  // namespace bascule::node
