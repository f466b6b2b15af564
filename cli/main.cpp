// SPDX-License-Identifier: Apache-2.0
// bascule: the operator's command. It asks the daemon over its control socket and shows the answer;
// it needs no privilege but to write to that socket.
#include <cstdio>
#include <exception>
#include <variant>

#include "cli/capture.h"
#include "cli/console.h"
#include "cli/daemon_program.h"
#include "cli/doctor.h"
#include "cli/drain_wait.h"
#include "cli/events.h"
#include "cli/json.h"
#include "cli/keygen.h"
#include "cli/options.h"
#include "cli/table.h"

namespace bascule::cli {
namespace {

int run(const Options& options, const Check& check) {
    auto end = run_daemon_program({"--check", "--config", check.file},
                                  options.json ? Caught::all : Caught::nothing);
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
        {"--detach", "--runtime-dir", options.runtime_dir, "--bpffs", detach.bpffs},
        options.json ? Caught::all : Caught::nothing);
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

int run(const Options& options, const Doctor& task) {
    return examine(options, task);
}

int run(const Options& options, const Keygen& task) {
    return keygen(options, task);
}

int run(const Options& options, const Capture& task) {
    return capture(options, task);
}

int run(const Options& options, const EventWatch& task) {
    return watch_events(options, task);
}

int run(const Options& options, const DrainWait& task) {
    return drain_and_wait(options, task);
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
