// SPDX-License-Identifier: Apache-2.0
// What the text of a configuration cannot tell, and the disk can: whether the files and programs
// that it names are there and fit to be used. Reads files only. Any thread.
#pragma once

#include <vector>

#include "model/config.h"

namespace bascule::node {

// In order of their places. Each file is read once, however often it is named.
std::vector<model::Diagnostic> check_outside(const model::Config& config);

}  // namespace bascule::node
