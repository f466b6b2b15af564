// SPDX-License-Identifier: Apache-2.0
// Gathers the facts that findings are made of, from the daemon and the kernel. Thread: control.
#pragma once

#include "node/daemon.h"
#include "node/findings.h"

namespace bascule::node {

Facts gather_facts(const Daemon& daemon);

}  // namespace bascule::node
