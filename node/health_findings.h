// SPDX-License-Identifier: Apache-2.0
// What `bascule status` says of services, backends and their checks: facts in, findings out.
//
// A few lines at most, whatever has happened: a dead switch takes thousands of backends along, and
// what is wrong and why has to stand on the first screen. So backends of a service that fail alike
// are one finding, and what is one too many is counted. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "node/findings.h"

namespace bascule::node {

// A service as a whole.
struct ServiceFacts {
    std::string name;
    std::uint32_t backends = 0;
    std::uint32_t serving = 0;  // that take new flows, or stand by to
    std::uint32_t able = 0;     // that count for the quorum
    std::uint32_t quorum = 1;
    bool below_quorum = false;
    bool on_backups = false;   // only backups serve, and there are others
    std::string given_up_vip;  // empty: it has its VIP
    // Why backends do not serve.
    std::uint32_t down = 0, unreachable = 0, checking = 0, by_operator = 0;

    bool takes_flows() const { return serving > 0 && !below_quorum; }
};

// A backend that takes no new flows and should.
struct BackendFacts {
    std::string service;
    std::string name;
    std::string address;
    std::string reason;
    bool down = false;               // by its checks; else it cannot be reached
    bool drained = false;            // by the operator, who may well have switched it off
    std::uint64_t for_seconds = 0;   // it is down; 0: not known
    std::uint64_t held_seconds = 0;  // that it is held down yet for flapping
};

// A good check with a warning.
struct WarningFacts {
    std::string backend;  // "web/web1"
    std::string warning;
};

struct HealthFacts {
    std::vector<ServiceFacts> services;
    std::vector<BackendFacts> backends;
    std::vector<WarningFacts> warnings;
    std::string path_problem;         // why no probe by a VIP can be sent; empty: they can
    bool path_wanted = false;         // some check goes by a VIP
    std::uint64_t hook_failures = 0;  // runs that went wrong
    std::uint64_t hook_dropped = 0;   // changes that no hook was run for
};

std::vector<Finding> health_findings(const HealthFacts& facts);

}  // namespace bascule::node
