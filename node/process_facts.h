// SPDX-License-Identifier: Apache-2.0
// What this process takes of its machine, as /proc tells. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bascule::node {

struct ProcessFacts {
    double cpu_seconds = 0;
    std::uint64_t resident_bytes = 0;
    std::uint64_t open_fds = 0;
    std::uint64_t max_fds = 0;
    double start_time = 0;  // seconds since 1970
};

// Nothing when /proc is not there.
std::optional<ProcessFacts> read_process_facts();

// Of a line of /proc/PID/stat, whose second field may have any character but '\0' in it: the 14th,
// 15th, 22nd and 24th field (proc(5)). Nothing: it is no such line.
struct ProcessStat {
    std::uint64_t user_ticks = 0;
    std::uint64_t system_ticks = 0;
    std::uint64_t start_ticks = 0;  // after boot
    std::uint64_t resident_pages = 0;
};
std::optional<ProcessStat> parse_process_stat(std::string_view line);

}  // namespace bascule::node
