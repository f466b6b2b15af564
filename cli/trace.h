// SPDX-License-Identifier: Apache-2.0
// The answer to `bascule trace`, for people and for programs. Pure, any thread.
#pragma once

#include <string>

#include "cli/json.h"
#include "cli/render.h"
#include "control/control.pb.h"

namespace bascule::cli {

// What becomes of the packet first, then step by step why, and what would leave. Lines with their
// ends, in the screen's width (of a pipe: 100 columns).
std::string render_trace(const control::Traced& traced, const Screen& screen);

// The members of the document that are trace's own.
Json json_trace(const control::Traced& traced);

}  // namespace bascule::cli
