// SPDX-License-Identifier: Apache-2.0
// Health and events as JSON; their members are told in docs/reference/command.md. Pure; any thread.
#pragma once

#include "cli/json.h"
#include "control/control.pb.h"

namespace bascule::cli {

// The members of `show health`.
Json json_health(const control::HealthReport& report);

Json json_event(const control::Event& event);
// The members of `events`.
Json json_events(const control::Events& events);

}  // namespace bascule::cli
