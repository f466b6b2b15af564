// SPDX-License-Identifier: Apache-2.0
#include "cli/render_vips.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cli/names.h"
#include "cli/render_cluster.h"
#include "cli/sheet.h"
#include "cli/survival.h"
#include "cli/table.h"

namespace bascule::cli {

namespace {

using Align = Column::Align;
using control::Vip;
using control::VipNode;

Cell holder_cell(const Vip& vip, const control::Vips& vips) {
    if (vip.holders_size() > 1)
        return {fmt::format("{}", fmt::join(vip.holders(), ", ")), Colour::red};
    const std::string holder = holder_of(vip, vips.node());
    if (holder.empty()) return {"NOBODY", Colour::red};
    return {holder + (vip.held() ? " (here)" : ""), Colour::green};
}

Cell next_cell(const Vip& vip) {
    if (vip.next().empty()) return {"NOBODY", Colour::red};
    if (!vip.next_ready()) return {vip.next() + ", NOT IN STEP", Colour::red};
    return {vip.next() + ", in step"};
}

std::string rival_words(const control::VipRival& rival) {
    return fmt::format("{} on {} says that it has it: {}, the last {} ago", rival.mac(),
                       rival.interface(), counted(rival.count(), "frame", "frames"),
                       short_duration(rival.seconds_ago()));
}

std::vector<std::string> notes_of(const Vip& vip, const std::string& self) {
    std::vector<std::string> notes;
    if (vip.holders_size() > 1) notes.emplace_back("two nodes hold it at the same time");
    if (!vip.problem().empty()) notes.push_back(vip.problem());
    if (vip.moved())
        notes.emplace_back(
            "by the operator's word: it stays there until it is moved again, or its holder dies");
    else if (!vip.waits().empty())
        notes.push_back(self + " waits: " + vip.waits());
    for (const auto& rival : vip.rivals())
        notes.push_back(rival_words(rival));
    return notes;
}

std::string table_of(const control::Vips& vips, const Screen& screen) {
    std::vector<Column> columns = {{"VIP"}, {"INTERFACE"}, {"HELD BY", Align::left, 0, true}};
    if (vips.in_cluster()) {
        columns.push_back({"FOR", Align::right});
        columns.push_back({"EPOCH", Align::right, 1});
        columns.push_back({"IF IT DIES", Align::left, 0, true});
    }
    Table table(std::move(columns));
    for (const Vip& vip : vips.vips()) {
        std::vector<Cell> cells = {{vip.address()}, {vip.interface()}};
        if (vips.in_cluster()) {
            cells.push_back(holder_cell(vip, vips));
            cells.push_back({vip.held() ? short_duration(vip.held_seconds()) : "-"});
            cells.push_back({std::to_string(vip.epoch())});
            cells.push_back(next_cell(vip));
        } else {
            cells.push_back(vip.held() ? Cell{"here", Colour::green}
                                       : Cell{"NOT HELD", Colour::red});
        }
        table.add(std::move(cells));
        for (const std::string& note : notes_of(vip, vips.node()))
            table.note(note);
    }
    return table.to_string(screen.width, screen.colours);
}

Cell role_cell(VipNode::Role role) {
    switch (role) {
        case VipNode::ROLE_HOLDING:
            return {"holding", Colour::green};
        case VipNode::ROLE_OFFERING:
            return {"offering", Colour::yellow};
        case VipNode::ROLE_READY:
            return {"ready"};
        case VipNode::ROLE_FIT:
            return {"fit, not in step", Colour::yellow};
        case VipNode::ROLE_UNFIT:
            return {"UNFIT", Colour::red};
        default:
            return {"NOT HEARD", Colour::red};
    }
}

std::string node_table(const Vip& vip, const control::Vips& vips, const Screen& screen) {
    Table table({{"NODE", Align::left, 0, true},
                 {"ROLE"},
                 {"PRIORITY", Align::right},
                 {"EPOCH", Align::right}});
    for (const VipNode& node : vip.nodes()) {
        const bool heard = node.role() != VipNode::ROLE_UNKNOWN;
        table.add({{node.name() + (node.name() == vips.node() ? " (this node)" : "")},
                   role_cell(node.role()),
                   {std::to_string(node.priority())},
                   {heard ? std::to_string(node.epoch()) : "-"}});
        if (!node.why().empty()) table.note(node.why());
    }
    return table.empty() ? "" : table.to_string(screen.width, screen.colours);
}

std::string detail_of(const Vip& vip, const control::Vips& vips, const Screen& screen) {
    Sheet sheet(screen.colours);
    const std::string mac = vip.service_mac().empty() ? "" : ", " + harmless(vip.service_mac());
    sheet.line("Interface", harmless(vip.interface()) + mac);
    sheet.line("Announced", counted(vip.announced(), "frame", "frames") + " by this node");
    if (vip.restored() > 0)
        sheet.line("Restored", counted(vip.restored(), "time", "times") +
                                   ": a stranger had taken it off this host");
    for (const auto& rival : vip.rivals())
        sheet.wrapped("Rival", harmless(rival_words(rival)), screen.width);
    return "\n" + paint(harmless(vip.address()), Colour::bold, screen.colours) + "\n" +
           sheet.text() + node_table(vip, vips, screen);
}

// What holds for all VIPs.
std::string cluster_sheet(const control::Vips& vips, const Screen& screen) {
    Sheet sheet(screen.colours);
    const bool never = vips.failback() == "never";
    const auto delay = static_cast<std::uint64_t>(vips.failback_delay_ms() / 1000);
    sheet.line("Failback", never ? "never: a VIP stays where it is until its holder goes"
                                 : fmt::format("{}, after {}", harmless(vips.failback()),
                                               short_duration(delay)));
    for (const auto& witness : vips.witnesses())
        sheet.line("Witness", witness_words(witness, screen));
    if (vips.witnesses().empty()) sheet.line("Witness", "none is asked");
    return "\n" + sheet.text();
}

}  // namespace

std::string render_vips(const control::Vips& vips, const Screen& screen) {
    if (vips.vips().empty()) return "the configuration has no VIP\n";
    std::string text = table_of(vips, screen);
    if (vips.in_cluster()) text += cluster_sheet(vips, screen);
    if (screen.detail)
        for (const Vip& vip : vips.vips())
            text += detail_of(vip, vips, screen);
    return text;
}

std::string render_failover(const control::FailedOver& done, const Screen& screen) {
    std::string text;
    for (const auto& moved : done.moved())
        text += fmt::format("{}: {} → {} in {:.0f} ms\n", harmless(moved.vip()),
                            harmless(moved.from()), harmless(moved.to()), moved.milliseconds());
    const std::string mark = paint("not moved: ", Colour::red, screen.colours);
    for (const auto& failed : done.failed())
        text += mark + harmless(failed) + "\n";
    return text.empty() ? "nothing was to be moved\n" : text;
}

}  // namespace bascule::cli
