// SPDX-License-Identifier: Apache-2.0
// What health checks cost: thousands of TCP and HTTP targets at one check a second, by the checker
// that the daemon has, beside a bare loop of blocking calls that makes the same connections in the
// same seconds. Needs root; works in namespaces of its own.
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/bare_loop.h"
#include "bench/checker_run.h"
#include "bench/child.h"
#include "bench/health_lab.h"

namespace {

using namespace bascule;
using namespace bascule::bench;
using health::Target;

struct Settings {
    std::uint32_t targets = 2000;  // of each kind
    std::uint32_t https = 200;
    int seconds = 15;
    bool bind = false;
    double slack = 1;
    bool json = false;
    bool check = false;

    Address source() const { return bind ? HealthLab::source() : Address(); }
};

template <typename T>
T or_throw(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text());
    return std::move(*result);
}

// The bare loop, in a process of its own that waits for the word to begin.
class BareRun {
public:
    BareRun(const Settings& settings, const std::vector<Target>& targets) {
        std::vector<BareTarget> bare;
        for (const Target& each : targets)
            bare.push_back({each.backend, each.backend_port,
                            each.health.type == model::ProbeType::http, settings.source()});
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            throw std::runtime_error("cannot make a socket pair");
        ours_ = ends[0];
        child_.emplace(or_throw(Child::start([&] {
            char word = 0;
            if (read(ends[1], &word, 1) != 1) return 1;
            const BareFigures figures = run_bare_loop(bare, settings.seconds);
            return write(ends[1], &figures, sizeof figures) == sizeof figures ? 0 : 1;
        })));
        close(ends[1]);
    }
    ~BareRun() { close(ours_); }
    BareRun(const BareRun&) = delete;
    BareRun& operator=(const BareRun&) = delete;

    void begin() {
        if (write(ours_, "", 1) != 1) throw std::runtime_error("the bare loop has gone");
    }
    BareFigures figures() {
        BareFigures figures;
        if (read(ours_, &figures, sizeof figures) != sizeof figures)
            throw std::runtime_error("the bare loop has failed");
        return figures;
    }

private:
    int ours_ = -1;
    std::optional<Child> child_;
};

struct Promise {
    std::string what;
    double is = 0;
    double at_most = 0;

    bool holds(double slack) const { return is <= at_most * slack; }
};

std::vector<Promise> promises(const CheckFigures& checks, const BareFigures& bare) {
    return {{"CPU of a check, times the bare loop's", checks.cpu / bare.cpu, 2.5},
            {"median delay of a start, ms", checks.start_median, 20},
            {"median delay of a verdict, less what the bare loop takes, ms",
             checks.verdict_median - bare.wall / 1000, 20},
            {"memory, MB", checks.memory, 60},
            {"checks that failed, of a thousand",
             1000 * static_cast<double>(checks.failures) / static_cast<double>(checks.checks), 1}};
}

void print(const char* name, const CheckFigures& checks) {
    std::printf(
        "%-16s %8llu checks (%llu failed), %5.0f/s, %6.1f us CPU each; delay of start %.2f ms (p99 "
        "%.1f), "
        "of verdict %.2f ms (p99 %.1f); %.1f MB\n",
        name, static_cast<unsigned long long>(checks.checks),
        static_cast<unsigned long long>(checks.failures), checks.rate, checks.cpu,
        checks.start_median, checks.start_p99, checks.verdict_median, checks.verdict_p99,
        checks.memory);
}

void print(const BareFigures& bare) {
    std::printf("%-16s %8llu checks, %6.1f us CPU each (tcp %.1f, http %.1f), %.3f ms (median)\n",
                "bare loop", static_cast<unsigned long long>(bare.checks), bare.cpu, bare.cpu_tcp,
                bare.cpu_http, bare.wall / 1000);
}

void print(const std::vector<Promise>& promises, double slack) {
    for (const Promise& each : promises)
        std::printf("%s %-62s %8.2f, at most %.2f\n", each.holds(slack) ? "kept  " : "BROKEN",
                    each.what.c_str(), each.is, each.at_most * slack);
}

