// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/text_format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/console.h"
#include "cli/daemon_program.h"
#include "cli/json.h"
#include "cli/render_doctor.h"

namespace bascule::cli {

namespace {

using control::DoctorReport;

int show_report(const Options& options, const DoctorReport& report, const std::string& outside) {
    if (options.json)
        print(to_text(json_doctor(report, outside)));
    else
        print(render_doctor(report, outside, screen_of(STDOUT_FILENO, options)));
    return has_problem(report) ? kDegraded : kWell;
}

// What its program says and means for people goes to stderr as it comes.
Result<DoctorReport> look_from_outside(const Options& options, const Doctor& task) {
    auto end = run_daemon_program(
        {"--doctor", "--config", task.config, "--runtime-dir", options.runtime_dir, "--bpffs",
         task.bpffs, "--state-dir", task.state_dir},
        Caught::output);
    if (!end) return failure(std::move(end.error()));
    DoctorReport report;
    const std::string text = fmt::format("{}\n", fmt::join(end->lines, "\n"));
    if (!end->well || !google::protobuf::TextFormat::ParseFromString(text, &report))
        return failure("basculed --doctor failed, or is of another release than this command");
    return report;
}

// Why the daemon does not examine itself; empty: it has, into `report`.
std::string ask_daemon(const Options& options, DoctorReport& report) {
    auto client = connect(options);
    if (!client) return client.error().text;
    control::Request request;
    request.mutable_doctor();
    auto response = client->ask(request);
    if (!response) return response.error().text;
    if (response->has_failure()) return response->failure().message();
    if (!response->has_doctor()) return "the daemon's answer is of a kind that is not known";
    report = std::move(*response->mutable_doctor());
    return {};
}

}  // namespace

void add_doctor(CLI::App& app, Options& options) {
    auto task = std::make_shared<Doctor>();
    CLI::App* command = app.add_subcommand(
        "doctor", "What ails this node, its host and its cluster, and the command that mends it");
    command->add_flag("--all", options.all, "Every check and its result");
    command->add_option("--config", task->config, "The main file, when no daemon runs")
        ->type_name("FILE")
        ->capture_default_str();
    command->add_option("--bpffs", task->bpffs, "Where the pins are, when no daemon runs")
        ->type_name("DIR")
        ->capture_default_str();
    command->add_option("--state-dir", task->state_dir, "What is kept, when no daemon runs")
        ->type_name("DIR")
        ->capture_default_str();
    command->final_callback([task, &options] {
        options.command = "doctor";
        options.task = *task;
    });
}

int examine(const Options& options, const Doctor& task) {
    DoctorReport report;
    const std::string why = ask_daemon(options, report);
    if (why.empty()) return show_report(options, report, {});
    auto outside = look_from_outside(options, task);
    if (!outside) return fail(options, kFailed, "failed", outside.error().text());
    return show_report(options, *outside, why);
}

}  // namespace bascule::cli
