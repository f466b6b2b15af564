// SPDX-License-Identifier: Apache-2.0
// A socket's filter in the kernel (classic BPF) that lets pass what comes from some endpoints. All
// else is dropped before it takes room in the socket's buffer or wakes its thread, and is counted
// by the kernel as a drop of the socket.
#pragma once

#include <vector>

#include "base/result.h"
#include "model/config.h"

namespace bascule::sync {

// On a UDP socket of the endpoints' family, before it is bound.
Result<void> accept_only(int socket, const std::vector<model::Endpoint>& sources);

}  // namespace bascule::sync
