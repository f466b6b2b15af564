// SPDX-License-Identifier: Apache-2.0
// `bascule drain BACKEND --wait`: says the drain, then waits for the backend's last session to end.
//
// Thread: the main one. Whatever ends the wait leaves the drain standing.
#pragma once

#include "cli/options.h"

namespace bascule::cli {

// The command's exit code: 0 once the last session is gone, 1 when the time was over or the drain
// was taken back meanwhile, 3 when the daemon is gone. Ctrl-C ends the process by that signal, so
// that a loop of the shell around it ends too.
int drain_and_wait(const Options& options, const DrainWait& task);

}  // namespace bascule::cli
