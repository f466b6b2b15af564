// SPDX-License-Identifier: Apache-2.0
#include "dataplane/libbpf_log.h"

#include <bpf/libbpf.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <vector>

namespace bascule::dataplane {

namespace {

thread_local std::string* sink = nullptr;

// The verifier may print megabytes; its reason stands at the end, libbpf's own words are few.
constexpr std::size_t most_kept = std::size_t{256} * 1024;

int collect(libbpf_print_level level, const char* format, va_list arguments) {
    if (sink == nullptr || level == LIBBPF_DEBUG) return 0;
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, arguments);
    if (length > 0) {
        std::string line(static_cast<std::size_t>(length) + 1, '\0');
        std::vsnprintf(line.data(), line.size(), format, again);
        line.pop_back();
        *sink += line;
        if (sink->size() > most_kept) sink->erase(0, sink->size() - most_kept);
    }
    va_end(again);
    return length;
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        if (!line.empty()) lines.push_back(line);
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return lines;
}

}  // namespace

LibbpfLog::LibbpfLog() {
    static std::once_flag once;
    std::call_once(once, [] { libbpf_set_print(collect); });
    sink = &text_;
}

LibbpfLog::~LibbpfLog() {
    sink = nullptr;
}

std::string LibbpfLog::verifier() const {
    constexpr std::string_view begin_mark = "-- BEGIN PROG LOAD LOG --";
    constexpr std::string_view end_mark = "-- END PROG LOAD LOG --";
    const std::size_t end = text_.rfind(end_mark);
    if (end == std::string::npos) return {};
    const std::size_t begin = text_.rfind(begin_mark, end);
    const std::size_t from = begin == std::string::npos ? 0 : begin + begin_mark.size();
    const auto lines = lines_of(std::string_view(text_).substr(from, end - from));

    std::string last;
    constexpr std::size_t shown = 5;
    // The very last line is the "-- END" line's own prefix ("libbpf: prog 'x': ").
    const std::size_t count = lines.empty() ? 0 : lines.size() - 1;
    for (std::size_t i = count > shown ? count - shown : 0; i < count; i++) {
        if (!last.empty()) last += " | ";
        last += lines[i];
    }
    return last;
}

std::string LibbpfLog::kernel_message() const {
    constexpr std::string_view mark = "Kernel error message: ";
    const std::size_t at = text_.rfind(mark);
    if (at == std::string::npos) return {};
    const std::size_t from = at + mark.size();
    return text_.substr(from, text_.find('\n', from) - from);
}

Error bpf_error(std::string_view what, int code) {
    Error error = Error::system(what, code);
    if (code != EPERM && code != EACCES) return error;
    return Error(error.text() +
                 " (needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: run as root or with these)");
}

}  // namespace bascule::dataplane
