// SPDX-License-Identifier: Apache-2.0
// A thread that nothing else of this host is to delay.
#pragma once

#include <string>

namespace bascule::sync {

// Of the calling thread, which it also names "heartbeat". Says what came of it: "SCHED_FIFO 20", or
// that it runs without and why.
std::string take_realtime_priority();

}  // namespace bascule::sync
