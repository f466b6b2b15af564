// SPDX-License-Identifier: Apache-2.0
// Events in systemd's journal, with fields to look for: `journalctl BASCULE_VIP=10.9.0.100`.
//
// Thread: any. Waits, as stderr does, for a journal that has stopped reading and is full.
#pragma once

#include <spdlog/common.h>

#include <string>
#include <vector>

#include "node/event_log.h"

namespace bascule::node {

// "NAME=value" each: MESSAGE, PRIORITY, BASCULE_EVENT, BASCULE_SUBJECT, BASCULE_TEXT, and what the
// subject is: BASCULE_VIP, BASCULE_PEER, BASCULE_SERVICE, or that and BASCULE_BACKEND.
std::vector<std::string> journal_fields(const Event& event, spdlog::level::level_enum level);

// False: stderr is not the journal, or it is not there; nothing was logged.
bool log_to_journal(const Event& event, spdlog::level::level_enum level);

}  // namespace bascule::node
