// SPDX-License-Identifier: Apache-2.0
#include "cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "cli/json.h"
#include "cli/survival.h"
#include "cli/table.h"

namespace bascule::cli {
namespace {

constexpr std::size_t kDefaultWidth = 100;
constexpr std::size_t kLeastWidth = 40;

bool colours_on(int fd) {
    const char* no_colour = std::getenv("NO_COLOR");
    return ::isatty(fd) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

// A pipe has no width: what reads it wants whole names.
std::size_t width_of(int fd) {
    if (::isatty(fd) == 0) return 0;
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultWidth;
    return std::max<std::size_t>(size.ws_col, kLeastWidth);
}

}  // namespace

void print(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}
void complain(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
}

Screen screen_of(int fd, const Options& options) {
    return {width_of(fd), colours_on(fd), std::time(nullptr), options.all, options.detail};
}

int fail(const Options& options, Exit code, std::string_view name, const std::string& sentence) {
    if (options.json) {
        print(to_text(json_failure(options.command, name, sentence)));
    } else {
        complain(fmt::format("{}: {}\n", paint("bascule", Colour::red, colours_on(STDERR_FILENO)),
                             sentence));
    }
    return code;
}

int no_answer(const Options& options, const control::NoAnswer& trouble) {
    return fail(options, kUnreachable, "unreachable", advise(trouble));
}

tl::expected<control::Client, control::NoAnswer> connect(const Options& options) {
    return control::Client::connect(
        options.runtime_dir + "/control.sock",
        control::Client::Timeout(static_cast<std::int64_t>(options.timeout_seconds * 1000)));
}

int show(const Options& options, const control::Response& response) {
    if (options.json) {
        print(to_text(to_json(options.command, response)));
    } else if (response.has_failure()) {
        complain(render_failure(response.failure(), screen_of(STDERR_FILENO, options)));
    } else {
        print(render(response, screen_of(STDOUT_FILENO, options)));
    }
    if (response.has_failure()) return kFailed;
    if (response.has_traced() && !response.traced().delivered()) return kFailed;
    if (response.failed_over().failed_size() > 0) return kFailed;
    return response.has_status() && is_degraded(response.status()) ? kDegraded : kWell;
}

int ask(const Options& options, const control::Request& request) {
    auto client = connect(options);
    if (!client) return no_answer(options, client.error());
    auto response = client->ask(request);
    if (!response) return no_answer(options, response.error());
    if (response->result_case() == control::Response::RESULT_NOT_SET) {
        return fail(options, kFailed, "failed",
                    "the daemon's answer is of a kind that this command does not know");
    }
    return show(options, *response);
}

}  // namespace bascule::cli
