// SPDX-License-Identifier: Apache-2.0
// What an edit of the configuration changes, in words for the operator.
#pragma once

#include <string>
#include <vector>

#include "model/config.h"

namespace bascule::node {

// One line a change: "backend web/web3 added", "weight of web/web1: 100 -> 50". At most 100 lines;
// a last one tells how many more there are.
std::vector<std::string> describe_changes(const model::Config& from, const model::Config& to);

}  // namespace bascule::node
