// SPDX-License-Identifier: Apache-2.0
// `bascule doctor`: the daemon's word on what ails the node, or, when none answers, that of the
// daemon's program.
//
// Thread: the main one; it may fork.
#pragma once

#include "cli/options.h"

namespace CLI {
class App;
}

namespace bascule::cli {

void add_doctor(CLI::App& app, Options& options);

// The exit code: 4 when there is a problem.
int examine(const Options& options, const Doctor& task);

}  // namespace bascule::cli
