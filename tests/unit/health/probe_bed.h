// SPDX-License-Identifier: Apache-2.0
// A probe of a server on loopback, run to its end.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>

#include "health/makers.h"
#include "health/resources.h"

namespace bascule::health {

// Memory that the process has in RAM, in KiB.
inline long resident_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == "VmRSS:") {
            long kib = 0;
            status >> kib;
            return kib;
        }
    throw std::runtime_error("no VmRSS");
}

class ProbeBed {
public:
    using Maker = Result<std::unique_ptr<Probe>>(boost::asio::io_context&, ProbeResources&,
                                                 const Target&);

    // Of the backend 127.0.0.1, by its address, at `port`.
    ProbeBed(Maker* maker, model::ProbeType type, std::uint16_t port) : maker_(maker) {
        target.name = {"web", "be1"};
        target.health.type = type;
        target.health.timeout = std::chrono::milliseconds(400);
        target.backend = Address::v4({127, 0, 0, 1});
        target.backend_port = port;
        target.vip = Address::v4({10, 7, 0, 100});
        target.vip_port = 80;
        to.address = target.backend;
        to.port = port;
    }

    // One probe; the probe is made at the first.
    Outcome run() {
        make();
        Outcome outcome;
        const auto began = Clock::now();
        boost::asio::co_spawn(
            io_,
            [&]() -> boost::asio::awaitable<void> {
                outcome = co_await probe_->run(to, Clock::now() + target.health.timeout);
            },
            [](const std::exception_ptr& error) {
                if (error) std::rethrow_exception(error);
            });
        io_.restart();
        io_.run();
        took = Clock::now() - began;
        return outcome;
    }

    // A probe that is cancelled after `time`; ends when nothing of it is left.
    void run_and_cancel(std::chrono::microseconds time) {
        make();
        boost::asio::cancellation_signal cancel;
        boost::asio::co_spawn(
            io_,
            [&]() -> boost::asio::awaitable<void> {
                co_await boost::asio::this_coro::reset_cancellation_state(
                    boost::asio::enable_total_cancellation());
                co_await probe_->run(to, Clock::now() + target.health.timeout);
            },
            boost::asio::bind_cancellation_slot(cancel.slot(), [](const std::exception_ptr&) {}));
        boost::asio::steady_timer timer(io_, time);
        timer.async_wait([&](const boost::system::error_code&) {
            cancel.emit(boost::asio::cancellation_type::total);
        });
        const auto began = Clock::now();
        io_.restart();
        io_.run();
        took = Clock::now() - began;
    }

    Result<std::unique_ptr<Probe>> try_to_make() { return maker_(io_, *resources_, target); }

    Target target;
    Destination to;
    Clock::duration took{};

private:
    void make() {
        if (probe_) return;
        auto made = try_to_make();
        if (!made) throw std::runtime_error(made.error().text());
        probe_ = std::move(*made);
    }

    Maker* maker_;
    boost::asio::io_context io_;
    SharedResources resources_ = make_resources(io_);
    std::unique_ptr<Probe> probe_;
};

}  // namespace bascule::health
