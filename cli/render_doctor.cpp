// SPDX-License-Identifier: Apache-2.0
#include "cli/render_doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <vector>

#include "cli/table.h"
#include "cli/wrap.h"

namespace bascule::cli {

namespace {

constexpr std::size_t most_named = 8;

using control::DoctorCheck;
using control::DoctorFinding;
using control::DoctorReport;

std::size_t count_of(const DoctorReport& report, std::string_view severity) {
    return static_cast<std::size_t>(
        std::count_if(report.findings().begin(), report.findings().end(),
                      [&](const auto& finding) { return finding.severity() == severity; }));
}

bool is_made(const DoctorCheck& check) {
    return check.result() == "well" || check.result() == "found";
}

// Made in part counts as made, and is told.
bool is_told(const DoctorCheck& check) {
    return check.result() == "not_made" || (is_made(check) && !check.why().empty());
}

// "33 checks, 12 not needed here, 2 not made"
std::string counts(const DoctorReport& report) {
    std::size_t made = 0, spared = 0, failed = 0;
    for (const auto& check : report.checks()) {
        made += is_made(check) ? 1 : 0;
        spared += check.result() == "not_needed" ? 1 : 0;
        failed += check.result() == "not_made" ? 1 : 0;
    }
    std::string text = counted(made, "check", "checks");
    if (spared > 0) text += fmt::format(", {} not needed here", spared);
    if (failed > 0) text += fmt::format(", {} not made", failed);
    return text;
}

std::string verdict(const DoctorReport& report, const Screen& screen) {
    std::vector<std::string> parts;
    const auto add = [&](const char* severity, const char* one, const char* many, Colour colour) {
        if (const std::size_t count = count_of(report, severity); count > 0)
            parts.push_back(paint(counted(count, one, many), colour, screen.colours));
    };
    add("problem", "problem", "problems", Colour::red);
    add("warning", "warning", "warnings", Colour::yellow);
    add("note", "note", "notes", Colour::none);
    if (parts.empty()) return paint("nothing found", Colour::green, screen.colours);
    return fmt::format("{}", fmt::join(parts, ", "));
}

char mark_of(const DoctorFinding& finding) {
    return finding.severity() == "problem" ? '!' : finding.severity() == "warning" ? '*' : 'i';
}

Colour colour_of(const DoctorFinding& finding) {
    return finding.severity() == "problem"   ? Colour::red
           : finding.severity() == "warning" ? Colour::yellow
                                             : Colour::none;
}

std::string render(const DoctorFinding& finding, const Screen& screen) {
    const std::string code = harmless(finding.code());
    // Painted afterwards: a colour has no width.
    std::string text = wrap("    ", code + ": " + harmless(finding.what()), screen.width);
    text = "\n  " + paint(std::string(1, mark_of(finding)), colour_of(finding), screen.colours) +
           " " + paint(code, Colour::bold, screen.colours) + text.substr(4 + code.size());
    text += wrap("    ", harmless(finding.meaning()), screen.width);
    // A command stays on its line: it is there to be copied.
    if (!finding.command().empty()) text += "    -> " + harmless(finding.command()) + "\n";
    if (!finding.advice().empty())
        text += wrap(finding.command().empty() ? "    -> " : "       ", harmless(finding.advice()),
                     screen.width);
    return text;
}

// Checks that were not made for the same reason are told together.
std::string render_not_made(const DoctorReport& report, const Screen& screen) {
    std::vector<std::string> order;
    std::map<std::string, std::vector<std::string>> by_reason;
    for (const auto& check : report.checks()) {
        if (!is_told(check)) continue;
        const std::string why = harmless(check.why());
        if (!by_reason.contains(why)) order.push_back(why);
        by_reason[why].push_back(harmless(check.code()));
    }
    std::string text;
    for (const std::string& why : order) {
        const auto& codes = by_reason[why];
        const std::string names = codes.size() <= most_named
                                      ? fmt::format("{}", fmt::join(codes, ", "))
                                      : fmt::format("{} checks (--all names them)", codes.size());
        text += wrap("    ", names + ": " + why, screen.width);
    }
    return text.empty() ? "" : "\n  not made, or not everywhere:\n" + text;
}

std::string render_checks(const DoctorReport& report, const Screen& screen) {
    Table table({{"CODE"}, {"RESULT"}, {"LOOKS AT"}, {"WHY", Column::Align::left, 0, true}});
    for (const auto& check : report.checks()) {
        std::string result = harmless(check.result());
        std::replace(result.begin(), result.end(), '_', ' ');
        const bool well = check.result() == "well" || check.result() == "not_needed";
        table.add({{harmless(check.code())},
                   {result, well ? Colour::none : Colour::yellow},
                   {harmless(check.looks_at())},
                   {harmless(check.why())}});
    }
    return "\n" + table.to_string(screen.width, screen.colours);
}

}  // namespace

std::string render_doctor(const DoctorReport& report, const std::string& outside,
                          const Screen& screen) {
    const std::string node = report.node().empty() ? "this node" : harmless(report.node());
    std::string text = fmt::format("{}  {}  {}\n", paint(node, Colour::bold, screen.colours),
                                   verdict(report, screen), counts(report));
    if (!outside.empty())
        text += wrap("  ", "looked at from outside: " + harmless(outside), screen.width);
    for (const auto& finding : report.findings())
        text += render(finding, screen);
    return text + (screen.all ? render_checks(report, screen) : render_not_made(report, screen));
}

Json json_doctor(const DoctorReport& report, const std::string& outside) {
    const auto text_or_null = [](const std::string& text) {
        return text.empty() ? Json() : Json(text);
    };
    Json document = json_head("doctor", true);
    document["node"] = text_or_null(report.node());
    document["version"] = report.version();
    document["by_daemon"] = report.by_daemon();
    document["outside"] = text_or_null(outside);
    document["findings"] = Json::array();
    for (const auto& finding : report.findings())
        document["findings"].push_back({{"code", finding.code()},
                                        {"severity", finding.severity()},
                                        {"what", finding.what()},
                                        {"meaning", finding.meaning()},
                                        {"command", text_or_null(finding.command())},
                                        {"advice", text_or_null(finding.advice())}});
    document["checks"] = Json::array();
    for (const auto& check : report.checks())
        document["checks"].push_back({{"code", check.code()},
                                      {"result", check.result()},
                                      {"looks_at", check.looks_at()},
                                      {"why", text_or_null(check.why())}});
    return document;
}

bool has_problem(const DoctorReport& report) {
    return count_of(report, "problem") > 0;
}

}  // namespace bascule::cli
