// SPDX-License-Identifier: Apache-2.0
// What `ethtool` asks drivers. Any thread; a driver may take milliseconds.
#pragma once

#include <string>

namespace bascule::node {

// One request; `data` begins with its command (linux/ethtool.h). False: errno says why, EOPNOTSUPP
// when the driver has nothing of the kind.
bool ethtool(const std::string& interface, void* data);

}  // namespace bascule::node
