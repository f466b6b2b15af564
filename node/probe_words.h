// SPDX-License-Identifier: Apache-2.0
// What the data plane saw of a probe, in the words of a reason. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/address.h"
#include "dataplane/dataplane.h"
#include "health/outcome.h"
#include "model/config.h"

namespace bascule::node {

struct ProbedBackend {
    const model::ServiceConfig& service;
    Address address;
    std::uint16_t vip_port = 0;  // host order
};

// `note` is of the probe that ended with `outcome`; with BSC_PROBE_NOTHING the data plane never met
// it. Nullopt: nothing came back, which leaves open why.
std::optional<health::Outcome> better_told(const dataplane::ProbeNote& note,
                                           const ProbedBackend& probed,
                                           const health::Outcome& outcome);

// The same of one backend's probes, one after the other. Hosts send few ICMP errors, Linux one a
// second to each peer: what explained an earlier probe explains those that come to nothing after
// it, for `lasts` and until one is good.
class Explanation {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds lasts{60};

    // `note`: nullopt where there is none of this very probe. `good_before`: the last one was good.
    std::optional<health::Outcome> of(const std::optional<dataplane::ProbeNote>& note,
                                      const ProbedBackend& probed, const health::Outcome& outcome,
                                      bool good_before, Time now);

private:
    std::optional<health::Outcome> last_;
    Time when_;
};

}  // namespace bascule::node
