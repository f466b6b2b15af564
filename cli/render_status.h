// SPDX-License-Identifier: Apache-2.0
// `bascule status` as text: the verdict and what is wrong first, then the cluster, then each part
// of this node in a line or two.
//
// Pure, any thread.
#pragma once

#include <string>

#include "cli/render.h"

namespace bascule::cli {

std::string render_status(const control::Status& status, const Screen& screen);

}  // namespace bascule::cli
