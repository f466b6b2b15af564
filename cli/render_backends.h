// SPDX-License-Identifier: Apache-2.0
// Services and backends as text for people. Pure; any thread.
#pragma once

#include <string>

#include "cli/render.h"
#include "control/control.pb.h"

namespace bascule::cli {

std::string render_services(const control::Services& services, const Screen& screen);

// A row each, or with `screen.detail` all that is known of each.
std::string render_backends(const control::Backends& backends, const Screen& screen);

// The answer to drain, disable, enable and weight.
std::string render_change(const control::BackendChanged& change, const Screen& screen);

}  // namespace bascule::cli
