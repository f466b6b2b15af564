// SPDX-License-Identifier: Apache-2.0
// `bascule keygen`: makes the key file of a cluster, and takes it through a rotation. No daemon is
// asked.
//
// Thread: the main one.
#pragma once

#include "cli/options.h"

namespace bascule::cli {

int keygen(const Options& options, const Keygen& task);

}  // namespace bascule::cli
