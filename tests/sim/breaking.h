// SPDX-License-Identifier: Apache-2.0
// How a message is damaged when a run breaks something on purpose.
#pragma once

#include "sim/plan.h"
#include "sim/random.h"
#include "sync/heartbeat.h"
#include "sync/messages.h"

namespace bascule::sim {

void break_message(const Plan& plan, Random& random, sync::StreamMessage& message);

// What a node hears of the claims of another one.
void break_claims(const Plan& plan, std::size_t from, sync::Heartbeat& heartbeat);

}  // namespace bascule::sim
