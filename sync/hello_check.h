// SPDX-License-Identifier: Apache-2.0
// Whether two nodes can talk. Pure; any thread.
#pragma once

#include <string>

#include "base/result.h"
#include "sync/messages.h"

namespace bascule::sync {

// `peer`: whose key the handshake has proven. Errors are for both sides' operators, so they name
// both.
Result<void> check_hello(const Hello& theirs, const std::string& cluster, const std::string& self,
                         const std::string& peer);

}  // namespace bascule::sync
