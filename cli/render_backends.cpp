// SPDX-License-Identifier: Apache-2.0
#include "cli/render_backends.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/names.h"
#include "cli/sheet.h"
#include "cli/table.h"
#include "cli/wrap.h"

namespace bascule::cli {

namespace {

using Align = Column::Align;

Colour colour_of(control::BackendState state) {
    switch (state) {
        case control::BACKEND_UP:
            return Colour::green;
        case control::BACKEND_STANDBY:
            return Colour::none;
        case control::BACKEND_DRAINED:
        case control::BACKEND_ZERO:
        case control::BACKEND_DISABLED:
        case control::BACKEND_CHECKING:
            return Colour::yellow;
        default:
            return Colour::red;
    }
}

// "drained, empty" is what an operator waits for before he switches a server off.
std::string state_of(const control::Backend& backend) {
    std::string text = name_of(backend.state());
    if (backend.state() == control::BACKEND_DRAINED && backend.has_drained_sessions() &&
        backend.drained_sessions() == 0) {
        text += ", empty";
    }
    if (backend.state() == control::BACKEND_UP && backend.backup()) text += ", backup";
    return text;
}

std::string address_of(const control::Backend& backend) {
    return backend.port() == 0 ? backend.address() : endpoint(backend.address(), backend.port());
}

// What a service's row has no room for; empty when nothing is out of the ordinary.
std::string service_note(const control::Service& service) {
    std::vector<std::string> parts;
    if (service.quorum() > 1) parts.push_back(fmt::format("quorum {}", service.quorum()));
    if (service.on_backups()) parts.emplace_back("only backups serve");
    if (service.affinity() == "source") parts.emplace_back("affinity source");
    if (service.unknown() == "drop") parts.emplace_back("unknown drop");
    if (service.on_empty() == "reset") parts.emplace_back("on_empty reset");
    if (service.mss_clamp() > 0) parts.push_back(fmt::format("mss_clamp {}", service.mss_clamp()));
    if (service.gue_port() > 0) parts.push_back(fmt::format("gue_port {}", service.gue_port()));
    return fmt::format("{}", fmt::join(parts, ", "));
}

// "the operator: drained, weight 50 (file: 100)"; empty when he has said nothing.
std::string operator_note(const control::Backend& backend, std::time_t now) {
    if (!backend.has_word()) return "";
    const auto& word = backend.word();
    std::string text = word.drained() ? "drained" : word.disabled() ? "disabled" : "";
    if (word.has_weight()) {
        text += fmt::format("{}weight {}", text.empty() ? "" : ", ", word.weight());
    }
    const std::string where = word.node().empty() ? "" : " on " + harmless(word.node());
    text =
        fmt::format("by the operator{}: {} (file: weight {})", where, text, backend.file_weight());
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

// Why it is in its state, and what the operator said; empty: nothing that its row does not tell.
std::string backend_note(const control::Backend& backend, const Screen& screen) {
    std::string note = operator_note(backend, screen.now);
    bool told = backend.has_word() && takes_no_flows_only(backend.state());
    if (!told && !backend.reason().empty()) {
        note = harmless(backend.reason()) + (note.empty() ? "" : "; ") + note;
    }
    return note;
}

std::string backend_notes(const control::Backends& backends, const Screen& screen) {
    std::string text;
    for (const auto& backend : backends.backends()) {
        const std::string note = backend_note(backend, screen);
        if (note.empty()) continue;
        const std::string name = harmless(full_name(backend));
        const std::string lines = wrap("", name + ": " + note, screen.width);
        // Painted afterwards: a colour has no width.
        text += lines.starts_with(name) ? paint(name, colour_of(backend.state()), screen.colours) +
                                              lines.substr(name.size())
                                        : lines;
    }
    return text.empty() ? "" : "\n" + text;
}

// "eth0", "eth0 vlan 100", "eth0 via 10.9.0.254"
std::string way_of(const control::Backend& backend) {
    std::string text = backend.interface();
    if (backend.vlan() > 0) text += fmt::format(" vlan {}", backend.vlan());
    if (!backend.via().empty()) text += fmt::format(" via {}", backend.via());
    return text;
}

// Columns that would say the same in every row of most installations are left out there.
struct Extra {
    bool mode = false;
    bool way = false;

    explicit Extra(const control::Backends& backends) {
        const auto& list = backends.backends();
        for (const auto& backend : list) {
            mode |= backend.mode() != list[0].mode();
            way |= !backend.via().empty() || backend.vlan() > 0;
        }
        mode |= !list.empty() && !list[0].mode().empty() && list[0].mode() != "l2";
    }
};

void detail(Sheet& sheet, const control::Backend& backend, const Screen& screen) {
    sheet.line("Address", harmless(address_of(backend)));
    std::string mode = harmless(backend.mode());
    if (backend.rewritten_port() > 0) {
        mode += fmt::format(", destination port rewritten to {}", backend.rewritten_port());
    }
    if (!backend.tunnel_source().empty()) {
        mode += ", outer source " + harmless(backend.tunnel_source());
    }
    sheet.line("Mode", mode);
    sheet.line("State", paint(state_of(backend), colour_of(backend.state()), screen.colours));
    const std::string note = backend_note(backend, screen);
    if (!note.empty()) sheet.wrapped("State", note, screen.width);
    if (!backend.health().empty() && backend.health() != "unchecked") {
        sheet.line("Health", fmt::format("{} (bascule show health {})", harmless(backend.health()),
                                         harmless(full_name(backend))));
    }
    std::string way = harmless(way_of(backend));
    if (!backend.mac().empty()) way += ", to " + harmless(backend.mac());
    if (!backend.source_mac().empty()) way += " from " + harmless(backend.source_mac());
    if (backend.mtu() > 0) way += fmt::format(", mtu {}", backend.mtu());
    if (!way.empty()) sheet.line("Way", way);
    sheet.line("Weight",
               fmt::format("{} (file: {}), {} of the ring", backend.weight(), backend.file_weight(),
                           short_share(backend.ring_slots(), backend.ring_size())));
    const auto& traffic = backend.traffic();
    sheet.line("Traffic",
               fmt::format("{}, {} new, {} packets, {}",
                           counted(backend.sessions(), "session", "sessions"),
                           short_count(traffic.new_sessions()), short_count(traffic.packets()),
                           short_bytes(traffic.bytes())));
}

std::string details(const control::Backends& backends, const Screen& screen) {
    std::string text;
    for (const auto& backend : backends.backends()) {
        Sheet sheet(screen.colours);
        detail(sheet, backend, screen);
        text += (text.empty() ? "" : "\n") +
                paint(harmless(full_name(backend)), Colour::bold, screen.colours) + "\n" +
                sheet.text();
    }
    return text;
}

// What keeps a backend that the operator lets serve from doing so.
std::string health_of(const control::Backend& backend, const Screen& screen) {
    if (backend.reason().empty()) return "";
    std::string head;
    if (backend.state() == control::BACKEND_DOWN) head = "but its checks fail: ";
    if (backend.state() == control::BACKEND_CHECKING) head = "but no new flows yet: ";
    if (!head.empty()) head.insert(0, backend.word().drained() ? "drained, " : "enabled, ");
    return wrap("", head + harmless(backend.reason()), screen.width);
}

}  // namespace

std::string render_services(const control::Services& services, const Screen& screen) {
    if (services.services().empty()) return "no services\n";
    Table table({{"SERVICE", Align::left, 0, true},
                 {"ADDRESS"},
                 {"MODE", Align::left, 3},
                 {"CHECK", Align::left, 4},
                 {"BACKENDS", Align::right},
                 {"SESSIONS", Align::right},
                 {"NEW", Align::right, 1},
                 {"PACKETS", Align::right, 2},
                 {"BYTES", Align::right}});
    std::string notes;
    for (const auto& service : services.services()) {
        auto up = service.backends_up();
        const bool idle = up == 0 || service.below_quorum();
        Colour colour = idle                       ? Colour::red
                        : up == service.backends() ? Colour::green
                                                   : Colour::yellow;
        const auto& traffic = service.traffic();
        table.add({{service.name()},
                   {endpoint(service.vip(), service.ports()) + "/" + name_of(service.protocol())},
                   {service.mode()},
                   {service.check().empty() ? "-" : service.check()},
                   {fmt::format("{}/{}", up, service.backends()), colour},
                   {short_count(service.sessions())},
                   {short_count(traffic.new_sessions())},
                   {short_count(traffic.packets())},
                   {short_bytes(traffic.bytes())}});
        const std::string name = harmless(service.name());
        if (service.below_quorum() && service.quorum() > 1) {
            notes += fmt::format("{}: {}: {} of {} backends that it needs can serve\n", name,
                                 paint("NO NEW FLOWS", Colour::red, screen.colours), service.able(),
                                 service.quorum());
        }
        const std::string note = service_note(service);
        if (!note.empty()) notes += wrap("", name + ": " + note, screen.width);
    }
    return table.to_string(screen.width, screen.colours) + (notes.empty() ? "" : "\n" + notes);
}

std::string render_backends(const control::Backends& backends, const Screen& screen) {
    if (backends.backends().empty()) return "no backends\n";
    if (screen.detail) return details(backends, screen);
    const Extra extra(backends);
    std::vector<Column> columns = {{"SERVICE", Align::left, 0, true},
                                   {"BACKEND", Align::left, 0, true},
                                   {"ADDRESS"},
                                   {"STATE"},
                                   {"WEIGHT", Align::right},
                                   {"RING", Align::right, 2},
                                   {"SESSIONS", Align::right},
                                   {"NEW", Align::right, 3},
                                   {"PACKETS", Align::right, 4},
                                   {"BYTES", Align::right, 1}};
    if (extra.mode) columns.push_back({"MODE", Align::left, 5});
    if (extra.way) columns.push_back({"WAY", Align::left, 6});
    Table table(std::move(columns));
    for (const auto& backend : backends.backends()) {
        const auto& traffic = backend.traffic();
        bool other = backend.has_word() && backend.weight() != backend.file_weight();
        std::vector<Cell> cells = {{backend.service()},
                                   {backend.name()},
                                   {address_of(backend)},
                                   {state_of(backend), colour_of(backend.state())},
                                   {std::to_string(backend.weight()) + (other ? "*" : ""),
                                    other ? Colour::yellow : Colour::none},
                                   {short_share(backend.ring_slots(), backend.ring_size())},
                                   {short_count(backend.sessions())},
                                   {short_count(traffic.new_sessions())},
                                   {short_count(traffic.packets())},
                                   {short_bytes(traffic.bytes())}};
        if (extra.mode) cells.push_back({backend.mode()});
        if (extra.way) cells.push_back({backend.interface().empty() ? "-" : way_of(backend)});
        table.add(std::move(cells));
    }
    return table.to_string(screen.width, screen.colours) + backend_notes(backends, screen);
}

std::string render_change(const control::BackendChanged& change, const Screen& screen) {
    const auto& backend = change.backend();
    std::string text = fmt::format(
        "{}: {}{}, weight {}", harmless(full_name(backend)), change.changed() ? "" : "unchanged: ",
        paint(name_of(backend.state()), colour_of(backend.state()), screen.colours),
        backend.weight());
    std::string word = operator_note(backend, screen.now);
    text += word.empty() ? " (as the file has it)\n" : " " + word + "\n";
    if (takes_no_flows_only(backend.state())) {
        text += fmt::format("no new flows; {} (bascule show sessions --backend {})\n",
                            counted(backend.sessions(), "session stays", "sessions stay"),
                            harmless(full_name(backend)));
    } else if (backend.state() == control::BACKEND_DISABLED) {
        text += fmt::format("no new flows; {} with the next packet\n",
                            counted(backend.sessions(), "session moves", "sessions move"));
    } else {
        text += health_of(backend, screen);
    }
    if (!change.note().empty()) {
        text +=
            paint("note", Colour::yellow, screen.colours) + ": " + harmless(change.note()) + "\n";
    }
    return text;
}

}  // namespace bascule::cli
