// SPDX-License-Identifier: Apache-2.0
// Where log lines go: spdlog's default logger, on stderr.
//
// Under systemd a line carries its priority as "<N>" and leaves time and program to the journal;
// elsewhere it carries time and level itself.
#pragma once

#include <spdlog/common.h>

namespace bascule {

// Call once at start, before other threads log. spdlog::set_level changes the level later on.
void start_log(spdlog::level::level_enum level);

// Whether stderr is the journal's, so that it may be spoken to directly.
bool stderr_is_journal();

}  // namespace bascule
