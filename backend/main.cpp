// SPDX-License-Identifier: Apache-2.0
// bascule-backend: what the words of its command line do.
//
// Exit codes: 0 well, 1 refused or failed, 2 usage, 3 not running, 4 degraded.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "backend/self_test.h"
#include "backend/service.h"
#include "backend/status.h"
#include "backend/words.h"
#include "base/command_line.h"

using namespace bascule;
using namespace bascule::backend;

namespace {

constexpr int failed = 1;
constexpr int not_running = 3;
constexpr int degraded = 4;

int fail_plainly(const Error& error) {
    fmt::print(stderr, "bascule-backend: {}\n", error.text());
    return failed;
}

int check(const std::string& file) {
    const auto loaded = load_config(file);
    if (!loaded) return failed;
    const Config& config = loaded->config;
    std::size_t ports = 0;
    for (const Vip& vip : config.vips)
        ports += vip.ports.size();
    fmt::print("{}: configuration is valid: {}, {}, {}\n", file,
               counted(config.interfaces.size(), "interface"), counted(config.vips.size(), "VIP"),
               counted(ports, "port"));
    return 0;
}

int undo(const Options& options) {
    auto companion = Companion::open(options);
    if (!companion) return fail_plainly(companion.error());
    const bool was_active = companion->active();
    // Also what stands in no record: an empty directory, counters.
    if (auto undone = companion->undo(); !undone) return fail_plainly(undone.error());
    if (!was_active) {
        fmt::print("nothing to undo\n");
        return 0;
    }
    fmt::print("undone: this host is as it was found\n");
    return 0;
}

int status(const Options& options, bool json) {
    auto applied = load_applied(options);
    if (!applied) return fail_plainly(applied.error());
    if (!*applied) {
        auto loaded = load_config(options.config);
        if (!loaded) return failed;
        *applied = Applied{std::move(loaded->config), {}};
    }
    const auto looked = look(options, **applied);
    if (!looked) return fail_plainly(looked.error());
    fmt::print("{}", json ? status_json(*looked) : status_text(*looked));
    if (!looked->process && !looked->active) return not_running;
    return looked->problems.empty() ? 0 : degraded;
}

int test_self(const Options& options, bool json) {
    const auto loaded = load_config(options.config);
    if (!loaded) return failed;
    const auto findings = self_test(options, loaded->config);
    if (!findings) return fail_plainly(findings.error());
    fmt::print("{}", json ? findings_json(*findings) : findings_text(*findings));
    return has_failed(*findings) ? failed : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    std::string checked;
    bool json = false;
    CLI::App app("A real server's side of a Bascule load balancer.", "bascule-backend");
    command_line::set_form(app, BASCULE_VERSION);
    app.add_option("--config", options.config, "The configuration")
        ->type_name("FILE")
        ->capture_default_str();
    app.add_option("--runtime-dir", options.runtime_dir, "Where the record of changes lives")
        ->type_name("DIR")
        ->capture_default_str();
    app.add_option("--bpffs", options.bpffs, "Folder on a bpffs for programs")
        ->type_name("DIR")
        ->capture_default_str();
    app.add_option("--sysctl-dir", options.sysctl_dir, "Where ARP settings are made to last")
        ->type_name("DIR")
        ->capture_default_str();
    app.require_subcommand(1);
    app.fallthrough();
    app.footer(
        "Exit codes: 0 well, 1 refused or failed, 2 usage, 3 not running and 4 something is "
        "wrong\n(status). bascule-backend(8) has more.");
    auto* run_word = app.add_subcommand("run",
                                        "Make this server ready, and follow it until told "
                                        "to stop");
    auto* check_word = app.add_subcommand("check", "Check the configuration, change nothing");
    check_word->add_option("FILE", checked, "Another file than --config names");
    auto* status_word = app.add_subcommand("status", "Show how this server stands");
    status_word->add_flag("--json", json, "Print JSON");
    auto* test_word = app.add_subcommand("self-test",
                                         "Check that this server does what its "
                                         "balancers count on");
    test_word->add_flag("--json", json, "Print JSON");
    auto* undo_word = app.add_subcommand("undo", "Give back what a dead process left");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return command_line::explain(app, error);
    }
    if (run_word->parsed()) return run_service(options);
    if (check_word->parsed()) return check(checked.empty() ? options.config : checked);
    if (status_word->parsed()) return status(options, json);
    if (test_word->parsed()) return test_self(options, json);
    if (undo_word->parsed()) return undo(options);
    return 2;
}
