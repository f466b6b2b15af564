// SPDX-License-Identifier: Apache-2.0
// What the replication of sessions costs, end to end: two nodes' session threads, with tables of
// the data plane in memory, over real TLS streams on loopback; beside a bare TLS connection that
// carries as many bytes and a bare table that takes as many sessions, in the same run.
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/bare_sync.h"
#include "bench/sync_node.h"

namespace {

using namespace bascule;
using namespace bascule::bench;
using std::chrono::steady_clock;

struct Settings {
    std::uint32_t sessions = 1'000'000;
    std::uint32_t rate = 100'000;  // for the lag
    int seconds = 5;               // of that
    double slack = 1;
    bool json = false;
    bool check = false;
};

// Of one run of the pair.
struct Span {
    double wall = 0;  // seconds
    double cpu[2] = {0, 0};
    double bytes = 0;    // both ways
    double longest = 0;  // step that kept a thread, milliseconds of CPU
};

struct Figures {
    Span resync;  // of an empty table
    Span equal;   // of tables that are equal
    Span burst;   // as fast as can be
    Span steady;
    double lag_p50 = 0;  // milliseconds
    double lag_p99 = 0;
    TlsCopy tls;
    double put = 0;  // seconds
};

class Pair {
public:
    explicit Pair(const Settings& settings) {
        Result<sync::ClusterKeys> keys = sync::make_cluster_keys();
        if (!keys) throw std::runtime_error(keys.error().text());
        model::ClusterConfig cluster;
        cluster.name = "bench";
        std::random_device random;
        const std::string net = "127." + std::to_string(1 + random() % 250) + "." +
                                std::to_string(random() % 250) + ".";
        for (const std::string node : {"1", "2"}) {
            model::ClusterNodeConfig config;
            config.name = "lb" + node;
            config.addresses.push_back({*Address::parse(net + node), model::cluster_port});
            cluster.nodes.push_back(config);
        }
        const std::uint64_t room =
            2 * std::uint64_t{settings.sessions} +
            std::uint64_t{settings.rate} * static_cast<unsigned>(settings.seconds);
        for (std::size_t i = 0; i < 2; ++i)
            nodes_[i] = std::make_unique<SyncNode>(SyncNode::Options{cluster, i, *keys, room});
    }

    SyncNode& operator[](std::size_t node) { return *nodes_[node]; }
    void start() {
        for (const auto& each : nodes_)
            each->start();
    }

    Span measure(const std::function<void()>& begin, const std::function<bool()>& done) {
        Span span;
        for (const auto& each : nodes_)
            each->longest_step();
        const double bytes = sent();
        const Nanoseconds cpu[] = {nodes_[0]->cpu(), nodes_[1]->cpu()};
        const auto began = steady_clock::now();
        begin();
        while (!done()) {
            if (steady_clock::now() - began > std::chrono::minutes(3))
                throw std::runtime_error("it does not end: " + nodes_[0]->view().behind + ", " +
                                         nodes_[1]->view().behind);
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        span.wall = std::chrono::duration<double>(steady_clock::now() - began).count();
        for (std::size_t i = 0; i < 2; ++i) {
            span.cpu[i] = std::chrono::duration<double>(nodes_[i]->cpu() - cpu[i]).count();
            span.longest = std::max(span.longest,
                                    1e-6 * static_cast<double>(nodes_[i]->longest_step().count()));
        }
        span.bytes = sent() - bytes;
        return span;
    }
    bool are_synced() { return nodes_[0]->is_synced() && nodes_[1]->is_synced(); }

private:
    double sent() { return static_cast<double>(nodes_[0]->bytes_sent() + nodes_[1]->bytes_sent()); }

    std::unique_ptr<SyncNode> nodes_[2];
};

double percentile(std::vector<Nanoseconds> lags, double part) {
    if (lags.empty()) throw std::runtime_error("no batch has come");
    std::sort(lags.begin(), lags.end());
    const auto index = static_cast<std::size_t>(part * static_cast<double>(lags.size() - 1));
    return static_cast<double>(lags[index].count()) / 1e6;
}

// A set of the table may be full while others are not: some few of many are displaced.
void expect_sessions(Pair& pair, std::uint64_t expected) {
    const std::uint64_t stored = pair[1].sessions();
    if (stored > expected || stored < expected - expected / 1000)
        throw std::runtime_error(std::to_string(stored) + " sessions are in the table, not " +
                                 std::to_string(expected));
}

Figures measure(const Settings& settings) {
    Figures figures;
    Pair pair(settings);
    const std::uint32_t count = settings.sessions;
    pair[0].fill(0, count);
    pair.start();
    figures.resync = pair.measure([] {}, [&] { return pair.are_synced(); });
    expect_sessions(pair, count);
    // The first node's word that it is synced is taken back at once.
    figures.equal = pair.measure([&] { pair[0].reconnect(); }, [&] { return pair.are_synced(); });

    figures.burst = pair.measure([&] { pair[0].announce(count, count, 0); },
                                 [&] { return pair[0].is_acknowledged(); });
    expect_sessions(pair, 2 * std::uint64_t{count});
    pair[1].take_lags();
    const std::uint32_t steady = settings.rate * static_cast<std::uint32_t>(settings.seconds);
    figures.steady = pair.measure([&] { pair[0].announce(2 * count, steady, settings.rate); },
                                  [&] { return pair[0].is_acknowledged(); });
    expect_sessions(pair, 2 * std::uint64_t{count} + steady);
    const std::vector<Nanoseconds> lags = pair[1].take_lags();
    figures.lag_p50 = percentile(lags, 0.5);
    figures.lag_p99 = percentile(lags, 0.99);

    constexpr std::size_t frame = 64 << 10;
    figures.tls = copy_by_tls(static_cast<std::uint64_t>(figures.burst.bytes), frame);
    figures.put = std::chrono::duration<double>(put_into_table(count)).count();
    return figures;
}

struct Promise {
    std::string what;
    double is = 0;
    double at_most = 0;

