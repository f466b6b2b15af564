// SPDX-License-Identifier: Apache-2.0
// Tells systemd's watchdog that the control thread gets round to its work (sd_watchdog_enabled(3)).
//
// The thread is the one that answers the operator and reloads. Heartbeats and VIPs have threads of
// their own, and a sign of life of theirs is what the other nodes hear.
//
// Thread: control. Without a watchdog it does nothing.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace bascule::node {

class Watchdog {
public:
    // `io` must outlive it.
    explicit Watchdog(boost::asio::io_context& io) : timer_(io) {}

    // At once, and then at half of the interval that systemd set. Call once.
    void start();
    // No more; the end of the process has a limit of its own.
    void stop() { timer_.cancel(); }

private:
    void pat();

    boost::asio::steady_timer timer_;
    std::chrono::microseconds interval_{};
};

}  // namespace bascule::node
