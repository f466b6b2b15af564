// SPDX-License-Identifier: Apache-2.0
// The cluster in `status`: would it survive the loss of a node, what would move, who is there. A
// screen for three in the morning: a dozen lines, however many nodes and VIPs there are. Pure; any
// thread.
#pragma once

#include "cli/render.h"
#include "cli/sheet.h"
#include "cli/survival.h"

namespace bascule::cli {

void cluster_lines(Sheet& sheet, const control::Status& status, const Survival& survival,
                   const Screen& screen);

// "10.9.0.1 answers (0.31ms), 10.9.0.2 SILENT for 12s".
std::string witness_words(const control::Witness& witness, const Screen& screen);

}  // namespace bascule::cli
