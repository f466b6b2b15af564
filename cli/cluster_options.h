// SPDX-License-Identifier: Apache-2.0
// The arguments of `show peers`, `show vips`, `failover` and `keygen`.
#pragma once

#include "cli/options.h"

namespace CLI {
class App;
}

namespace bascule::cli {

// Each adds its command to the one that is given; what is read goes to `options`, which outlives
// it.
void add_show_peers(CLI::App& show, Options& options);
void add_show_vips(CLI::App& show, Options& options);
void add_failover(CLI::App& app, Options& options);
void add_keygen(CLI::App& app, Options& options);

}  // namespace bascule::cli
