// SPDX-License-Identifier: Apache-2.0
// `bascule status`: how the node is, and what is wrong with it. Thread: control.
#pragma once

#include "control/control.pb.h"
#include "node/daemon.h"

namespace bascule::node {

control::Status make_status(const Daemon& daemon);

}  // namespace bascule::node
