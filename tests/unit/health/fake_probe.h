// SPDX-License-Identifier: Apache-2.0
// Probes that find what a test says, for what runs probes. Single-threaded.
#pragma once

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "health/probe.h"

namespace bascule::health::testing {

// A result, and how long it takes to come; an hour is as good as never.
struct Script {
    Outcome outcome;
    std::chrono::milliseconds after{0};
};

inline Script good(std::string words = "answered") {
    Outcome outcome;
    outcome.words = std::move(words);
    return {outcome, {}};
}

inline Script bad(Failure failure, std::string words) {
    Outcome outcome;
    outcome.failure = failure;
    outcome.words = std::move(words);
    return {outcome, {}};
}

// What all fake probes of a test do and have done.
struct Fake {
    std::function<Script(const Target&, const Destination&)> say =
        [](const Target&, const Destination&) { return good(); };
    std::function<void(const Target&)> started = [](const Target&) {};
    int alive = 0;  // probes that exist
    int running = 0;
    int most_running = 0;
    int runs = 0;
    int cut_short = 0;  // ended by cancellation
};

class FakeProbe final : public Probe {
public:
    FakeProbe(boost::asio::io_context& io, Fake& fake, Target target)
        : timer_(io), fake_(fake), target_(std::move(target)) {
        ++fake_.alive;
    }
    ~FakeProbe() override { --fake_.alive; }

    boost::asio::awaitable<Outcome> run(const Destination& to,
                                        Clock::time_point deadline) override {
        ++fake_.runs;
        fake_.most_running = std::max(fake_.most_running, ++fake_.running);
        fake_.started(target_);
        Script script = fake_.say(target_, to);
        if (script.after.count() > 0) {
            timer_.expires_at(std::min(Clock::now() + script.after, deadline));
            const auto [error] =
                co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::deferred));
            if (error) ++fake_.cut_short;
            if (Clock::now() >= deadline) script = bad(Failure::timed_out, "no answer");
        }
        --fake_.running;
        co_return script.outcome;
    }

private:
    boost::asio::steady_timer timer_;
    Fake& fake_;
    Target target_;
};

inline MakeProbe maker(Fake& fake) {
    return [&fake](boost::asio::io_context& io, ProbeResources&,
                   const Target& target) -> Result<std::unique_ptr<Probe>> {
        return std::make_unique<FakeProbe>(io, fake, target);
    };
}

}  // namespace bascule::health::testing
