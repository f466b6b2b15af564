// SPDX-License-Identifier: Apache-2.0
// What becomes of a session when a record of it arrives: the whole rule of who wins. Pure.
//
// Time is when the flow's last packet was seen, in this node's seconds (the caller has moved the
// sender's). Whole seconds and two clocks: a difference of one says nothing; two is clear. (Of a
// copy, which came by more clocks, three; of `refreshed`, which also answers what was clearly older
// at the sender, one.)
//   nothing here        established, refreshed, copy: stored, unless already idle beyond the limit
//   unproven here       the same; closed and ended mean an older connection: ignored
//   brought by a peer   its owner's word counts, in the stream's order (but not the word of one who
//                       saw it last more than 10 s before: he owned it once); a copy only if
//                       clearly newer
//   seen here           established, refreshed, copy: if clearly newer. Within a second: the same
//                       target, or the higher target id (so that both sides end alike).
//                       closed: unless we saw a packet clearly later. ended: only if we have not
//                       seen it since either. An end beats an equal begin.
//   closing here        only what is clearly newer brings it back; or its owner, if brought by a
//                       peer
// Whether the record's target can be stored here plays no part in who wins: where one wins that
// cannot, record_applier.cpp takes away what is here. So both sides end alike, with what both know.
#pragma once

#include <cstdint>
#include <optional>

#include "sync/session_store.h"

namespace bascule::sync {

struct MergeResult {
    enum class Action { ignore, put, erase };
    Action action = Action::ignore;
    StoredSession session;  // with `put`
    bool stale = false;     // ignored since we know better: the sender ought to hear ours

    bool operator==(const MergeResult&) const = default;
};

// `record.seen` is already by this node's clock; later than `now` means now. `limit`:
// established_limit(), seconds. `head_start`: so many seconds newer is the record taken for, in
// comparing, than it is: of one who has seen what is here and holds to his own. A copy has none
// over what is seen here.
MergeResult merge(const std::optional<StoredSession>& here, const SessionRecord& record,
                  Seconds32 now, std::uint32_t limit, Seconds32 head_start = 0);

}  // namespace bascule::sync
