// SPDX-License-Identifier: Apache-2.0
#include "cli/render_health.h"

#include <fmt/format.h>

#include <vector>

#include "cli/moment.h"
#include "cli/names.h"
#include "cli/sheet.h"
#include "cli/table.h"

namespace bascule::cli {

namespace {

using Align = Column::Align;

// What a row has room for; the rest is said below it.
constexpr std::size_t short_words = 28;

Colour colour_of(const std::string& health) {
    if (health == "up") return Colour::green;
    if (health == "down") return Colour::red;
    return health == "checking" ? Colour::yellow : Colour::none;
}

// What prevails over the checks, as far as they do not say it themselves: ", disabled".
std::string state_beside(const control::Health& health) {
    switch (health.state()) {
        case control::BACKEND_UNSPECIFIED:
        case control::BACKEND_UP:
        case control::BACKEND_DOWN:
        case control::BACKEND_CHECKING:
            return "";
        default:
            return ", " + name_of(health.state());
    }
}

std::string check_of(const control::Health& health) {
    const bool direct = health.type() == "icmp" || health.type() == "exec";
    if (health.via().empty() || direct) return health.type();
    return health.type() + " via " + health.via();
}

// "timed_out" as people write it.
std::string failure_of(const control::Health& health) {
    if (health.last_failure() == "path") return "not sent";
    if (health.last_failure() == "local") return "own fault";
    std::string text = health.last_failure();
    for (char& c : text)
        if (c == '_') c = ' ';
    return text;
}

std::string last_of(const control::Health& health) {
    if (health.last_unix_milliseconds() == 0) return "-";
    if (!health.last_ok()) return failure_of(health);
    const std::string took = short_delay(health.last_microseconds());
    if (health.last_words().empty() || health.last_words().size() > short_words) {
        return "good, " + took;
    }
    return fmt::format("{}, {}", health.last_words(), took);
}

std::string next_of(const control::Health& health, std::int64_t now) {
    if (health.next_unix_milliseconds() == 0) return "-";
    if (health.next_unix_milliseconds() <= now) return "now";
    return short_span(health.next_unix_milliseconds() - now);
}

// How far it is from another verdict; empty when the last result agrees.
std::string doubt_of(const control::Health& health) {
    // Of one that is held down: its checks have said enough, and held_of() tells the rest.
    const bool held = health.held_until_unix_milliseconds() != 0;
    if (health.against() == 0 || (held && health.against() >= health.needed())) return "";
    return fmt::format("{} of {} {} results in a row", health.against(), health.needed(),
                       health.health() == "down" ? "good" : "bad");
}

std::string held_of(const control::Health& health) {
    if (health.held_until_unix_milliseconds() == 0) return "";
    return fmt::format("held down until {}: {}it has flapped",
                       local_time(health.held_until_unix_milliseconds()),
                       health.needed() > 0 && health.against() >= health.needed()
                           ? "its checks are good again, but "
                           : "");
}

// Why, and what else the row has no room for; a line each.
std::vector<std::string> notes_of(const control::Health& health) {
    std::vector<std::string> notes;
    const std::string doubt = doubt_of(health);
    if (!health.reason().empty() && (health.health() != "up" || !doubt.empty())) {
        notes.push_back(health.reason());
    }
    if (!health.last_ok() && health.last_words() != health.reason() &&
        !health.last_words().empty()) {
        notes.push_back("last: " + health.last_words());
    }
    if (!doubt.empty()) notes.push_back(doubt);
    if (std::string held = held_of(health); !held.empty()) notes.push_back(std::move(held));
    if (!health.warning().empty()) notes.push_back("warning: " + health.warning());
    if (health.weight_percent() < 100 && health.health() == "up") {
        notes.push_back(fmt::format("takes {}% of its weight", health.weight_percent()));
    }
    return notes;
}

// "2026-11-22 03:12:07  down  "; without room at its end where nothing follows.
std::string head_of(const control::HealthChange& change) {
    const std::string to = harmless(change.to());
    const std::string when = local_time(change.unix_milliseconds());
    return change.reason().empty() ? fmt::format("{}  {}", when, to)
                                   : fmt::format("{}  {:<8}  ", when, to);
}

void verdict(Sheet& sheet, const control::Health& health, std::int64_t now, const Screen& screen) {
    std::string text =
        paint(harmless(health.health()), colour_of(health.health()), screen.colours) +
        state_beside(health);
    if (health.since_unix_milliseconds() != 0) {
        text += fmt::format(" for {}, since {}", short_span(now - health.since_unix_milliseconds()),
                            local_time(health.since_unix_milliseconds()));
    }
    sheet.line("Health", text);
    if (!health.reason().empty()) sheet.wrapped("Why", harmless(health.reason()), screen.width);
    const std::string doubt = doubt_of(health);
    if (!doubt.empty()) sheet.wrapped("In doubt", harmless(doubt), screen.width);
    const std::string held = held_of(health);
    if (!held.empty()) sheet.wrapped("Held", harmless(held), screen.width);
    if (!health.warning().empty())
        sheet.wrapped("Warning", harmless(health.warning()), screen.width);
}

std::string last_in_full(const control::Health& health, std::int64_t now) {
    if (health.last_unix_milliseconds() == 0) return "none yet";
    return fmt::format("{} ago, after {}: {}{}", short_span(now - health.last_unix_milliseconds()),
                       short_delay(health.last_microseconds()),
                       health.last_words().empty() ? "good" : health.last_words(),
                       health.last_ok() ? "" : " (" + failure_of(health) + ")");
}

std::string sheet_of(const control::Health& health, std::int64_t now, const Screen& screen) {
    Sheet sheet(screen.colours);
    verdict(sheet, health, now, screen);
    if (health.type() == "none") {
        sheet.line("Check", "none: it counts as up as long as it can be reached");
    } else {
        std::string check = check_of(health);
        if (!health.to().empty())
            check += (health.type() == "exec" ? " of " : " to ") + health.to();
        check += fmt::format(", every {}, timeout {}", short_span(health.interval_milliseconds()),
                             short_span(health.timeout_milliseconds()));
        sheet.wrapped("Check", harmless(check), screen.width);
        sheet.wrapped("Last", harmless(last_in_full(health, now)), screen.width);
        const std::string next = next_of(health, now);
        sheet.line("Next", next == "now" || next == "-" ? next : "in " + next);
        sheet.line("Checks", fmt::format("{}, of them {} bad", short_count(health.checks()),
                                         short_count(health.failures())));
        sheet.line("Weight", fmt::format("{}% of its own", health.weight_percent()));
    }
    for (int i = health.changes_size(); i-- > 0;)
        sheet.wrapped("Changes", harmless(health.changes(i).reason()), screen.width,
                      head_of(health.changes(i)));
    return paint(harmless(health.service() + "/" + health.backend()), Colour::bold,
                 screen.colours) +
           "\n" + sheet.text();
}

void add_row(Table& table, const control::Health& health, std::int64_t now) {
    const bool bad = health.last_unix_milliseconds() != 0 && !health.last_ok();
    const bool known = health.since_unix_milliseconds() != 0;
    table.add({{health.service() + "/" + health.backend()},
               {check_of(health)},
               {health.health() + state_beside(health), colour_of(health.health())},
               {known ? short_span(now - health.since_unix_milliseconds()) : "-"},
               {last_of(health), bad ? Colour::red : Colour::none},
               {next_of(health, now)}});
    for (const auto& note : notes_of(health))
        table.note(note);
    for (int i = health.changes_size(); i-- > 0;)
        table.note(health.changes(i).reason(), head_of(health.changes(i)));
}

}  // namespace

std::string render_health(const control::HealthReport& report, const Screen& screen) {
    if (report.targets().empty()) return "no backends\n";
    const std::int64_t now = report.now_unix_milliseconds();
    if (screen.detail && report.targets_size() == 1)
        return sheet_of(report.targets(0), now, screen);
    Table table({{"BACKEND", Align::left, 0, true},
                 {"CHECK"},
                 {"HEALTH"},
                 {"FOR", Align::right},
                 {"LAST", Align::left, 0, true},
                 {"NEXT", Align::right}});
    for (const auto& health : report.targets())
        add_row(table, health, now);
    std::string text = table.to_string(screen.width, screen.colours);
    const auto listed = static_cast<std::uint32_t>(report.targets_size());
    if (report.matched() > listed) {
        text += fmt::format("\n{} of {} backends (name a service or a backend for the others)\n",
                            listed, report.matched());
    }
    return text;
}

}  // namespace bascule::cli
