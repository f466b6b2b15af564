// SPDX-License-Identifier: Apache-2.0
#include "node/process_facts.h"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace bascule::node {

namespace {

std::string content_of(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (!text.empty()) {
        const auto end = std::min(text.find_first_of(" \n"), text.size());
        if (end > 0) words.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

bool parse(std::string_view word, std::uint64_t& number) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    return error == std::errc() && end == word.data() + word.size();
}

// When the machine was booted, in seconds since 1970: "btime" of /proc/stat.
std::uint64_t boot_time() {
    constexpr std::string_view key = "\nbtime ";
    const std::string text = content_of("/proc/stat");
    const auto found = text.find(key);
    std::uint64_t seconds = 0;
    if (found == std::string::npos) return 0;
    const auto words = words_of(std::string_view(text).substr(found + key.size(), 24));
    return !words.empty() && parse(words.front(), seconds) ? seconds : 0;
}

std::uint64_t count_fds() {
    std::error_code error;
    std::filesystem::directory_iterator entries("/proc/self/fd", error);
    if (error) return 0;
    // The iterator's own is one of them.
    return static_cast<std::uint64_t>(std::distance(begin(entries), end(entries))) - 1;
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view line) {
    // The name of the program, in parentheses, may have spaces and parentheses of its own.
    const auto name_end = line.rfind(')');
    if (name_end == std::string_view::npos) return {};
    const auto words = words_of(line.substr(name_end + 1));
    constexpr std::size_t third = 3;  // the first word after the name
    ProcessStat stat;
    if (words.size() <= 24 - third || !parse(words[14 - third], stat.user_ticks) ||
        !parse(words[15 - third], stat.system_ticks) ||
        !parse(words[22 - third], stat.start_ticks) ||
        !parse(words[24 - third], stat.resident_pages))
        return {};
    return stat;
}

std::optional<ProcessFacts> read_process_facts() {
    const auto stat = parse_process_stat(content_of("/proc/self/stat"));
    if (!stat) return {};
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    ProcessFacts facts;
    facts.cpu_seconds = static_cast<double>(stat->user_ticks + stat->system_ticks) / ticks;
    facts.resident_bytes =
        stat->resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    facts.open_fds = count_fds();
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.max_fds = limit.rlim_cur;
    facts.start_time =
        static_cast<double>(boot_time()) + static_cast<double>(stat->start_ticks) / ticks;
    return facts;
}

}  // namespace bascule::node
