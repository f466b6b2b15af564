// SPDX-License-Identifier: Apache-2.0
// What the checks say, as text for people. Pure; any thread.
#pragma once

#include <string>

#include "cli/render.h"
#include "control/control.pb.h"

namespace bascule::cli {

// A row each, why it is down below it; with `screen.detail` and only one, all that is known of it.
// Times run against the report's own clock.
std::string render_health(const control::HealthReport& report, const Screen& screen);

}  // namespace bascule::cli
