// SPDX-License-Identifier: Apache-2.0
// The checker with the probes that the daemon has, at real listeners on loopback.
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "checker_fixture.h"

namespace bascule::health::testing {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Accepts, and keeps what it accepted without a word.
class Listener {
public:
    explicit Listener(asio::io_context& io, std::uint16_t port = 0)
        : acceptor_(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), port)) {
        accept();
    }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    int accepted() const { return accepted_; }

private:
    void accept() {
        acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
            if (error) return;
            ++accepted_;
            kept_.push_back(std::move(socket));
            if (kept_.size() > 100) kept_.pop_front();
            accept();
        });
    }

    tcp::acceptor acceptor_;
    std::list<tcp::socket> kept_;
    int accepted_ = 0;
};

class CheckerSocket : public CheckerTest {
protected:
    CheckerSocket() { listener_ = std::make_unique<Listener>(io_); }

    Target at_listener(model::ProbeType type = model::ProbeType::tcp) {
        Target at = target("web1");
        at.backend = *Address::parse("127.0.0.1");
        at.backend_port = listener_->port();
        at.health.type = type;
        // Generous: this may run on a busy machine.
        at.health.interval = 200ms;
        at.health.timeout = 200ms;
        return at;
    }
    void check(Target only) {
        if (!checker_) checker_ = std::make_unique<Checker>(io_, hooks_);
        checker_->set_targets({std::move(only)});
    }

    std::unique_ptr<Listener> listener_;
};

TEST_F(CheckerSocket, FollowsAListenerThatGoesAndComes) {
    const Target at = at_listener();
    check(at);
    ASSERT_TRUE(becomes(Health::up));
    for (int i = 0; i < 3; ++i) {
        listener_.reset();
        ASSERT_TRUE(becomes(Health::down));
        EXPECT_NE(record().reason.find("refused by 127.0.0.1"), std::string::npos)
            << record().reason;
        listener_ = std::make_unique<Listener>(io_, at.backend_port);
        ASSERT_TRUE(becomes(Health::up));
    }
    // Three falls were free.
    listener_.reset();
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_TRUE(record().held_until);
    listener_ = std::make_unique<Listener>(io_, at.backend_port);
    ASSERT_TRUE(run_until([&] { return record().kept_down; }));
    EXPECT_EQ(record().health, Health::down);
}

TEST_F(CheckerSocket, FindsAListenerThatNeverAnswers) {
    check(at_listener(model::ProbeType::http));
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_EQ(record().last->failure, Failure::timed_out);
    EXPECT_EQ(record().reason, "connected, no answer within 200ms");
    EXPECT_GE(record().last_duration, 190ms);
}

TEST_F(CheckerSocket, RemovalClosesWhatIsUnderWay) {
    Target patient = at_listener(model::ProbeType::http);
    patient.health.interval = patient.health.timeout = 600s;
    check(patient);
    ASSERT_TRUE(run_until([&] { return listener_->accepted() == 1; }));
    checker_->set_targets({});
    checker_.reset();
    listener_.reset();
    io_.restart();
    EXPECT_LT(io_.run_for(20s), 1000U);
    EXPECT_TRUE(io_.stopped()) << "nothing is left to wait for";
    EXPECT_TRUE(told_.empty());
}

TEST_F(CheckerSocket, OptionsChangeInTheMiddleOfAProbe) {
    Target patient = at_listener(model::ProbeType::http);
    patient.health.interval = patient.health.timeout = 600s;
    check(patient);
    ASSERT_TRUE(run_until([&] { return listener_->accepted() == 1; }));
    check(at_listener(model::ProbeType::tcp));
    ASSERT_TRUE(becomes(Health::up));
    EXPECT_EQ(record().failures, 0U);
}

TEST_F(CheckerSocket, ASecondLookFindsThePortThatTheVipLacks) {
    // What should go by the VIP goes to a listener whose backlog is full, as if nothing answered.
    tcp::acceptor deaf(io_);
    deaf.open(tcp::v4());
    deaf.bind({asio::ip::make_address("127.0.0.1"), 0});
    deaf.listen(0);
    std::list<tcp::socket> fillers;
    for (int i = 0; i < 4; ++i)
        fillers.emplace_back(io_).async_connect(deaf.local_endpoint(), [](auto) {});
    hooks_.destination = [&](const Target&) {
        return Destination{*Address::parse("127.0.0.1"), deaf.local_endpoint().port(), {}};
    };
    Target by_vip = at_listener();
    by_vip.health.via = model::Via::vip;
    check(by_vip);
    ASSERT_TRUE(run_until([&] {
        return record().reason.starts_with("no answer for the VIP, but 127.0.0.1:");
    })) << record().reason;
    EXPECT_EQ(record().health, Health::down);
    for (tcp::socket& each : fillers)
        each.close();
}

}  // namespace
}  // namespace bascule::health::testing
