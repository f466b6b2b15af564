// SPDX-License-Identifier: Apache-2.0
// Whether this host has what VIPs stand on. Asks the kernel; any thread.
#pragma once

#include <string>
#include <vector>

#include "model/config.h"

namespace bascule::node {

// One line each: "10.9.0.100: this host has no interface eth9", "10.9.0.100: eth1 is none of
// [node] interfaces ...". No errors: the files of all nodes are the same, and are checked on hosts
// that are none of them.
std::vector<std::string> vip_notices(const model::Config& config);

}  // namespace bascule::node
