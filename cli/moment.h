// SPDX-License-Identifier: Apache-2.0
// Moments and spans of checks and events as text. Moments are milliseconds since 1970 in UTC, shown
// in the time zone of TZ; 0 is none. Pure but for that zone; any thread.
#pragma once

#include <cstdint>
#include <string>

namespace bascule::cli {

// "2026-11-22 03:12:07"; "-" for none.
std::string local_time(std::int64_t unix_milliseconds);

// "0.4s", "12s", "4m 12s": below ten seconds with a decimal. A negative one is "0.0s".
std::string short_span(std::int64_t milliseconds);

// Of what took so long: "0.31ms", "12.3ms", "1.20s".
std::string short_delay(std::uint64_t microseconds);

}  // namespace bascule::cli