    bool holds(double slack) const { return is <= at_most * slack; }
};

double seconds_of(Nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

std::vector<Promise> promises(const Figures& figures, const Settings& settings) {
    const double least = seconds_of(figures.tls.receiver) + figures.put;
    return {
        {"CPU of the receiver, times bare TLS and a bare table's", figures.burst.cpu[1] / least, 6},
        {"CPU of the sender, times the same", figures.burst.cpu[0] / least, 4},
        {"CPU of a resync, both sides, times that of as many new sessions",
         (figures.resync.cpu[0] + figures.resync.cpu[1]) /
             (figures.burst.cpu[0] + figures.burst.cpu[1]),
         8},
        {"bytes on the wire a session", figures.burst.bytes / settings.sessions, 24},
        {"bytes of a resync of equal tables, per cent of a whole one",
         100 * figures.equal.bytes / figures.resync.bytes, 5}};
}

void print(const char* name, const Span& span, double sessions) {
    std::printf(
        "%-14s %6.2f s; %7.0f k/s; CPU us a session: sender %.2f, receiver %.2f; %5.1f "
        "bytes; longest step %.1f ms\n",
        name, span.wall, sessions / span.wall / 1000, 1e6 * span.cpu[0] / sessions,
        1e6 * span.cpu[1] / sessions, span.bytes / sessions, span.longest);
}

void print(const Figures& figures, const Settings& settings) {
    const double count = settings.sessions;
    const double steady = double{1} * settings.rate * settings.seconds;
    print("resync", figures.resync, count);
    print("resync, equal", figures.equal, count);
    print("new, at most", figures.burst, count);
    print("new, steady", figures.steady, steady);
    std::printf("%-14s p50 %.1f ms, p99 %.1f ms at %u a second\n", "lag", figures.lag_p50,
                figures.lag_p99, settings.rate);
    std::printf("%-14s %.0f thousand a second by one core of each\n", "",
                count / 1000 / std::max(figures.burst.cpu[0], figures.burst.cpu[1]));
    std::printf("%-14s CPU us a session: sender %.3f, receiver %.3f\n", "bare TLS",
                1e6 * seconds_of(figures.tls.sender) / count,
                1e6 * seconds_of(figures.tls.receiver) / count);
    std::printf("%-14s CPU us a session: %.3f\n", "bare table", 1e6 * figures.put / count);
}

nlohmann::json as_json(const Span& span) {
    return {{"seconds", span.wall},
            {"cpu_sender", span.cpu[0]},
            {"cpu_receiver", span.cpu[1]},
            {"bytes", span.bytes},
            {"longest_step_ms", span.longest}};
}

void print_json(const Figures& figures, const std::vector<Promise>& promised) {
    nlohmann::json all = {{"resync", as_json(figures.resync)},
                          {"resync_equal", as_json(figures.equal)},
                          {"burst", as_json(figures.burst)},
                          {"steady", as_json(figures.steady)},
                          {"lag_p50_ms", figures.lag_p50},
                          {"lag_p99_ms", figures.lag_p99},
                          {"bare_tls_sender", seconds_of(figures.tls.sender)},
                          {"bare_tls_receiver", seconds_of(figures.tls.receiver)},
                          {"bare_table", figures.put}};
    for (const Promise& each : promised)
        all["promises"].push_back(
            {{"what", each.what}, {"is", each.is}, {"at_most", each.at_most}});
    std::cout << all.dump(2) << '\n';
}

int bench_main(const Settings& settings) {
    const Figures figures = measure(settings);
    const std::vector<Promise> promised = promises(figures, settings);
    if (settings.json) {
        print_json(figures, promised);
    } else {
        print(figures, settings);
        for (const Promise& each : promised)
            std::printf("%s %-62s %8.2f, at most %.2f\n",
                        each.holds(settings.slack) ? "kept  " : "BROKEN", each.what.c_str(),
                        each.is, each.at_most * settings.slack);
    }
    const bool kept = std::all_of(promised.begin(), promised.end(),
                                  [&](const Promise& each) { return each.holds(settings.slack); });
    return settings.check && !kept ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    CLI::App app{"What the replication of sessions costs, beside bare TLS and a bare table"};
    app.add_option("--sessions", settings.sessions, "sessions of a resync, and new ones at most")
        ->check(CLI::Range(1000U, 4'000'000U));
    app.add_option("--rate", settings.rate, "new sessions a second, for the lag")
        ->check(CLI::Range(1000U, 2'000'000U));
    app.add_option("--seconds", settings.seconds, "of that")->check(CLI::Range(1, 60));
    app.add_option("--slack", settings.slack,
                   "what is promised, so many times wider: for short runs on a busy machine")
        ->check(CLI::Range(1.0, 100.0));
    app.add_flag("--json", settings.json, "figures as JSON");
    app.add_flag("--check", settings.check, "fail when a promise is broken");
    CLI11_PARSE(app, argc, argv);
    try {
        return bench_main(settings);
    } catch (const std::exception& error) {
        std::cerr << "sync_bench: " << error.what() << '\n';
        return 1;
    }
}
