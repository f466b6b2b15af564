// SPDX-License-Identifier: Apache-2.0
// What is right in a configuration, and worth to be known all the same. Pure.
#pragma once

#include <string>
#include <vector>

#include "model/config.h"

namespace bascule::model {

// One line each: "10.9.0.100: lb1 and lb2 have the same priority (100): who has it
// keeps it; where nobody has it lb1 takes it, the first by name".
// VIPs of the same nodes and priority are one line.
std::vector<std::string> notices(const Config& config);

}  // namespace bascule::model
