// SPDX-License-Identifier: Apache-2.0
// A probe of one kind for one target: made once, run again and again.
//
// Thread: that of its io_context, which it never blocks. Everything a backend can make it read or
// keep is bounded; everything it waits for ends at the deadline.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "base/result.h"
#include "health/outcome.h"
#include "health/target.h"

namespace bascule::health {

using Clock = std::chrono::steady_clock;

class Probe {
public:
    virtual ~Probe() = default;

    // One probe. Ends at `deadline` with Failure::timed_out at the latest, in words that say what
    // was waited for ("connected, no answer within 500ms"). One at a time. Cancellation (total,
    // by the coroutine's slot) ends it at once; what it returns then is of no use.
    // The probe may be destroyed only when no run is under way.
    virtual boost::asio::awaitable<Outcome> run(const Destination& to,
                                                Clock::time_point deadline) = 0;
};

// What all probes of a process share: the TLS contexts by their settings, the raw sockets of ICMP,
// the number of programs that run at once. Outlives its probes.
class ProbeResources;
struct ProbeResourcesFree {
    void operator()(ProbeResources* resources) const;
};
using SharedResources = std::unique_ptr<ProbeResources, ProbeResourcesFree>;
SharedResources make_resources(boost::asio::io_context& io);

// For every type but `none`. Fails when a file of the configuration cannot be used (CA,
// certificate, key, program), naming it.
Result<std::unique_ptr<Probe>> make_probe(boost::asio::io_context& io, ProbeResources& resources,
                                          const Target& target);
using MakeProbe = std::function<Result<std::unique_ptr<Probe>>(
    boost::asio::io_context& io, ProbeResources& resources, const Target& target)>;

}  // namespace bascule::health
