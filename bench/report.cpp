// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "bpf/contract.h"

namespace bascule::bench {

namespace {

using test::Family;
using test::ipv4_family;
using test::ipv6_family;

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    return "unknown";
}

std::string kernel_release() {
    utsname name{};
    return ::uname(&name) == 0 ? name.release : "unknown";
}

// As a multiple of a reference; what is below the clock's nanosecond counts as one.
double ratio(int figure, int reference) {
    return static_cast<double>(std::max(figure, 0)) / std::max(reference, 1);
}

const Figure* find(const std::vector<Figure>& figures, const std::string& name) {
    for (const Figure& figure : figures)
        if (figure.measured.name == name) return &figure;
    return nullptr;
}

std::string two_digits(double value) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(2) << value;
    return text.str();
}

template <typename... Cells>
void print_row(std::ostream& out, const std::string& first, const Cells&... cells) {
    std::ostringstream line;
    line << std::left << std::setw(34) << first << std::right;
    ((line << std::setw(13) << cells), ...);
    out << line.str() << '\n';
}

void add_tunnels(const std::vector<Figure>& figures, std::vector<Promise>& list) {
    for (const Figure& figure : figures) {
        const Case& measured = figure.measured;
        if (measured.kind != Kind::hit || !measured.mode.starts_with("ipip v") ||
            measured.mode.ends_with("rewritten"))
            continue;
        const Figure* l2 = find(figures, hit_name(measured.family, "l2", measured.flows));
        if (l2 == nullptr) continue;
        list.push_back({measured.name + " / (l2 + an outer header alone)",
                        ratio(figure.program, l2->program + figure.outer_header), 1.3});
    }
}

void add_many_flows(const std::vector<Figure>& figures, std::uint32_t many,
                    std::vector<Promise>& list) {
    for (const Family* family : {&ipv4_family(), &ipv6_family()}) {
        const Figure* hit = find(figures, hit_name(*family, "l2", many));
        if (hit != nullptr)
            list.push_back(
                {hit->measured.name + " / one access", ratio(hit->program, hit->memory), 1.6});
    }
}

// Margins are wide: they catch a program that has become another class of slow.
void add_proportions(const std::vector<Figure>& figures, std::vector<Promise>& list) {
    for (const Figure& figure : figures) {
        const int references = figure.bare + std::max(figure.minimal_tx, 0) +
                               std::max(figure.memory, 0) + std::max(figure.outer_header, 0);
        list.push_back({figure.measured.name + " / all references",
                        ratio(figure.program, references),
                        figure.measured.kind == Kind::fresh ? 20.0 : 5.0});
    }
}

}  // namespace

std::uint64_t table_bytes(const Family& family) {
    const std::uint64_t way =
        sizeof(std::uint64_t) * (family.vip.is_v4() ? BSC_KEY_WORDS_V4 + 1 : BSC_KEY_WORDS_V6 + 1);
    return 2 * way;
}

std::vector<Promise> promises(const std::vector<Figure>& figures, std::uint32_t many) {
    std::vector<Promise> list;
    add_tunnels(figures, list);
    add_many_flows(figures, many, list);
    add_proportions(figures, list);
    return list;
}

void print_table(const std::vector<Figure>& figures, std::ostream& out) {
    out << "kernel " << kernel_release() << ", " << cpu_model() << "\n"
        << "nanoseconds a packet, net of a bare drop; a session takes "
        << table_bytes(ipv4_family()) << " bytes of table (IPv6: " << table_bytes(ipv6_family())
        << ")\n\n";
    print_row(out, "", "program", "bare drop", "minimal TX", "one access", "outer header");
    for (const Figure& figure : figures)
        print_row(out, figure.measured.name, figure.program, figure.bare, figure.minimal_tx,
                  figure.memory,
                  figure.outer_header == 0 ? "-" : std::to_string(figure.outer_header));
}

// Each a difference of two figures, so that noise of both is in it.
void print_steps(const std::vector<Figure>& figures, std::uint32_t flows, std::ostream& out) {
    out << "\nthe price of each step, " << flows << " flows\n";
    print_row(out, "", "IPv4", "IPv6");
    const auto named = [&](const Family& family, const std::string& what) {
        const std::string plain = family.name + " " + what;
        const Figure* figure = find(figures, plain);
        return figure != nullptr ? figure : find(figures, hit_name(family, what, flows));
    };
    const auto step = [&](const std::string& title, const std::string& with,
                          const std::string& without) {
        std::vector<std::string> prices;
        for (const Family* family : {&ipv4_family(), &ipv6_family()}) {
            const Figure* more = named(*family, with);
            const Figure* less = without.empty() ? nullptr : named(*family, without);
            prices.push_back(
                more == nullptr ? "-" : std::to_string(more->program - (less ? less->program : 0)));
        }
        print_row(out, title, prices[0], prices[1]);
    };
    step("parse, no VIP", "not for a VIP", "");
    step("VIP, no service: given to Linux", "VIP, no service", "not for a VIP");
    step("service, session, L2 addresses", "l2", "not for a VIP");
    step("service by a range of ports", "l2 by range", "l2");
    step("ring instead of a session", "by the ring", "l2");
    step("session opened", "new flow", "l2");
    step("port rewritten", "l2 rewritten", "l2");
    step("port rewritten in a tunnel", "ipip v4 rewritten", "ipip v4");
    step("out of another interface", "l2 redirected", "l2");
    step("encapsulated in IPv4", "ipip v4", "l2");
    step("encapsulated in IPv6", "ipip v6", "l2");
    step("UDP of GUE over IPv4", "gue v4", "ipip v4");
    step("UDP of GUE over IPv6", "gue v6", "ipip v6");
    step("to this host instead of L2", "local", "l2");
    step("port rewritten for this host", "local rewritten", "local");
}

void print_promises(const std::vector<Promise>& list, double slack, std::ostream& out) {
    out << "\npromised\n";
    for (const Promise& promise : list) {
        const bool wide = promise.at_most >= 5;
        if (wide && promise.holds(slack)) continue;
        out << "  " << (promise.holds(slack) ? "holds " : "BROKEN") << "  " << promise.what << ": "
            << two_digits(promise.is) << ", at most " << two_digits(promise.at_most * slack)
            << '\n';
    }
}

void print_json(const std::vector<Figure>& figures, const std::vector<Promise>& list,
                std::ostream& out) {
    nlohmann::json json{
        {"kernel", kernel_release()},
        {"cpu", cpu_model()},
        {"unit", "nanoseconds a packet, net of a bare drop"},
        {"table_bytes_per_session",
         {{"ipv4", table_bytes(ipv4_family())}, {"ipv6", table_bytes(ipv6_family())}}}};
    for (const Figure& figure : figures)
        json["figures"].push_back({{"name", figure.measured.name},
                                   {"mode", figure.measured.mode},
                                   {"flows", figure.measured.flows},
                                   {"program", figure.program},
                                   {"bare_drop", figure.bare},
                                   {"minimal_tx", figure.minimal_tx},
                                   {"memory_access", figure.memory},
                                   {"outer_header", figure.outer_header}});
    for (const Promise& promise : list)
        json["promises"].push_back(
            {{"what", promise.what}, {"is", promise.is}, {"at_most", promise.at_most}});
    out << json.dump(2) << '\n';
}

}  // namespace bascule::bench
