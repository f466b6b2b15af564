// SPDX-License-Identifier: Apache-2.0
// Runs the daemon's own program for what it alone can do: read a configuration, take an engine
// away that no daemon minds any more, and look for what ails a node.
//
// Thread: the main one; it forks.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace bascule::cli {

struct ProgramEnd {
    bool well = false;               // it ended by itself with 0
    std::vector<std::string> lines;  // what it printed, as far as that was caught
};

enum class Caught { nothing, output, all };  // output: not what it says on stderr

// Runs `basculed` with these arguments and waits for it: the one beside this program, else that in
// /usr/sbin, else by PATH. What is caught is returned (the first MiB) instead of shown.
Result<ProgramEnd> run_daemon_program(const std::vector<std::string>& arguments, Caught caught);

// Cut at line ends; a last line without one counts. Pure.
std::vector<std::string> lines_of(const std::string& text);

}  // namespace bascule::cli
