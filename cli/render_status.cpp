// SPDX-License-Identifier: Apache-2.0
#include "cli/render_status.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "cli/names.h"
#include "cli/render_cluster.h"
#include "cli/sheet.h"
#include "cli/survival.h"
#include "cli/table.h"
#include "cli/wrap.h"

namespace bascule::cli {

namespace {

std::string headline(const control::Status& status, const Survival& survival,
                     const Screen& screen) {
    const auto problems = static_cast<std::uint64_t>(status.degradations_size());
    std::string verdict = paint("all is well", Colour::green, screen.colours);
    if (problems > 0)
        verdict = paint("DEGRADED: " + counted(problems, "problem", "problems"), Colour::red,
                        screen.colours);
    else if (!survival.survives())
        verdict = paint("DEGRADED: not redundant", Colour::red, screen.colours);
    return fmt::format("{}  {}  basculed {}, pid {}, up {}\n",
                       paint(harmless(status.node()), Colour::bold, screen.colours), verdict,
                       harmless(status.version()), status.pid(),
                       short_duration(status.uptime_seconds()));
}

std::string problems(const control::Status& status, const Screen& screen) {
    std::string text;
    const auto tell = [&](const control::Degradation& one, char mark, Colour colour) {
        // Painted afterwards: a colour has no width.
        std::string said = wrap("    ", harmless(one.what()), screen.width);
        text += paint(std::string("  ") + mark, colour, screen.colours) + said.substr(3);
        if (!one.mend().empty()) text += wrap("    -> ", harmless(one.mend()), screen.width);
    };
    for (const auto& degradation : status.degradations())
        tell(degradation, '!', Colour::red);
    for (const auto& notice : status.notices())
        tell(notice, 'i', Colour::yellow);
    return text;
}

std::string moment(std::uint64_t unix_seconds, std::time_t now) {
    auto then = static_cast<std::time_t>(unix_seconds);
    std::string text = fmt::format("{:%Y-%m-%d %H:%M:%S %Z}", fmt::localtime(then));
    if (now < then) return text;
    return fmt::format("{} ({} ago)", text, short_duration(static_cast<std::uint64_t>(now - then)));
}

void configuration(Sheet& sheet, const control::Status& status, const Screen& screen) {
    for (const auto& file : status.config_files())
        sheet.line("Configuration", harmless(file));
    sheet.line("Configuration", "hash " + harmless(status.config_hash()).substr(0, 16));
    if (!status.has_last_reload()) return;
    const auto& reload = status.last_reload();
    std::string when = moment(reload.unix_seconds(), screen.now);
    if (reload.ok()) {
        sheet.line("Last reload", fmt::format("{}: applied", when));
        return;
    }
    sheet.line("Last reload",
               fmt::format("{}: {}", when, paint("REFUSED", Colour::red, screen.colours)));
    sheet.line("Last reload", "  " + harmless(reload.message()));
    for (const auto& detail : reload.details())
        sheet.line("Last reload", "  " + harmless(detail));
}

void interface_lines(Sheet& sheet, const control::Interface& interface, const Screen& screen) {
    std::string text = harmless(interface.name()) + "  ";
    if (!interface.attached()) {
        text += paint("XDP NOT ATTACHED", Colour::red, screen.colours);
    } else {
        bool native = interface.mode() == control::Interface::MODE_NATIVE;
        text += paint(name_of(interface.mode()) + " XDP", native ? Colour::green : Colour::yellow,
                      screen.colours);
        if (interface.adopted()) text += ", adopted";
    }
    text +=
        interface.link_up() ? ", link up" : ", " + paint("LINK DOWN", Colour::red, screen.colours);
    if (!interface.driver().empty()) text += ", driver " + harmless(interface.driver());
    if (interface.mtu() > 0) text += fmt::format(", mtu {}", interface.mtu());
    if (!interface.mac().empty()) text += ", " + harmless(interface.mac());
    sheet.line("Interface", text);
    if (!interface.warning().empty()) {
        sheet.line("Interface", "  " + harmless(interface.warning()));
    }
}

constexpr int most_vip_lines = 8;

void vip_line(Sheet& sheet, const control::Vip& vip, const Screen& screen) {
    const std::string held = vip.held() ? paint("held here", Colour::green, screen.colours)
                                        : paint("NOT HELD", Colour::red, screen.colours);
    sheet.line("VIP", fmt::format("{} on {}  {}", harmless(vip.address()),
                                  harmless(vip.interface()), held));
    if (!vip.problem().empty()) sheet.line("VIP", "  " + harmless(vip.problem()));
}

// Of a node by itself. Where there are many, those that are well are counted.
void vip_lines(Sheet& sheet, const control::Status& status, const Screen& screen) {
    const bool few = status.vips_size() <= most_vip_lines;
    int told = 0;
    int well = 0;
    for (const auto& vip : status.vips()) {
        const bool is_well = vip.held() && vip.problem().empty();
        if (few || (!is_well && told < most_vip_lines)) {
            vip_line(sheet, vip, screen);
            ++told;
        }
        well += is_well;
    }
    if (!few)
        sheet.line("VIP", fmt::format("{} of {} are held here and well: bascule show vips", well,
                                      status.vips_size()));
}

// "12.3k of 1.00M (1.2%)"
std::string filling(const char* family, std::uint64_t used, std::uint64_t capacity) {
    return fmt::format("{} {} of {} ({})", family, short_count(used), short_count(capacity),
                       short_share(used, capacity));
}

void session_lines(Sheet& sheet, const control::Status& status) {
    const auto& counts = status.sessions();
    std::string text = fmt::format("{} established, {} closing, {} embryonic, {} adopted",
                                   short_count(counts.established()), short_count(counts.closing()),
                                   short_count(counts.embryonic()), short_count(counts.adopted()));
    if (counts.from_peer() > 0) {
        text += fmt::format(", of them {} from a peer", short_count(counts.from_peer()));
    }
    sheet.line("Sessions", text);
    if (counts.used_v4() + counts.used_v6() > 0) {
        sheet.line("Sessions", filling("IPv4", counts.used_v4(), counts.capacity_v4()) + ", " +
                                   filling("IPv6", counts.used_v6(), counts.capacity_v6()));
    } else {
        sheet.line("Sessions",
                   fmt::format("room for {} IPv4 and {} IPv6", short_count(counts.capacity_v4()),
                               short_count(counts.capacity_v6())));
    }
    sheet.line("Deltas", fmt::format("{} read, {} lost", short_count(status.deltas_read()),
                                     short_count(status.deltas_lost())));
}

void service_lines(Sheet& sheet, const control::Status& status, const Screen& screen) {
    std::string services = short_count(status.services());
    if (status.services_without_backend() > 0) {
        services +=
            ", " + paint(fmt::format("{} TAKE NO NEW FLOWS", status.services_without_backend()),
                         Colour::red, screen.colours);
    }
    sheet.line("Services", services);
    bool whole = status.backends_up() == status.backends();
    std::string backends =
        paint(fmt::format("{} of {} up", status.backends_up(), status.backends()),
              whole ? Colour::green : Colour::yellow, screen.colours);
    if (status.backends_down() > 0) {
        backends += ", " + paint(fmt::format("{} DOWN", status.backends_down()), Colour::red,
                                 screen.colours);
    }
    if (status.backends_checking() > 0) {
        backends += fmt::format(", {} not checked yet", status.backends_checking());
    }
    if (status.operator_words() > 0) {
        backends += fmt::format(", {} under the operator's word", status.operator_words());
    }
    sheet.line("Backends", backends);
}

}  // namespace

std::string render_status(const control::Status& status, const Screen& screen) {
    Survival survival;
    std::string cluster;
    if (status.has_peers()) {
        survival = survival_of(status);
        Sheet of_cluster(screen.colours);
        cluster_lines(of_cluster, status, survival, screen);
        cluster = of_cluster.text() + "\n";
    }
    Sheet sheet(screen.colours);
    service_lines(sheet, status, screen);
    configuration(sheet, status, screen);
    sheet.line("Data plane", harmless(status.bpffs()) +
                                 (status.adopted() ? ", adopted from an earlier process" : ""));
    for (const auto& interface : status.interfaces())
        interface_lines(sheet, interface, screen);
    if (!status.has_peers()) vip_lines(sheet, status, screen);
    session_lines(sheet, status);
    for (const auto& counter : status.counters()) {
        if (counter.count() == 0 && !screen.all) continue;
        sheet.line("Counted", fmt::format("{}  {} ({})", short_count(counter.count()),
                                          harmless(counter.name()), harmless(counter.meaning())));
    }
    std::string wrong = problems(status, screen);
    return headline(status, survival, screen) + wrong + "\n" + cluster + sheet.text();
}

}  // namespace bascule::cli
