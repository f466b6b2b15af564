// SPDX-License-Identifier: Apache-2.0
// Gathers the facts that health_findings are made of. Thread: control.
#pragma once

#include <cstdint>

#include "node/daemon.h"
#include "node/health_findings.h"

namespace bascule::node {

HealthFacts gather_health_facts(const Daemon& daemon);

// The same as numbers.
struct HealthCounts {
    std::uint32_t backends = 0;
    std::uint32_t serving = 0;  // that take new flows, or stand by to
    std::uint32_t down = 0;
    std::uint32_t checking = 0;
    std::uint32_t idle_services = 0;  // that take no new flows
};
HealthCounts count(const HealthFacts& facts);

}  // namespace bascule::node
