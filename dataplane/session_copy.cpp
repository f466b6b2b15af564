// SPDX-License-Identifier: Apache-2.0
#include "dataplane/session_copy.h"

namespace bascule::dataplane {

std::uint64_t copy_sessions(const SessionTable& from, SessionTable& to) {
    std::uint64_t without_room = 0;
    from.for_each([&](const Session& session) {
        const auto known = to.find(session.key);
        // Closing there is newer than established here: packets have met the new table by then.
        const bool proven = known && known->state < BSC_CLOSING && known->state < session.state;
        const bool closed = known && known->state == BSC_ESTABLISHED &&
                            session.state == BSC_CLOSING && known->idle >= session.idle;
        if ((!known || proven || closed) && !to.put(session)) without_room++;
        return true;
    });
    return without_room;
}

}  // namespace bascule::dataplane
