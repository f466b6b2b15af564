// SPDX-License-Identifier: Apache-2.0
// Answers `bascule trace`: makes the packet, runs it, and tells its walk. Changes nothing.
// Thread: control.
#pragma once

#include "control/control.pb.h"
#include "node/daemon.h"

namespace bascule::node {

control::Response answer_trace(Daemon& daemon, const control::TraceRequest& ask);

}  // namespace bascule::node
