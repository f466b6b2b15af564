// SPDX-License-Identifier: Apache-2.0
#include "node/watchdog.h"

#include <systemd/sd-daemon.h>

#include <cstdint>

namespace bascule::node {

void Watchdog::start() {
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(0, &microseconds) <= 0) return;
    interval_ = std::chrono::microseconds(microseconds / 2);
    pat();
}

void Watchdog::pat() {
    sd_notify(0, "WATCHDOG=1");
    timer_.expires_after(interval_);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) pat();
    });
}

}  // namespace bascule::node
