// SPDX-License-Identifier: Apache-2.0
// The cluster as this node sees it, as text for people. Pure; any thread.
#pragma once

#include <string>

#include "cli/render.h"
#include "cli/sheet.h"
#include "control/control.pb.h"

namespace bascule::cli {

// The verdict; a row for each peer and what is wrong with it; a row for each path; what this node
// does itself. With `screen.detail` all that is known of each peer behind that.
std::string render_peers(const control::Peers& peers, const Screen& screen);

// The lines of `status`: one for each peer; of many, for each that is not well.
void peer_lines(Sheet& sheet, const control::Peers& peers, const Screen& screen);

}  // namespace bascule::cli
