// SPDX-License-Identifier: Apache-2.0
// The arguments of `trace` and `capture`.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cli/options.h"

namespace CLI {
class App;
}

namespace bascule::cli {

// Both add their command to the program's; what is read goes to `options`, which outlives it.
void add_trace(CLI::App& app, Options& options);
void add_capture(CLI::App& app, Options& options);

// "syn", "syn,ack", "fin+ack", "none"; nullopt: a word is no flag.
std::optional<std::uint8_t> parse_tcp_flags(std::string_view text);

}  // namespace bascule::cli
