// SPDX-License-Identifier: Apache-2.0
// VIPs and who has them, and what came of a failover, as text for people. Pure; any thread.
#pragma once

#include <string>

#include "cli/render.h"

namespace bascule::cli {

// A row for each VIP, with what is out of the ordinary below it; witnesses and failback. With
// `screen.detail` what each node says of each VIP behind that.
std::string render_vips(const control::Vips& vips, const Screen& screen);

// "10.9.0.100: lb1 → lb2 in 34 ms"; what has not moved and why.
std::string render_failover(const control::FailedOver& done, const Screen& screen);

}  // namespace bascule::cli
