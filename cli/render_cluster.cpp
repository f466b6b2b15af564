// SPDX-License-Identifier: Apache-2.0
#include "cli/render_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "cli/moment.h"
#include "cli/render_peers.h"
#include "cli/table.h"

namespace bascule::cli {

namespace {

// What is beyond is counted.
constexpr std::size_t most_reasons = 6;
constexpr std::size_t most_lines = 4;  // of another kind

std::string red(std::string_view text, bool colours) {
    return paint(text, Colour::red, colours);
}

void verdict_lines(Sheet& sheet, const control::Status& status, const Survival& survival,
                   const Screen& screen) {
    const std::string name = harmless(status.peers().cluster());
    if (survival.survives()) {
        sheet.line("Cluster", fmt::format("{}  {}", name,
                                          paint("survives the loss of any node", Colour::green,
                                                screen.colours)));
        return;
    }
    sheet.line(
        "Cluster",
        fmt::format("{}  {}", name, red("WOULD NOT SURVIVE the loss of a node:", screen.colours)));
    for (std::size_t i = 0; i < survival.reasons.size() && i < most_reasons; ++i)
        sheet.wrapped("Cluster", harmless(survival.reasons[i]), screen.width, "- ");
    if (survival.reasons.size() > most_reasons)
        sheet.line("Cluster", fmt::format("- and {} more: bascule status --json",
                                          survival.reasons.size() - most_reasons));
}

// "4 of 4 held: 3 by lb1 (this node), 1 by lb2".
void holder_line(Sheet& sheet, const control::Status& status, const Screen& screen) {
    std::map<std::string, int> count;
    int held = 0;
    for (const auto& vip : status.vips()) {
        const std::string holder = holder_of(vip, status.node());
        if (holder.empty()) continue;
        ++held;
        ++count[holder];
    }
    std::string by;
    for (const auto& [holder, number] : count)
        by += fmt::format("{}{} by {}{}", by.empty() ? ": " : ", ", number, harmless(holder),
                          holder == status.node() ? " (this node)" : "");
    const std::string number = fmt::format("{} of {} held", held, status.vips_size());
    const bool whole = held == status.vips_size();
    sheet.fitted(
        "VIPs", [&](bool colours) { return (whole ? number : red(number, colours)) + by; },
        screen.width);
}

// Those that go well: the others are in the verdict.
void succession_lines(Sheet& sheet, const Survival& survival, const Screen& screen) {
    std::size_t told = 0;
    std::size_t rest = 0;
    for (const auto& one : survival.successions) {
        if (!one.ready) continue;
        if (++told > most_lines)
            rest += one.vips.size();
        else
            sheet.wrapped("Takeover",
                          harmless(fmt::format("if {} dies, {} takes {}, in step", one.from, one.to,
                                               some_of(one.vips))),
                          screen.width);
    }
    if (rest > 0)
        sheet.line("Takeover", fmt::format("{} of other nodes in step, too: bascule show vips",
                                           counted(rest, "VIP", "VIPs")));
}

// What is out of the ordinary with a VIP, beside who would take it; empty: nothing.
std::string vip_words(const control::Vip& vip, const std::string& self) {
    std::vector<std::string> words;
    const std::string holder = holder_of(vip, self);
    if (!vip.problem().empty()) words.push_back(vip.problem());
    if (vip.moved() && !holder.empty())
        words.push_back("on " + holder + " by the operator's word");
    else if (!vip.waits().empty())
        words.push_back(self + " waits: " + vip.waits());
    for (const auto& rival : vip.rivals())
        words.push_back(rival.mac() + " on " + rival.interface() + " says that it has it");
    return fmt::format("{}", fmt::join(words, "; "));
}

// VIPs of which the same is to be said are told together.
void vip_lines(Sheet& sheet, const control::Status& status, const Screen& screen) {
    std::vector<std::pair<std::string, std::vector<std::string>>> told;
    for (const auto& vip : status.vips()) {
        const std::string words = vip_words(vip, status.node());
        if (words.empty()) continue;
        auto known = std::find_if(told.begin(), told.end(),
                                  [&](const auto& each) { return each.first == words; });
        if (known == told.end()) known = told.insert(told.end(), {words, {}});
        known->second.push_back(vip.address());
    }
    std::size_t rest = 0;
    for (std::size_t i = 0; i < told.size(); ++i) {
        const auto& [words, vips] = told[i];
        if (i < most_lines)
            sheet.wrapped("VIPs", harmless(some_of(vips) + ": " + words), screen.width);
        else
            rest += vips.size();
    }
    if (rest > 0)
        sheet.line("VIPs", fmt::format("and {} more to be told of: bascule show vips", rest));
}

void witness_lines(Sheet& sheet, const control::Status& status, const Screen& screen) {
    const auto& witnesses = status.witnesses();
    if (witnesses.empty()) {
        sheet.line("Witness", "none is asked");
        return;
    }
    std::size_t told = 0;
    for (const auto& witness : witnesses)
        if (told++ < most_lines) sheet.line("Witness", witness_words(witness, screen));
    if (told > most_lines) {
        const auto rest = std::count_if(witnesses.begin() + most_lines, witnesses.end(),
                                        [](const auto& witness) { return witness.answers(); });
        sheet.line("Witness", fmt::format("{} of {} more answer", rest, told - most_lines));
    }
}

}  // namespace

std::string witness_words(const control::Witness& witness, const Screen& screen) {
    const std::string address = harmless(witness.address());
    const std::string since = short_duration(witness.since_seconds());
    if (!witness.answers())
        return fmt::format("{} {} for {}", address, red("IS SILENT", screen.colours), since);
    std::string text = fmt::format("{} answers for {}", address, since);
    if (witness.has_rtt_ms())
        text +=
            ", " + short_delay(static_cast<std::uint64_t>(std::max(0.0, witness.rtt_ms()) * 1000));
    return text;
}

void cluster_lines(Sheet& sheet, const control::Status& status, const Survival& survival,
                   const Screen& screen) {
    verdict_lines(sheet, status, survival, screen);
    holder_line(sheet, status, screen);
    vip_lines(sheet, status, screen);
    succession_lines(sheet, survival, screen);
    peer_lines(sheet, status.peers(), screen);
    witness_lines(sheet, status, screen);
}

}  // namespace bascule::cli
