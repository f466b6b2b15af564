// SPDX-License-Identifier: Apache-2.0
#include "cli/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/names.h"
#include "cli/render_status.h"
#include "cli/table.h"

namespace bascule::cli {

namespace {

using Align = Column::Align;

Colour colour_of(control::BackendState state) {
    switch (state) {
        case control::BACKEND_UP:
            return Colour::green;
        case control::BACKEND_DRAINED:
        case control::BACKEND_ZERO:
            return Colour::yellow;
        default:
            return Colour::red;
    }
}

std::string render(const control::Services& services, const Screen& screen) {
    if (services.services().empty()) return "no services\n";
    Table table({{"SERVICE", Align::left, 0, true},
                 {"ADDRESS"},
                 {"MODE", Align::left, 3},
                 {"BACKENDS", Align::right},
                 {"SESSIONS", Align::right},
                 {"NEW", Align::right, 1},
                 {"PACKETS", Align::right, 2},
                 {"BYTES", Align::right}});
    for (const auto& service : services.services()) {
        auto up = service.backends_up();
        Colour colour = up == 0                    ? Colour::red
                        : up == service.backends() ? Colour::green
                                                   : Colour::yellow;
        const auto& traffic = service.traffic();
        table.add({{service.name()},
                   {endpoint(service.vip(), service.port()) + "/" + name_of(service.protocol())},
                   {service.mode()},
                   {fmt::format("{}/{}", up, service.backends()), colour},
                   {short_count(service.sessions())},
                   {short_count(traffic.new_sessions())},
                   {short_count(traffic.packets())},
                   {short_bytes(traffic.bytes())}});
    }
    return table.to_string(screen.width, screen.colours);
}

// "the operator: drained, weight 50 (file: 100)"; empty when he has said nothing.
std::string operator_note(const control::Backend& backend, std::time_t now) {
    if (!backend.has_word()) return "";
    const auto& word = backend.word();
    std::string text = word.drained() ? "drained" : "";
    if (word.has_weight()) {
        text += fmt::format("{}weight {}", text.empty() ? "" : ", ", word.weight());
    }
    text = fmt::format("by the operator: {} (file: weight {})", text, backend.file_weight());
    auto today = static_cast<std::uint64_t>(now);
    if (word.unix_seconds() > 0 && today >= word.unix_seconds()) {
        text += fmt::format(", {} ago", short_duration(today - word.unix_seconds()));
    }
    return text;
}

// Its sessions stay with it; only new flows go elsewhere.
bool takes_no_flows_only(control::BackendState state) {
    return state == control::BACKEND_DRAINED || state == control::BACKEND_ZERO;
}

// What a backend's row has no room for.
std::string backend_notes(const control::Backends& backends, const Screen& screen) {
    std::string text;
    for (const auto& backend : backends.backends()) {
        std::string note = operator_note(backend, screen.now);
        bool told = backend.state() == control::BACKEND_UP ||
                    (backend.has_word() && takes_no_flows_only(backend.state()));
        if (!told && !backend.reason().empty()) {
            note = harmless(backend.reason()) + (note.empty() ? "" : "; ") + note;
        }
        if (note.empty()) continue;
        text += fmt::format(
            "{}: {}\n",
            paint(harmless(full_name(backend)), colour_of(backend.state()), screen.colours), note);
    }
    return text.empty() ? "" : "\n" + text;
}

std::string render(const control::Backends& backends, const Screen& screen) {
    if (backends.backends().empty()) return "no backends\n";
    Table table({{"SERVICE", Align::left, 0, true},
                 {"BACKEND", Align::left, 0, true},
                 {"ADDRESS"},
                 {"STATE"},
                 {"WEIGHT", Align::right},
                 {"RING", Align::right, 2},
                 {"SESSIONS", Align::right},
                 {"NEW", Align::right, 3},
                 {"PACKETS", Align::right, 4},
                 {"BYTES", Align::right, 1}});
    for (const auto& backend : backends.backends()) {
        const auto& traffic = backend.traffic();
        bool other = backend.has_word() && backend.weight() != backend.file_weight();
        table.add({{backend.service()},
                   {backend.name()},
                   {endpoint(backend.address(), backend.port())},
                   {name_of(backend.state()), colour_of(backend.state())},
                   {std::to_string(backend.weight()) + (other ? "*" : ""),
                    other ? Colour::yellow : Colour::none},
                   {short_share(backend.ring_slots(), backend.ring_size())},
                   {short_count(backend.sessions())},
                   {short_count(traffic.new_sessions())},
                   {short_count(traffic.packets())},
                   {short_bytes(traffic.bytes())}});
    }
    return table.to_string(screen.width, screen.colours) + backend_notes(backends, screen);
}

std::string render(const control::Sessions& sessions, const Screen& screen) {
    if (sessions.sessions().empty()) return "no sessions that match\n";
    const auto& list = sessions.sessions();
    bool peers = std::any_of(list.begin(), list.end(), [](const auto& s) { return s.from_peer(); });
    std::vector<Column> columns = {{"SOURCE"},
                                   {"SERVICE", Align::left, 0, true},
                                   {"BACKEND", Align::left, 0, true},
                                   {"STATE"},
                                   {"IDLE", Align::right}};
    // Without a peer it would only say "here" in every row.
    if (peers) columns.push_back({"ORIGIN", Align::left, 1});
    Table table(std::move(columns));
    for (const auto& session : list) {
        bool gone = session.backend().empty();
        std::vector<Cell> cells = {
            {endpoint(session.source(), session.source_port())},
            {session.service()},
            {gone ? "(gone)" : session.backend(), gone ? Colour::yellow : Colour::none},
            {name_of(session.state())},
            {short_duration(session.idle_seconds())}};
        if (peers) cells.push_back({session.from_peer() ? "peer" : "here"});
        table.add(std::move(cells));
    }
    std::string text = table.to_string(screen.width, screen.colours);
    auto listed = static_cast<std::uint64_t>(list.size());
    if (sessions.matched() > listed) {
        text += fmt::format("\n{} of {} that match (--limit lists more)\n", listed,
                            counted(sessions.matched(), "session", "sessions"));
    }
    return text;
}

template <typename Counters>
std::string render_counters(const char* heading, const Counters& counters, const Screen& screen) {
    Table table({{heading}, {"COUNT", Align::right}, {"MEANING", Align::left, 0, true}});
    std::size_t zero = 0;
    for (const auto& counter : counters) {
        if (counter.count() == 0 && !screen.all) {
            ++zero;
            continue;
        }
        table.add({{counter.name()}, {short_count(counter.count())}, {counter.meaning()}});
    }
    std::string text =
        table.empty() ? std::string() : table.to_string(screen.width, screen.colours);
    if (zero > 0) {
        text +=
            paint(fmt::format("({} at 0: --all lists them)", zero), Colour::dim, screen.colours) +
            "\n";
    }
    return text;
}

std::string render(const control::Drops& drops, const Screen& screen) {
    return render_counters("DROPPED", drops.drops(), screen) + "\n" +
           render_counters("COUNTED, NOT DROPPED", drops.events(), screen);
}

std::string render(const control::Reloaded& reloaded, const Screen& screen) {
    std::string text = paint("reloaded", Colour::green, screen.colours);
    if (reloaded.changed()) {
        text += fmt::format(": {} to the tables\n", counted(reloaded.writes(), "write", "writes"));
    } else {
        text += ": nothing has changed\n";
    }
    for (const auto& change : reloaded.changes())
        text += "  " + harmless(change) + "\n";
    for (const auto& warning : reloaded.warnings()) {
        text += paint("warning", Colour::yellow, screen.colours) + ": " + harmless(warning) + "\n";
    }
    return text;
}

std::string render(const control::BackendChanged& change, const Screen& screen) {
    const auto& backend = change.backend();
    std::string text = fmt::format(
        "{}: {}{}, weight {}", harmless(full_name(backend)), change.changed() ? "" : "unchanged: ",
        paint(name_of(backend.state()), colour_of(backend.state()), screen.colours),
        backend.weight());
    std::string word = operator_note(backend, screen.now);
    text += word.empty() ? " (as the file has it)\n" : " " + word + "\n";
    bool leaves = takes_no_flows_only(backend.state());
    if (leaves) {
        text += fmt::format("no new flows; {} (bascule show sessions --backend {})\n",
                            counted(backend.sessions(), "session stays", "sessions stay"),
                            harmless(full_name(backend)));
    }
    if (backend.state() != control::BACKEND_UP && !leaves && !backend.reason().empty()) {
        text += harmless(backend.reason()) + "\n";
    }
    if (!change.note().empty()) {
        text +=
            paint("note", Colour::yellow, screen.colours) + ": " + harmless(change.note()) + "\n";
    }
    return text;
}

std::string render(const control::Detached& detached) {
    std::string text = "detached: no traffic is balanced by this node any more\n";
    for (const auto& name : detached.interfaces())
        text += "  off " + harmless(name) + "\n";
    for (const auto& vip : detached.vips())
        text += "  VIP " + harmless(vip) + " taken away\n";
    return text;
}

}  // namespace

std::string render(const control::Response& response, const Screen& screen) {
    switch (response.result_case()) {
        case control::Response::kStatus:
            return render_status(response.status(), screen);
        case control::Response::kReloaded:
            return render(response.reloaded(), screen);
        case control::Response::kServices:
            return render(response.services(), screen);
        case control::Response::kBackends:
            return render(response.backends(), screen);
        case control::Response::kSessions:
            return render(response.sessions(), screen);
        case control::Response::kDrops:
            return render(response.drops(), screen);
        case control::Response::kBackendChanged:
            return render(response.backend_changed(), screen);
        case control::Response::kDetached:
            return render(response.detached());
        case control::Response::kFailure:
        case control::Response::RESULT_NOT_SET:
            break;
    }
    return "";
}

std::string render_failure(const control::Failure& failure, const Screen& screen) {
    std::string text =
        paint("bascule", Colour::red, screen.colours) + ": " + harmless(failure.message()) + "\n";
    for (const auto& detail : failure.details())
        text += "  " + harmless(detail) + "\n";
    return text;
}

std::string advise(const control::NoAnswer& trouble) {
    std::string text = harmless(trouble.text);
    switch (trouble.why) {
        case control::NoAnswer::Why::absent:
            return text + " (is basculed running? `systemctl status bascule`)";
        case control::NoAnswer::Why::forbidden:
            return text + " (root and the group of the socket may ask: try sudo)";
        case control::NoAnswer::Why::silent:
        case control::NoAnswer::Why::broken:
            break;
    }
    return text + " (its log: `journalctl -u bascule`)";
}

}  // namespace bascule::cli
