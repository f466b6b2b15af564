// SPDX-License-Identifier: Apache-2.0
// check_program() (program.h) for a user who was looked up already. Any thread.
#pragma once

#include "base/result.h"
#include "health/program_user.h"
#include "model/config.h"

namespace bascule::health {

Result<void> check_program_for(const model::ProgramConfig& program, const ProgramUser& user);

}  // namespace bascule::health
