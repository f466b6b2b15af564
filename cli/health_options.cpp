// SPDX-License-Identifier: Apache-2.0
#include "cli/health_options.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/command_line.h"

namespace bascule::cli {

namespace {

constexpr std::uint32_t most_events = 1000;
// How many of the past, unless told.
constexpr std::uint32_t listed_events = 100, events_before_following = 10;

struct HealthArguments {
    std::string what;
    bool history = false;
};

// CLI11's own words for a wrong number name its type's whole range.
std::string is_serial(const std::string& text) {
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    return digits && text.size() < 20 ? "" : "'" + text + "' is no number of an event";
}

struct EventArguments {
    bool follow = false;
    std::uint64_t since = 0;
    std::uint32_t limit = 0;
    std::string subject;
};

}  // namespace

void add_show_health(CLI::App& show, Options& options) {
    auto into = std::make_shared<HealthArguments>();
    CLI::App* command = show.add_subcommand(
        "health", "What the checks of backends say, and why; of one, all of it");
    command->add_option("BACKEND", into->what, "SERVICE/BACKEND, BACKEND or SERVICE; else all");
    command->add_flag("--history", into->history, "With the last 20 changes of each");
    command->final_callback([into, &options] {
        options.command = "show health";
        options.detail = !into->what.empty();
        Ask task;
        auto& ask = *task.request.mutable_show_health();
        ask.set_backend(into->what);
        ask.set_history(into->history);
        options.task = std::move(task);
    });
}

void add_events(CLI::App& app, Options& options) {
    auto into = std::make_shared<EventArguments>();
    CLI::App* command =
        app.add_subcommand("events", "What has happened: backends, services, VIPs, changes");
    command->add_flag("-f,--follow", into->follow, "And what happens from now on, until Ctrl-C");
    auto* since = command->add_option("--since", into->since, "Only after the event of this number")
                      ->type_name("SERIAL")
                      ->check(CLI::Validator(is_serial, ""));
    auto* limit =
        command
            ->add_option("--limit", into->limit,
                         "At most so many of the past, the newest (default: 100; 10 with -f)")
            ->type_name("N")
            ->check(command_line::number(1, most_events));
    command
        ->add_option("--subject", into->subject,
                     "Of this service, its backends, a backend, a VIP or a node")
        ->type_name("NAME");
    command->final_callback([into, since, limit, &options] {
        options.command = "events";
        EventWatch task;
        task.follow = into->follow;
        task.start.set_after(into->since);
        task.start.set_subject(into->subject);
        task.start.set_limit(limit->count() != 0   ? into->limit
                             : since->count() != 0 ? most_events
                             : into->follow        ? events_before_following
                                                   : listed_events);
        options.task = std::move(task);
    });
}

}  // namespace bascule::cli
