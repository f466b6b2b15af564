// SPDX-License-Identifier: Apache-2.0
// What a packet costs: the loaded program behind the wrapper, with flows that are known, new, not
// wanted and not ours, by every way to a backend, beside reference programs in the same run. Needs
// root; works in namespaces of its own.
//
// A figure is the least of several rounds, net of a bare drop behind the same wrapper. Rounds of
// all programs alternate, so that what else the machine does meets them alike.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/cases.h"
#include "bench/driver.h"
#include "bench/report.h"
#include "engine.h"
#include "world.h"

namespace {

using namespace bascule;
using namespace bascule::test;
using bench::Case;
using bench::Figure;
using bench::Kind;

constexpr std::uint32_t sessions = 1'000'000;
constexpr std::uint32_t new_flows_from = 100'000'000;

struct Settings {
    std::uint32_t rounds = 25;
    std::uint32_t packets = 200'000;  // a round
    std::uint32_t many = 500'000;     // the largest number of flows
    std::string filter;
    double slack = 1;
    bool json = false;
    bool check = false;
};

template <typename T>
T or_throw(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class Bench {
public:
    explicit Bench(const Settings& settings)
        : settings_(settings),
          engine_(or_throw(Engine::open("bench", sessions))),
          driver_(or_throw(bench::Driver::open())) {
        or_throw(engine_->want(bench::tables()));
    }

    Figure measure(const Case& measured) {
        prepare(measured);
        engine_->counted();
        const Bytes frame = bench::frame_of(measured);
        const int memory =
            or_throw(driver_.memory_access(sessions * bench::table_bytes(measured.family)));
        const Way way = bench::way_of(measured.mode);
        const bool tunnel = overhead_of(way) != 0;
        const int outer = way.remote.is_v4() ? driver_.add_ipv4() : driver_.add_ipv6();
        int bare = best_, tx = best_, access = best_, header = best_, program = best_;
        std::uint32_t first = measured.kind == Kind::fresh ? new_flows_from : 0;
        for (std::uint32_t i = 0; i < settings_.rounds; i++) {
            const auto round = [&](int under_test, int& best) {
                or_throw(driver_.aim(frame, measured.flows, first));
                or_throw(driver_.put_under_test(under_test));
                best = std::min(
                    best, static_cast<int>(or_throw(driver_.run(packets(measured))).nanoseconds));
            };
            round(driver_.bare_drop(), bare);
            round(driver_.minimal_tx(), tx);
            round(memory, access);
            if (tunnel) round(outer, header);
            round(engine_->dataplane().program_fd(), program);
            first += packets(measured);
        }
        check_counts(measured);
        return {measured,      bare, tx - bare, access - bare, tunnel ? header - bare : 0,
                program - bare};
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
            or_throw(driver_.aim(bench::opening_of(measured, flags, sequence), 0));
            or_throw(driver_.run(measured.flows));
        }
    }

    // A figure counts only if the packets did what its name says.
    void check_counts(const Case& measured) {
        const Counts counts = engine_->counted();
        const auto all = static_cast<std::uint64_t>(packets(measured)) * settings_.rounds;
        const auto only = [&](const std::string& expected) {
            const auto found = counts.find(expected);
            return found != counts.end() && found->second == all && counts.size() == 1;
        };
        const auto few = [&](const auto& count) { return count.second < all / 1000; };
        bool good = false;
        switch (measured.kind) {
            case Kind::hit:
                good = std::all_of(counts.begin(), counts.end(), few);
                break;
            case Kind::fresh:
                good = counts.contains("session_inserted") && counts.at("session_inserted") == all;
                break;
            case Kind::dropped:
                good = only("tcp_flags");
                break;
            case Kind::no_service:
                good = only("vip_no_service");
                break;
            case Kind::ring:
            case Kind::other:
                good = counts.empty();
                break;
        }
        if (good) return;
        std::string told;
        for (const auto& [what, count] : counts)
            told += " " + what + " " + std::to_string(count);
        throw std::runtime_error(measured.name +
                                 ": the packets did not do what was measured:" + told);
    }

    static constexpr int best_ = std::numeric_limits<int>::max();
    Settings settings_;
    std::unique_ptr<Engine> engine_;
    bench::Driver driver_;
};

int bench_main(const Settings& settings) {
    if (auto entered = enter_private_world(); !entered)
        return fail_without_private_world(entered.error());
    Bench bench(settings);
    std::vector<Figure> figures;
    for (const Case& each : bench::cases(settings.many))
        if (each.name.find(settings.filter) != std::string::npos)
            figures.push_back(bench.measure(each));
    const std::vector<bench::Promise> promises = bench::promises(figures, settings.many);
    if (settings.json) {
        bench::print_json(figures, promises, std::cout);
    } else {
        bench::print_table(figures, std::cout);
        bench::print_steps(figures, settings.many / 50, std::cout);
        bench::print_promises(promises, settings.slack, std::cout);
    }
    const bool kept = std::all_of(promises.begin(), promises.end(), [&](const auto& promise) {
        return promise.holds(settings.slack);
    });
    return settings.check && !kept ? 1 : 0;
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
    app.add_option("--filter", settings.filter, "only cases whose name contains this");
    app.add_option("--slack", settings.slack,
                   "what is promised, so many times wider: for short runs on a busy machine")
        ->check(CLI::Range(1.0, 100.0));
    app.add_flag("--json", settings.json, "figures as JSON");
    app.add_flag("--check", settings.check, "fail when a promise is broken");
    CLI11_PARSE(app, argc, argv);
    try {
        return bench_main(settings);
    } catch (const std::exception& error) {
        std::cerr << "packet_bench: " << error.what() << '\n';
        return 1;
    }
}
