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

namespace bascule::node {

// How many ring slots each backend slot of a service has; one pass over the ring.
class RingShares {
public:
    RingShares(const Daemon& daemon, const model::ServiceConfig& service);
    std::uint32_t of(std::uint16_t backend_slot) const;
    std::uint32_t size() const { return size_; }

private:
    std::map<std::uint16_t, std::uint32_t> slots_;
    std::uint32_t size_ = 0;
};

control::Service service_message(const Daemon& daemon, const model::ServiceConfig& service);
control::Backend backend_message(const Daemon& daemon, const model::ServiceConfig& service,
                                 const model::BackendConfig& backend, const RingShares& shares);
control::Session session_message(const Daemon& daemon, const dataplane::Session& session);

// Why a backend takes no new flows, for the operator; empty when it does, or when his own drain is
// the reason.
std::string reason_of(const BackendView& view);

std::uint32_t backends_taking_flows(const Daemon& daemon, const model::ServiceConfig& service);

// Slots in the tables; 0 where there is none (service slots count from 0: nullopt there).
std::optional<std::uint16_t> service_slot(const Daemon& daemon,
                                          const model::ServiceConfig& service);
std::uint16_t backend_slot(const Daemon& daemon, const model::ServiceConfig& service,
                           const model::BackendConfig& backend);

// Which backend an operator means by "service/backend", or by "backend" alone.
struct BackendSearch {
    std::vector<std::pair<const model::ServiceConfig*, const model::BackendConfig*>> matches;
    std::string problem;                  // unless there is exactly one match
    std::vector<std::string> candidates;  // full names: those that match, or all, at most 20
};
BackendSearch find_backend(const model::Config& config, const std::string& name);

}  // namespace bascule::node
