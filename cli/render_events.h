// SPDX-License-Identifier: Apache-2.0
// Events as text for people. Pure; any thread.
#pragma once

#include <string>

#include "cli/render.h"
#include "control/control.pb.h"

namespace bascule::cli {

// "12 2026-11-22 03:12:07 backend_down web/web1: connection refused", with its end; on a
// terminal that is too narrow in several lines.
std::string render_event(const control::Event& event, const Screen& screen);

}  // namespace bascule::cli
