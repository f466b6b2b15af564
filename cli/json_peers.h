// SPDX-License-Identifier: Apache-2.0
// The cluster as JSON; its members are told in docs/reference/command.md. Pure; any thread.
#pragma once

#include "cli/json.h"
#include "control/control.pb.h"

namespace bascule::cli {

// The members of `show peers`, and "cluster" of `status`.
Json json_peers(const control::Peers& peers);

}  // namespace bascule::cli
