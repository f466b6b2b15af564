// SPDX-License-Identifier: Apache-2.0
#include "dataplane/session_copy.h"

namespace bascule::dataplane {

std::uint64_t copy_sessions(const SessionTable& from, SessionTable& to) {
    std::uint64_t without_room = 0;
    from.for_each([&](const Session& session) {
        const auto known = to.find(session.key);
        if ((!known || known->state < session.state) && !to.put(session)) without_room++;
        return true;
    });
    return without_room;
}

}  // namespace bascule::dataplane
