// SPDX-License-Identifier: Apache-2.0
// `bascule events`: what has happened, and with -f what happens.
//
// Thread: the main one. Following outlives the daemon: it connects again until it is ended.
#pragma once

#include "cli/options.h"

namespace bascule::cli {

// The exit code. With -f it ends only by a signal, an output that cannot be written, or a daemon
// that refuses.
int watch_events(const Options& options, const EventWatch& task);

}  // namespace bascule::cli
