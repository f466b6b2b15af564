// SPDX-License-Identifier: Apache-2.0
// What a packet costs: the loaded program behind the wrapper, with flows that are known, new, not
// wanted and not ours, beside reference programs in the same run. Needs root; works in namespaces
// of its own.
//
// A figure is the least of several rounds, net of a bare drop behind the same wrapper. Rounds of
// all programs alternate, so that what else the machine does meets them alike.
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/driver.h"
#include "crowd.h"
#include "engine.h"
#include "scene.h"
#include "world.h"

namespace {

using namespace bascule;
using namespace bascule::test;

constexpr std::uint32_t sessions = 1'000'000;
constexpr std::uint8_t backends = 8;
constexpr std::uint32_t new_flows_from = 100'000'000;

struct Settings {
    std::uint32_t rounds = 9;
    std::uint32_t packets = 1'000'000;  // a round
    std::uint32_t many = 500'000;       // the largest number of flows
    bool json = false;
    bool check = false;
};

enum class Kind { hit, fresh, drop, other };

struct Case {
    std::string name;
    const Family* family;
    Kind kind;
    std::uint32_t flows;
};

// Nanoseconds a packet; all but `bare` are net of it.
struct Figure {
    Case measured;
    int bare = 0;
    int minimal_tx = 0;
    int memory = 0;
    int director = 0;
};

template <typename T>
T or_throw(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

model::Desired bench_tables() {
    model::Desired desired = usual_tables();
    for (model::DesiredService& each : desired.services) {
        const Family& family = each.key.vip.is_v4() ? ipv4_family() : ipv6_family();
        each.backends.clear();
        for (std::uint8_t number = 1; number <= backends; number++)
            each.backends.push_back(backend(family, number));
        each.ring_size = 65537;
        each.limits.established = model::Seconds(3600);
    }
    return desired;
}

Bytes frame_of(const Case& measured) {
    switch (measured.kind) {
        case Kind::hit:
            return crowd_packet(*measured.family, ack, 1001);
        case Kind::fresh:
            return crowd_packet(*measured.family, syn, 1000);
        case Kind::drop:
            return crowd_packet(*measured.family, syn | fin, 1000);
        case Kind::other:
            break;
    }
    Family stranger = *measured.family;
    stranger.vip = stranger.other;
    return crowd_packet(stranger, ack, 1001);
}

// Bytes of table that a session takes when the table holds what it is made for.
std::uint64_t table_bytes(const Family& family) {
    const std::uint64_t way =
        sizeof(std::uint64_t) * (family.vip.is_v4() ? BSC_KEY_WORDS_V4 + 1 : BSC_KEY_WORDS_V6 + 1);
    return 2 * way;
}

class Bench {
public:
    explicit Bench(const Settings& settings)
        : settings_(settings),
          engine_(or_throw(Engine::open("bench", sessions))),
          driver_(or_throw(bench::Driver::open())) {
        or_throw(engine_->want(bench_tables()));
    }

    Figure measure(const Case& measured) {
        prepare(measured);
        engine_->counted();
        const Bytes frame = frame_of(measured);
        const int memory =
            or_throw(driver_.memory_access(sessions * table_bytes(*measured.family)));
        int bare = best_, tx = best_, access = best_, director = best_;
        std::uint32_t first = measured.kind == Kind::fresh ? new_flows_from : 0;
        for (std::uint32_t i = 0; i < settings_.rounds; i++) {
            const auto round = [&](int program, int& best) {
                or_throw(driver_.aim(frame, measured.flows, first));
                or_throw(driver_.put_under_test(program));
                best = std::min(
                    best, static_cast<int>(or_throw(driver_.run(packets(measured))).nanoseconds));
            };
            round(driver_.bare_drop(), bare);
            round(driver_.minimal_tx(), tx);
            round(memory, access);
            round(engine_->dataplane().program_fd(), director);
            first += packets(measured);
        }
        check_counts(measured);
        return {measured, bare, tx - bare, access - bare, director - bare};
    }

private:
    std::uint32_t packets(const Case& measured) const {
        // New flows have to fit the table, all rounds together.
        return measured.kind == Kind::fresh
                   ? std::min(settings_.packets, sessions / 2 / settings_.rounds)
                   : settings_.packets;
    }

    void prepare(const Case& measured) {
        engine_->forget_sessions();
        if (measured.kind != Kind::hit) return;
        or_throw(driver_.put_under_test(engine_->dataplane().program_fd()));
        for (const std::uint8_t flags : {syn, ack}) {
            const std::uint32_t sequence = flags == syn ? 1000 : 1001;
            or_throw(driver_.aim(crowd_packet(*measured.family, flags, sequence), 0));
            or_throw(driver_.run(measured.flows));
        }
    }

    // A figure counts only if the packets did what its name says.
    void check_counts(const Case& measured) {
        const Counts counts = engine_->counted();
        const auto all = static_cast<std::uint64_t>(packets(measured)) * settings_.rounds;
        const auto of = [&](const std::string& name_of_count) {
            const auto found = counts.find(name_of_count);
            return found == counts.end() ? 0 : found->second;
        };
        const bool good = measured.kind == Kind::fresh  ? of("session_inserted") == all
                          : measured.kind == Kind::drop ? of("tcp_flags") == all
                                                        : of("session_inserted") < all / 1000;
        if (!good || (measured.kind == Kind::other && !counts.empty()))
            throw std::runtime_error(measured.name + ": the packets did not do what was measured");
    }

    static constexpr int best_ = std::numeric_limits<int>::max();
    Settings settings_;
    std::unique_ptr<Engine> engine_;
    bench::Driver driver_;
};

std::vector<Case> cases(const Settings& settings) {
    std::vector<Case> list;
    for (const Family* family : {&ipv4_family(), &ipv6_family()}) {
        for (const std::uint32_t flows : {1U, settings.many / 50, settings.many})
            list.push_back({family->name + " hit, " + std::to_string(flows) + " flows", family,
                            Kind::hit, flows});
        list.push_back({family->name + " new flow", family, Kind::fresh, 0});
        list.push_back({family->name + " dropped (flags)", family, Kind::drop, settings.many / 50});
        list.push_back({family->name + " not for a VIP", family, Kind::other, settings.many / 50});
    }
    return list;
}

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

void print_table(const std::vector<Figure>& figures, std::ostream& out) {
    out << "kernel " << kernel_release() << ", " << cpu_model() << "\n"
        << "nanoseconds a packet, net of a bare drop; table for " << sessions << " sessions, "
        << table_bytes(ipv4_family()) << " (IPv6: " << table_bytes(ipv6_family())
        << ") bytes each\n\n";
    const auto row = [&](const auto&... cells) {
        std::ostringstream line;
        line << std::left << std::setw(30);
        ((line << cells << std::right << std::setw(14)), ...);
        out << line.str() << '\n';
    };
    row("", "program", "bare drop", "minimal TX", "one access", "x minimal TX");
    for (const Figure& figure : figures) {
        std::ostringstream multiple;
        multiple << std::fixed << std::setprecision(1) << ratio(figure.director, figure.minimal_tx);
        row(figure.measured.name, figure.director, figure.bare, figure.minimal_tx, figure.memory,
            multiple.str());
    }
}

void print_json(const std::vector<Figure>& figures, std::ostream& out) {
    nlohmann::json json{
        {"kernel", kernel_release()},
        {"cpu", cpu_model()},
        {"unit", "nanoseconds a packet, net of a bare drop"},
        {"table_bytes_per_session",
         {{"ipv4", table_bytes(ipv4_family())}, {"ipv6", table_bytes(ipv6_family())}}}};
    for (const Figure& figure : figures)
        json["figures"].push_back({{"name", figure.measured.name},
                                   {"flows", figure.measured.flows},
                                   {"program", figure.director},
                                   {"bare_drop", figure.bare},
                                   {"minimal_tx", figure.minimal_tx},
                                   {"memory_access", figure.memory}});
    out << json.dump(2) << '\n';
}

// Against what a packet costs that is only sent back and one that reads memory once, in this run on
// this machine. Margins are wide: they catch a program that has become another class of slow.
int check(const std::vector<Figure>& figures) {
    int failed = 0;
    for (const Figure& figure : figures) {
        const int reference =
            figure.bare + std::max(figure.minimal_tx, 0) + std::max(figure.memory, 0);
        const double limit = figure.measured.kind == Kind::fresh ? 20 : 5;
        const double is = ratio(figure.director, reference);
        if (is <= limit) continue;
        failed++;
        std::cerr << figure.measured.name << ": " << is
                  << " times the references (bare drop, minimal TX and one access); at most "
                  << limit << '\n';
    }
    return failed == 0 ? 0 : 1;
}

int bench_main(const Settings& settings) {
    if (auto entered = enter_private_world(); !entered)
        return fail_without_private_world(entered.error());
    Bench bench(settings);
    std::vector<Figure> figures;
    for (const Case& each : cases(settings))
        figures.push_back(bench.measure(each));
    if (settings.json)
        print_json(figures, std::cout);
    else
        print_table(figures, std::cout);
    return settings.check ? check(figures) : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app{"What a packet costs in the engine, beside reference programs"};
    app.add_option("--rounds", settings.rounds, "rounds, of which the best counts")
        ->check(CLI::Range(1, 1000));
    app.add_option("--packets", settings.packets, "packets a round")
        ->check(CLI::Range(1000, 100'000'000));
    app.add_option("--flows", settings.many, "the largest number of flows")
        ->check(CLI::Range(50, 900'000));
    app.add_flag("--json", settings.json, "figures as JSON");
    app.add_flag("--check", settings.check, "fail when the program is out of proportion");
    CLI11_PARSE(app, argc, argv);
    try {
        return bench_main(settings);
    } catch (const std::exception& error) {
        std::cerr << "packet_bench: " << error.what() << '\n';
        return 1;
    }
}
