// SPDX-License-Identifier: Apache-2.0
// Takes sessions over from one pair of tables into another, while both are in use.
#pragma once

#include <cstdint>

#include "dataplane/session_table.h"

namespace bascule::dataplane {

// Every live session of `from` that `to` does not know, or knows less of (it saw a packet of the
// flow but not its handshake). To be called before the program is swapped and once more after it.
// Returns how many found no room.
std::uint64_t copy_sessions(const SessionTable& from, SessionTable& to);

}  // namespace bascule::dataplane
