// SPDX-License-Identifier: Apache-2.0
// Durations as the operator types them: "90s", "10m", "1h", "2d", and a bare number for seconds.
// Pure; any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace bascule::cli {

// Nullopt: it is none, or longer than a hundred years.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

}  // namespace bascule::cli
