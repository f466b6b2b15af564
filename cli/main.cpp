// SPDX-License-Identifier: Apache-2.0
// bascule: the operator's command. It asks the daemon over its control socket and shows the answer;
// it needs no privilege but to write to that socket.
//
// With --json the standard output holds one document, whatever happens.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <variant>

#include "cli/daemon_program.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/render.h"
#include "cli/table.h"
#include "control/client.h"

namespace bascule::cli {
namespace {

enum Exit { kWell = 0, kFailed = 1, kUnreachable = 3, kDegraded = 4 };

constexpr std::size_t kDefaultWidth = 100;
constexpr std::size_t kLeastWidth = 40;

void print(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}
void complain(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
}

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

Screen screen_of(int fd, const Options& options) {
    return {width_of(fd), colours_on(fd), std::time(nullptr), options.all};
}

// One sentence to people on stderr, or a document to programs on stdout.
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
    return response.status().degradations().empty() ? kWell : kDegraded;
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

int run(const Options& options, const Check& check) {
    auto end = run_daemon_program({"--check", "--config", check.file}, options.json);
    if (!end) return fail(options, kFailed, "failed", end.error().text());
    if (options.json) print(to_text(json_check(check.file, end->well, end->lines)));
    return end->well ? kWell : kFailed;
}

// Without a daemon the engine still runs: its program knows how to end it. One that is there but
// does not answer still minds it, so nothing is done behind its back.
int run(const Options& options, const Detach& detach) {
    auto client = connect(options);
    if (client || client.error().why != control::NoAnswer::Why::absent) {
        control::Request request;
        request.mutable_detach();
        return ask(options, request);
    }
    auto end = run_daemon_program(
        {"--detach", "--runtime-dir", options.runtime_dir, "--bpffs", detach.bpffs}, options.json);
    if (!end) return fail(options, kFailed, "failed", end.error().text());
    if (options.json) {
        Json document = json_head("detach", end->well);
        document["output"] = end->lines;
        print(to_text(document));
    }
    return end->well ? kWell : kFailed;
}

int run(const Options& options, const Version&) {
    control::Request request;
    request.mutable_status();
    auto client = connect(options);
    tl::expected<control::Response, control::NoAnswer> response =
        client ? client->ask(request) : tl::unexpected(client.error());
    bool known = response && response->has_status();
    if (options.json) {
        Json document = json_head("version", true);
        document["version"] = BASCULE_VERSION;
        document["daemon_version"] = known ? Json(response->status().version()) : Json();
        print(to_text(document));
        return kWell;
    }
    print("bascule " BASCULE_VERSION "\n");
    if (known) {
        print("basculed " + harmless(response->status().version()) + "\n");
    } else {
        print("basculed: " + (response ? "it does not tell" : advise(response.error())) + "\n");
    }
    return kWell;
}

int run(const Options& options, const Ask& task) {
    return ask(options, task.request);
}

}  // namespace
}  // namespace bascule::cli

int main(int argc, char** argv) {
    try {
        int code = 0;
        auto options = bascule::cli::parse_options(argc, argv, code);
        if (options) {
            code = std::visit([&](const auto& task) { return bascule::cli::run(*options, task); },
                              options->task);
        }
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
            std::perror("bascule: standard output");
            return bascule::cli::kFailed;
        }
        return code;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bascule: internal error: %s\n", error.what());
        return bascule::cli::kFailed;
    }
}
