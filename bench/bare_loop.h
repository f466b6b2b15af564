// SPDX-License-Identifier: Apache-2.0
// What checks cost at the least: the same connections, made by a loop of blocking calls that does
// nothing else.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "base/address.h"

namespace bascule::bench {

struct BareTarget {
    Address address;  // IPv4
    std::uint16_t port = 0;
    bool http = false;
    Address source;  // unspecified: none is bound to
};

struct BareFigures {
    std::uint64_t checks = 0;
    std::uint64_t failures = 0;
    double cpu_tcp = 0, cpu_http = 0, cpu = 0;  // microseconds a check
    double wall = 0;                            // median of a check, microseconds
};

// Every target once a second, as fast as it goes, for so many seconds.
BareFigures run_bare_loop(const std::vector<BareTarget>& targets, int seconds);

// User and system time of this process so far.
std::chrono::microseconds cpu_time();

}  // namespace bascule::bench
