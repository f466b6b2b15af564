// SPDX-License-Identifier: Apache-2.0
// Services, backends and sessions of the running daemon as messages of the control protocol.
// Thread: control.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/control.pb.h"
#include "node/daemon.h"
#include "node/slots.h"

namespace bascule::node {

// Made for one answer: what it has looked up is true until the daemon changes something.
class Views {
public:
    explicit Views(const Daemon& daemon);

    control::Service service(const model::ServiceConfig& service) const;
    // All backends of a service, in the order of the file.
    void backends(const model::ServiceConfig& service, control::Backends& list);
    control::Backend backend(const model::ServiceConfig& service,
                             const model::BackendConfig& backend);
    control::Session session(const dataplane::Session& session) const;

    const Slots& slots() const { return slots_; }

private:
    // How many ring slots each backend slot of a service has.
    struct Shares {
        std::map<std::uint16_t, std::uint32_t> of;
        std::uint32_t ring_size = 0;
    };
    Shares shares(const model::ServiceConfig& service) const;
    control::Backend backend(const model::ServiceConfig& service,
                             const model::BackendConfig& backend, const Shares& shares);
    void fill_way(control::Backend& message, const BackendView& view);
    const std::string& interface_of(const model::NextHop& next_hop);

    const Daemon& daemon_;
    Slots slots_;
    std::map<std::uint16_t, const model::ServiceConfig*> services_;  // by slot
    std::map<std::uint16_t, const model::BackendConfig*> backends_;  // by slot
    std::map<std::uint32_t, std::string> interfaces_;                // names, by ifindex
};

// Why a backend takes no new flows, or why a backup does, for the operator; empty when there is
// nothing to explain, or when he has said so himself.
std::string reason_of(const BackendView& view);

// Who serves a service, if its quorum is met.
struct Serving {
    std::uint32_t serving = 0;  // backends that take new flows
    std::uint32_t standby = 0;  // backups that could
    bool on_backups = false;    // only backups serve, and there are others
};
Serving serving(const State& state, const model::ServiceConfig& service);

control::BackendState to_message(BackendCondition condition);

// Which backend an operator means by "service/backend", or by "backend" alone.
struct BackendSearch {
    std::vector<std::pair<const model::ServiceConfig*, const model::BackendConfig*>> matches;
    std::string problem;                  // unless there is exactly one match
    std::vector<std::string> candidates;  // full names: those that match, or all, at most 20
};
BackendSearch find_backend(const model::Config& config, const std::string& name);

}  // namespace bascule::node
