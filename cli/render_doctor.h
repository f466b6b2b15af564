// SPDX-License-Identifier: Apache-2.0
// A report of `bascule doctor` as text and as JSON. Pure; any thread.
#pragma once

#include <string>

#include "cli/json.h"
#include "cli/render.h"
#include "control/control.pb.h"

namespace bascule::cli {

// `outside`: why the daemon was not the one that looked; empty: it was.
std::string render_doctor(const control::DoctorReport& report, const std::string& outside,
                          const Screen& screen);
Json json_doctor(const control::DoctorReport& report, const std::string& outside);

bool has_problem(const control::DoctorReport& report);

}  // namespace bascule::cli
