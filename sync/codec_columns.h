// SPDX-License-Identifier: Apache-2.0
// Records of sessions <-> the columns of gossip.proto. Pure; any thread.
#pragma once

#include <vector>

#include "base/result.h"
#include "sync/gossip.pb.h"
#include "sync/session_record.h"

namespace bascule::sync {

// At most most_records: more are a bug, which check_columns() finds.
void to_columns(const std::vector<SessionRecord>& records, Seconds32 now, wire::Records& out);

// Whether the columns are of lengths that belong together and hold only what is defined. Reads each
// of them once; keeps nothing.
Result<void> check_columns(const wire::Records& columns);

// Of columns that check_columns() has passed. Records of a kind that is not known here, a later
// release's, are left out.
std::vector<SessionRecord> from_columns(const wire::Records& columns, Seconds32 now);

}  // namespace bascule::sync
