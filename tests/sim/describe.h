// SPDX-License-Identifier: Apache-2.0
// Messages and sessions in words, for --verbose.
#pragma once

#include <string>

#include "sim/table.h"
#include "sync/messages.h"
#include "sync/takeover.h"

namespace bascule::sim {

std::string describe(const sync::StreamMessage& message, const Truth& truth);
std::string describe(const Table::Slot& slot);

std::string describe(const sync::VipDuty& duty);
std::string describe(const sync::VipMove& move);

}  // namespace bascule::sim
