// SPDX-License-Identifier: Apache-2.0
// Runs the daemon's own program for what it alone can do: read a configuration, and take an engine
// away that no daemon minds any more.
//
// Thread: the main one; it forks.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace bascule::cli {

struct ProgramEnd {
    bool well = false;               // it ended by itself with 0
    std::vector<std::string> lines;  // what it printed, both outputs, when that was caught
};

// Runs `basculed` with these arguments and waits for it: the one beside this program, else that in
// /usr/sbin, else by PATH. `caught`: its output is returned (the first MiB) instead of shown.
Result<ProgramEnd> run_daemon_program(const std::vector<std::string>& arguments, bool caught);

// Cut at line ends; a last line without one counts. Pure.
std::vector<std::string> lines_of(const std::string& text);

}  // namespace bascule::cli
