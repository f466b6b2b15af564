// SPDX-License-Identifier: Apache-2.0
// The arguments of `show health` and `events`.
#pragma once

#include "cli/options.h"

namespace CLI {
class App;
}

namespace bascule::cli {

// Both add their command to the one that is given; what is read goes to `options`, which outlives
// it.
void add_show_health(CLI::App& show, Options& options);
void add_events(CLI::App& app, Options& options);

}  // namespace bascule::cli
