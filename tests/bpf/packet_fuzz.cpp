// SPDX-License-Identifier: Apache-2.0
// Packets of any bytes through the loaded program, against tables with everything in them. What
// leaves has to be what oracle.h allows; nothing may abort.
//
//   packet_fuzz [--seed N] [--packets N] [--seconds N]
//
// Without --seed it takes one by chance. It is printed, and with it and --packets a run is the same
// again. BASCULE_LONG=1 in the environment: ten million packets, whatever time that takes.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>
#include <random>
#include <stdexcept>

#include "engine.h"
#include "mutator.h"
#include "oracle.h"
#include "world.h"

namespace {

using namespace bascule;
using namespace bascule::test;

struct Settings {
    std::uint64_t seed = std::random_device{}();
    std::uint64_t packets = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t seconds = 12;
};

// One system call for all reasons: the fuzzer asks after every packet.
class DropCounter {
public:
    explicit DropCounter(int map)
        : map_(map), cpus_(static_cast<std::size_t>(libbpf_num_possible_cpus())) {
        const Drops ignored = since();
    }

    Drops since() {
        std::vector<std::uint32_t> keys(BSC_DROP_REASON_COUNT);
        std::vector<std::uint64_t> values(BSC_DROP_REASON_COUNT * cpus_);
        std::uint32_t next = 0, count = BSC_DROP_REASON_COUNT;
        bpf_map_batch_opts options{};
        options.sz = sizeof(options);
        const int error = bpf_map_lookup_batch(map_, nullptr, &next, keys.data(), values.data(),
                                               &count, &options);
        if ((error != 0 && errno != ENOENT) || count != BSC_DROP_REASON_COUNT)
            throw std::runtime_error("the counters of drops cannot be read");
        Drops drops;
        for (std::size_t reason = 0; reason < BSC_DROP_REASON_COUNT; reason++) {
            std::uint64_t total = 0;
            for (std::size_t cpu = 0; cpu < cpus_; cpu++)
                total += values[reason * cpus_ + cpu];
            if (total != before_[reason]) drops[names_[reason]] = total - before_[reason];
            before_[reason] = total;
        }
        return drops;
    }

private:
    int map_;
    std::size_t cpus_;
    std::array<std::uint64_t, BSC_DROP_REASON_COUNT> before_{};
#define X(symbol, shown, text) shown,
    static constexpr std::array<const char*, BSC_DROP_REASON_COUNT> names_ = {BSC_DROP_REASONS(X)};
#undef X
};

std::unique_ptr<Engine> open_engine(const FuzzTables& tables) {
    constexpr std::uint32_t sessions = 100'000;
    auto engine = Engine::open("fuzz", sessions);
    if (!engine) throw std::runtime_error(engine.error().text());
    if (auto wanted = (*engine)->want(tables.desired()); !wanted)
        throw std::runtime_error(wanted.error().text());
    return std::move(*engine);
}

void complain(const Settings& settings, std::uint64_t number, const std::string& wrong,
              const Bytes& in, const Outcome& outcome, const Drops& drops) {
    std::cout << "packet " << number << ": " << wrong << "\nin:\n  " << hex(in) << "\n"
              << outcome.verdict << ":\n  " << hex(outcome.frame) << "\n";
    for (const auto& [reason, count] : drops)
        std::cout << "counted: " << reason << " " << count << "\n";
    std::cout << "again: packet_fuzz --seed " << settings.seed << " --packets " << number + 1
              << std::endl;
}

// How often packets met what: a fuzzer whose packets are all dropped at the door finds nothing.
struct Tally {
    std::map<std::string, std::uint64_t> fates;

    void add(const Bytes& in, const Outcome& outcome, const Drops& drops) {
        std::ostringstream fate;
        if (!drops.empty())
            fate << drops.begin()->first << (outcome.verdict == Verdict::tx ? " (told)" : "");
        else if (outcome.verdict == Verdict::pass)
            fate << (in == outcome.frame ? "passed" : "passed, rewritten");
        else
            fate << outcome.verdict;
        fates[fate.str()]++;
    }
    void print() const {
        for (const auto& [fate, count] : fates)
            std::cout << "  " << fate << ": " << count << "\n";
    }
};

int fuzz(const Settings& settings) {
    constexpr std::uint64_t answers_anew = 5'000;  // so that some packets meet a spent budget
    const FuzzTables tables;
    const std::unique_ptr<Engine> engine = open_engine(tables);
    const Oracle oracle(tables);
    Mutator mutator(tables, settings.seed);
    DropCounter counter(engine->dataplane().map_fd("drops"));
    Tally tally;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(settings.seconds);
    std::cout << "seed " << settings.seed << ", from " << mutator.seeds() << " packets"
              << std::endl;
    std::uint64_t number = 0;
    for (; number < settings.packets; number++) {
        if (number % 1024 == 0 && settings.seconds != 0 && std::chrono::steady_clock::now() > end)
            break;
        if (number % answers_anew == 0) engine->forget_answers_and_fragments();
        const Bytes in = mutator.next();
        const Outcome outcome = engine->run(in);
        const Drops drops = counter.since();
        if (const auto wrong = oracle.judge(in, outcome, drops)) {
            complain(settings, number, *wrong, in, outcome, drops);
            return 1;
        }
        tally.add(in, outcome, drops);
    }
    tally.print();
    std::cout << number << " packets, nothing wrong; seed " << settings.seed << std::endl;
    return 0;
}

Settings settings_of(int argc, char** argv) {
    Settings settings;
    if (const char* asked = std::getenv("BASCULE_LONG"); asked != nullptr && *asked == '1') {
        settings.packets = 10'000'000;
        settings.seconds = 0;
    }
    for (int i = 1; i < argc; i += 2) {
        const std::string option = argv[i];
        std::uint64_t value = 0;
        const char* text = i + 1 < argc ? argv[i + 1] : "";
        const char* text_end = text + std::strlen(text);
        if (*text == '\0' || std::from_chars(text, text_end, value).ptr != text_end)
            throw std::invalid_argument(option + " needs a number");
        if (option == "--seed") {
            settings.seed = value;
        } else if (option == "--packets") {
            settings.packets = value;
            settings.seconds = 0;
        } else if (option == "--seconds") {
            settings.seconds = value;
        } else {
            throw std::invalid_argument("no option " + option);
        }
    }
    return settings;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Settings settings = settings_of(argc, argv);
        if (auto entered = enter_private_world(); !entered)
            return fail_without_private_world(entered.error());
        return fuzz(settings);
    } catch (const std::exception& error) {
        std::cerr << "packet_fuzz: " << error.what() << '\n';
        return 2;
    }
}