nlohmann::json as_json(const CheckFigures& checks) {
    return {{"checks", checks.checks},
            {"failures", checks.failures},
            {"cpu_us", checks.cpu},
            {"start_median_ms", checks.start_median},
            {"start_p99_ms", checks.start_p99},
            {"verdict_median_ms", checks.verdict_median},
            {"verdict_p99_ms", checks.verdict_p99},
            {"memory_mb", checks.memory}};
}

void print_json(const CheckFigures& checks, const BareFigures& bare,
                const std::optional<CheckFigures>& https, const std::vector<Promise>& promises) {
    nlohmann::json all;
    all["checker"] = as_json(checks);
    all["bare"] = {{"cpu_us", bare.cpu},
                   {"cpu_tcp_us", bare.cpu_tcp},
                   {"cpu_http_us", bare.cpu_http},
                   {"median_ms", bare.wall / 1000}};
    if (https) all["https"] = as_json(*https);
    for (const Promise& each : promises)
        all["promises"].push_back(
            {{"what", each.what}, {"is", each.is}, {"at_most", each.at_most}});
    std::cout << all.dump(2) << '\n';
}

std::vector<Target> plain_targets(const Settings& settings) {
    std::vector<Target> targets;
    for (std::uint32_t i = 0; i < settings.targets; ++i) {
        targets.push_back(health_target(model::ProbeType::tcp, i, HealthLab::tcp_port));
        targets.push_back(health_target(model::ProbeType::http, i, HealthLab::http_port));
    }
    return targets;
}

// For information: nothing is promised of it.
std::optional<CheckFigures> measure_https(const Settings& settings) {
    if (settings.https == 0) return std::nullopt;
    std::vector<Target> targets;
    for (std::uint32_t i = 0; i < settings.https; ++i)
        targets.push_back(health_target(model::ProbeType::https, i, HealthLab::https_port));
    CheckerRun run(std::move(targets), settings.source());
    run.warm_up();
    return run.measure(std::min(settings.seconds, 5));
}

int bench_main(const Settings& settings) {
    const HealthLab lab = or_throw(HealthLab::open());
    const std::vector<Target> targets = plain_targets(settings);
    BareRun bare_run(settings, targets);
    std::optional<CheckerRun> run(std::in_place, targets, settings.source());
    run->warm_up();
    bare_run.begin();
    const CheckFigures checks = run->measure(settings.seconds);
    const BareFigures bare = bare_run.figures();
    const std::string failed = run->a_failure();
    run.reset();
    const std::optional<CheckFigures> https = measure_https(settings);
    const std::vector<Promise> promised = promises(checks, bare);
    if (settings.json) {
        print_json(checks, bare, https, promised);
    } else {
        print("tcp and http", checks);
        print(bare);
        if (https) print("https", *https);
        print(promised, settings.slack);
    }
    if (!failed.empty()) std::cerr << "a check failed: " << failed << '\n';
    const bool kept = std::all_of(promised.begin(), promised.end(),
                                  [&](const Promise& each) { return each.holds(settings.slack); });
    return settings.check && !kept ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app{"What health checks cost, beside a bare loop that makes the same connections"};
    app.add_option("--targets", settings.targets, "targets of TCP, and as many of HTTP")
        ->check(CLI::Range(1U, HealthLab::most_servers));
    app.add_option("--https", settings.https, "targets of HTTPS, for information")
        ->check(CLI::Range(0U, HealthLab::most_servers));
    app.add_option("--seconds", settings.seconds, "how long")->check(CLI::Range(1, 600));
    app.add_flag("--bind", settings.bind, "bind to a source, as probes by the VIP do; both");
    app.add_option("--slack", settings.slack,
                   "what is promised, so many times wider: for short runs on a busy machine")
        ->check(CLI::Range(1.0, 100.0));
    app.add_flag("--json", settings.json, "figures as JSON");
    app.add_flag("--check", settings.check, "fail when a promise is broken");
    CLI11_PARSE(app, argc, argv);
    try {
        return bench_main(settings);
    } catch (const std::exception& error) {
        std::cerr << "health_bench: " << error.what() << '\n';
        return 1;
    }
}
