// SPDX-License-Identifier: Apache-2.0
// Whether a message keeps the bounds of codec_bounds.h and hangs together. One truth for both ways:
// what decode() would refuse, encode() does not make. Reads once, keeps nothing. Pure; any thread.
#pragma once

#include "base/result.h"
#include "sync/gossip.pb.h"

namespace bascule::sync {

Result<void> check(const wire::Heartbeat& heartbeat);
// Errors begin with the kind ("batch: 20000 records, at most 16384"). A message without a known
// kind is fine.
Result<void> check(const wire::StreamMessage& message);

}  // namespace bascule::sync
