// SPDX-License-Identifier: Apache-2.0
#include "cli/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/names.h"
#include "cli/render_backends.h"
#include "cli/render_health.h"
#include "cli/render_peers.h"
#include "cli/render_status.h"
#include "cli/render_vips.h"
#include "cli/table.h"
#include "cli/trace.h"

namespace bascule::cli {

namespace {

using Align = Column::Align;

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
            return render_services(response.services(), screen);
        case control::Response::kBackends:
            return render_backends(response.backends(), screen);
        case control::Response::kSessions:
            return render(response.sessions(), screen);
        case control::Response::kDrops:
            return render(response.drops(), screen);
        case control::Response::kBackendChanged:
            return render_change(response.backend_changed(), screen);
        case control::Response::kDetached:
            return render(response.detached());
        case control::Response::kHealth:
            return render_health(response.health(), screen);
        case control::Response::kPeers:
            return render_peers(response.peers(), screen);
        case control::Response::kVips:
            return render_vips(response.vips(), screen);
        case control::Response::kFailedOver:
            return render_failover(response.failed_over(), screen);
        case control::Response::kTraced:
            return render_trace(response.traced(), screen);
        case control::Response::kDoctor:
        case control::Response::kEvents:  // the commands of these names, which show them themselves
        case control::Response::kCaptureStarted:
        case control::Response::kCaptureBatch:
        case control::Response::kCaptureStopped:
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
    return text + " (its log: `journalctl -u basculed`)";
}

}  // namespace bascule::cli
