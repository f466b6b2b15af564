// SPDX-License-Identifier: Apache-2.0
// `bascule capture`: asks the daemon for packets, batch by batch, until it is enough.
// Thread: the main one.
#pragma once

#include "cli/options.h"

namespace bascule::cli {

// The exit code. However it ends, a file that is written is whole.
int capture(const Options& options, const Capture& task);

}  // namespace bascule::cli
