// SPDX-License-Identifier: Apache-2.0
// VIPs as JSON; their members are told in docs/reference/command.md. Pure; any thread.
#pragma once

#include "cli/json.h"
#include "cli/survival.h"
#include "control/control.pb.h"

namespace bascule::cli {

Json json_vip(const control::Vip& vip);
Json json_witness(const control::Witness& witness);
Json json_survival(const Survival& survival);

// The members of `show vips` and of `failover`.
Json json_vips(const control::Vips& vips);
Json json_failover(const control::FailedOver& done);

}  // namespace bascule::cli
