// SPDX-License-Identifier: Apache-2.0
#include "cli/duration.h"

#include <charconv>
#include <cstdint>

namespace bascule::cli {

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
    struct Unit {
        std::string_view name;
        std::int64_t seconds;
    };
    constexpr Unit units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}};
    constexpr std::int64_t longest = std::int64_t{100} * 365 * 86'400;
    std::int64_t number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc() || number < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    for (const Unit& unit : units)
        if (text == unit.name && number <= longest / unit.seconds)
            return std::chrono::seconds(number * unit.seconds);
    return std::nullopt;
}

}  // namespace bascule::cli
