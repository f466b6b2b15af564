// SPDX-License-Identifier: Apache-2.0
#include "cli/moment.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "cli/table.h"

namespace bascule::cli {

std::string local_time(std::int64_t unix_milliseconds) {
    if (unix_milliseconds == 0) return "-";
    const std::time_t seconds = unix_milliseconds / 1000;
    std::tm local{};
    ::localtime_r(&seconds, &local);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", local.tm_year + 1900,
                       local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

std::string short_span(std::int64_t milliseconds) {
    const std::int64_t tenths = std::max<std::int64_t>(milliseconds, 0) / 100;
    if (tenths < 100) return fmt::format("{}.{}s", tenths / 10, tenths % 10);
    return short_duration(static_cast<std::uint64_t>(tenths / 10));
}

std::string short_delay(std::uint64_t microseconds) {
    const double milliseconds = static_cast<double>(microseconds) / 1000;
    if (milliseconds < 9.995) return fmt::format("{:.2f}ms", milliseconds);
    if (milliseconds < 99.95) return fmt::format("{:.1f}ms", milliseconds);
    if (milliseconds < 999.5) return fmt::format("{:.0f}ms", milliseconds);
    return fmt::format("{:.2f}s", milliseconds / 1000);
}

}  // namespace bascule::cli
