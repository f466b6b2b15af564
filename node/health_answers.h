// SPDX-License-Identifier: Apache-2.0
// What the checks say, for the operator's command. Thread: control.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "control/control.pb.h"
#include "health/checker.h"
#include "node/daemon.h"

namespace bascule::node {

// Of all backends, of a service's, or of one: as the request names them.
control::Response answer_health(const Daemon& daemon, const control::ShowHealthRequest& ask);

// One backend. `record`: nullptr when it is not checked, or not yet.
control::Health health_message(const BackendView& view, const health::Record* record,
                               bool with_changes);

// What is probed: "10.9.0.100:80", "[2001:db8::21]:80", "10.9.0.21", "/usr/lib/check"; empty:
// nothing.
std::string probed(const model::ServiceConfig& service, const model::BackendConfig& backend);

}  // namespace bascule::node
