// SPDX-License-Identifier: Apache-2.0
// What really happened to flows, in the one time of the world: what nodes
// believe is held to it.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/plan.h"
#include "sync/session_record.h"

namespace bascule::sim {

// An invariant does not hold.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

constexpr sync::ServiceId service = 77;

class Truth {
public:
    explicit Truth(const Plan& plan);

    std::size_t flows() const { return flows_.size(); }
    const sync::Flow& flow(std::size_t number) const { return flows_[number].flow; }
    // Nullopt: nobody has ever spoken of such a flow.
    std::optional<std::size_t> number_of(const sync::Flow& flow) const;
    static sync::TargetId target(std::size_t number) { return 1000 + number; }

    // A packet of an established session was delivered to `target`.
    void packet(std::size_t flow, sync::TargetId target, Time now);
    // FIN, RST; or idle at a node that saw its last packet then.
    void end(std::size_t flow, Time when) {
        auto& ended = flows_[flow].ended;
        if (!ended || when > *ended) ended = when;
    }

    // The last one; nullopt: none ever.
    std::optional<Time> last_packet(std::size_t flow, sync::TargetId target) const;
    std::optional<Time> last_packet(std::size_t flow) const { return flows_[flow].last; }
    std::optional<Time> last_end(std::size_t flow) const { return flows_[flow].ended; }

private:
    struct Delivered {
        sync::TargetId target;
        Time last;
    };
    struct OneFlow {
        sync::Flow flow;
        std::vector<Delivered> targets;
        std::optional<Time> last;
        std::optional<Time> ended;
    };
    std::vector<OneFlow> flows_;
};

}  // namespace bascule::sim
