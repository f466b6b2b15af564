// SPDX-License-Identifier: Apache-2.0
// Answers as JSON for programs. The schema is told in docs/reference/command.md: within one schema
// number members are only ever added.
//
// Pure, any thread. Every number is exact.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/control.pb.h"

namespace bascule::cli {

using Json = nlohmann::ordered_json;

inline constexpr int kSchema = 1;

// {"schema": 1, "command": ..., "ok": ...}
Json json_head(std::string_view command, bool ok);

// The whole document of an answer, a failure included.
Json to_json(std::string_view command, const control::Response& response);

// The document of a command that failed: codes of the protocol, "unreachable" and "failed".
Json json_failure(std::string_view command, std::string_view code, std::string_view message);

// The document of `check`, of `file`, from what the daemon's program printed.
Json json_check(std::string_view file, bool valid, const std::vector<std::string>& lines);

// Indented, with its line end; what is no UTF-8 is replaced.
std::string to_text(const Json& document);

}  // namespace bascule::cli
