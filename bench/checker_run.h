// SPDX-License-Identifier: Apache-2.0
// The daemon's checker over the servers of a HealthLab, looked at from outside.
//
// Thread: that which runs it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "health/checker.h"

namespace bascule::bench {

struct CheckFigures {
    std::uint64_t checks = 0;
    std::uint64_t failures = 0;
    double cpu = 0;                              // microseconds a check
    double rate = 0;                             // checks a second
    double start_median = 0, start_p99 = 0;      // after it was due, milliseconds
    double verdict_median = 0, verdict_p99 = 0;  // the same
    double memory = 0;                           // most ever, MB
};

// A server as a target, checked once a second.
health::Target health_target(model::ProbeType type, std::uint32_t number, std::uint16_t port);

class CheckerRun {
public:
    // `source`: what probes are bound to before they connect; unspecified: they are not.
    CheckerRun(std::vector<health::Target> targets, const Address& source);

    // Until each has been probed twice, so all that is made once is made.
    void warm_up();
    CheckFigures measure(int seconds);
    // Of some target that failed, in words; empty: none did.
    std::string a_failure() const;

private:
    std::uint64_t checks() const;
    void sample();

    boost::asio::io_context io_;
    health::Checker checker_;
    std::size_t count_;
    boost::asio::steady_timer timer_;
    std::vector<std::uint64_t> seen_;        // checks of each, at the last sample
    std::vector<double> starts_, verdicts_;  // delays, milliseconds
};

}  // namespace bascule::bench
