// SPDX-License-Identifier: Apache-2.0
#include "node/witness.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "health/probe.h"
#include "health/target.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto least_period = 200ms;
constexpr auto most_period = 1000ms;
// A request that ended so much after its deadline ended late by this thread's fault.
constexpr auto late = 100ms;

health::Target target_of(std::chrono::milliseconds timeout) {
    health::Target target;
    target.health.type = model::ProbeType::icmp;
    target.health.timeout = timeout;
    return target;
}

}  // namespace

// The requests under way hold it, and outlive their Witness by a request's time.
struct Witness::Shared {
    asio::io_context& io;
    health::SharedResources resources;
    OnChange on_change;
};

// One witness: its state, and the loop that asks it.
class Witness::One : public std::enable_shared_from_this<One> {
public:
    One(std::shared_ptr<Shared> shared, WitnessState state, std::chrono::milliseconds period)
        : shared_(std::move(shared)),
          state_(std::move(state)),
          period_(period),
          timer_(shared_->io) {}

    void start() {
        asio::co_spawn(
            shared_->io, [self = shared_from_this()] { return self->run(); }, asio::detached);
    }
    void stop() {
        over_ = true;
        timer_.cancel();
    }
    const WitnessState& state() const { return state_; }

private:
    using Time = std::chrono::steady_clock::time_point;

    asio::awaitable<void> run() {
        const auto self = shared_from_this();
        // An ICMP probe opens nothing before it runs, so to make one cannot fail.
        auto probe = health::make_probe(shared_->io, *shared_->resources, target_of(period_));
        while (!over_ && probe) {
            const Time began = std::chrono::steady_clock::now();
            ++state_.requests;
            const auto outcome = co_await (*probe)->run({state_.address, 0, {}}, began + period_);
            if (over_) co_return;
            take(outcome, began);
            if (over_) co_return;  // who was told has set others
            timer_.expires_at(began + period_);
            co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        }
    }

    void take(const health::Outcome& outcome, Time began) {
        const Time now = std::chrono::steady_clock::now();
        if (outcome.ok()) {
            unanswered_ = 0;
            ++state_.answered;
            state_.rtt = std::chrono::duration_cast<std::chrono::microseconds>(now - began);
            return set(true, "", now);
        }
        if (outcome.failure == health::Failure::timed_out && now > began + period_ + late) return;
        if (++unanswered_ >= witness_round) set(false, outcome.words, now);
    }

    void set(bool answers, std::string problem, Time now) {
        const bool changed = state_.answers != answers;
        const bool first = !std::exchange(state_.asked, true);
        state_.answers = answers;
        state_.problem = std::move(problem);
        if (changed) state_.since = now;
        if ((changed || first) && shared_->on_change) shared_->on_change(state_);
    }

    std::shared_ptr<Shared> shared_;
    WitnessState state_;
    std::chrono::milliseconds period_;
    asio::steady_timer timer_;
    int unanswered_ = 0;
    bool over_ = false;
};

Witness::Witness(asio::io_context& io, std::vector<Address> addresses,
                 std::chrono::milliseconds period, OnChange on_change)
    : shared_(
          std::make_shared<Shared>(Shared{io, health::make_resources(io), std::move(on_change)})) {
    set(std::move(addresses), period);
}

Witness::~Witness() {
    for (const auto& one : all_)
        one->stop();
}

void Witness::set(std::vector<Address> addresses, std::chrono::milliseconds period) {
    std::vector<std::shared_ptr<One>> next;
    for (const Address& address : addresses) {
        WitnessState state;
        state.address = address;
        state.since = std::chrono::steady_clock::now();
        for (const auto& one : all_)
            if (one->state().address == address) state = one->state();
        next.push_back(std::make_shared<One>(shared_, std::move(state), period));
    }
    for (const auto& one : all_)
        one->stop();
    all_ = std::move(next);
    for (const auto& one : all_)
        one->start();
}

bool Witness::answers() const {
    return all_.empty() || std::any_of(all_.begin(), all_.end(),
                                       [](const auto& one) { return one->state().answers; });
}

std::vector<WitnessState> Witness::state() const {
    std::vector<WitnessState> states;
    for (const auto& one : all_)
        states.push_back(one->state());
    return states;
}

std::chrono::milliseconds witness_period(const model::ClusterConfig& cluster) {
    const auto twice =
        2 * cluster.dead_after *
        std::chrono::duration_cast<std::chrono::milliseconds>(cluster.heartbeat_interval);
    return std::clamp<std::chrono::milliseconds>(twice, least_period, most_period);
}

}  // namespace bascule::node
