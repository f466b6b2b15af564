// SPDX-License-Identifier: Apache-2.0
// Runs many histories of whole nodes in simulated time, and looks at every step
// whether what has to hold does. See docs/developing.md.
//
//   cluster_sim [--first N] [--histories N] [--jobs N] [--go-on] …   by rising seeds
//   cluster_sim --seed N [--verbose] …                               one of them again
//
//   … [--interval MS]   of heartbeats, in place of one of 50, 100 and 200 ms
//     [--break WHAT]    a mechanism, from outside
//
// Without --histories 20,000, with BASCULE_LONG=1 in the environment 1,000,000,
// by as many threads as there are processors. Status: 0 all hold, 1 one does
// not: its seed is printed with the command that repeats it; --go-on looks for
// more of them.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "sim/world.h"

namespace {

using namespace bascule::sim;

struct Settings {
    std::uint64_t first = 1;
    std::uint64_t histories = 20'000;
    std::uint64_t jobs = std::max(std::thread::hardware_concurrency(), 1U);
    bool one = false;
    bool verbose = false;
    bool go_on = false;  // after a violation
    Breakage breakage = Breakage::none;
    std::optional<Time> interval;
};

std::uint64_t number(const char* text) {
    std::uint64_t value = 0;
    const char* end = text + std::strlen(text);
    if (std::from_chars(text, end, value).ptr != end || *text == '\0')
        throw std::invalid_argument(std::string("not a number: ") + text);
    return value;
}

Breakage breakage(const char* text) {
    if (const auto known = breakage_of(text)) return *known;
    std::string all;
    for (const Breakage each : all_breakages())
        all += std::string(" ") + name_of(each);
    throw std::invalid_argument(std::string("'") + text + "' is not one of:" + all);
}

Settings read(int count, char** arguments) {
    Settings settings;
    if (const char* asked = std::getenv("BASCULE_LONG"); asked != nullptr && *asked == '1')
        settings.histories = 1'000'000;
    for (int i = 1; i < count; ++i) {
        const std::string option = arguments[i];
        if (option == "--verbose") {
            settings.verbose = true;
            continue;
        }
        if (option == "--go-on") {
            settings.go_on = true;
            continue;
        }
        if (i + 1 == count) throw std::invalid_argument(option + ": what?");
        const char* value = arguments[++i];
        if (option == "--first") {
            settings.first = number(value);
        } else if (option == "--histories") {
            settings.histories = number(value);
        } else if (option == "--jobs") {
            settings.jobs = std::clamp<std::uint64_t>(number(value), 1, 64);
        } else if (option == "--seed") {
            settings.first = number(value);
            settings.histories = 1;
            settings.jobs = 1;
            settings.one = true;
        } else if (option == "--interval") {
            settings.interval = std::clamp<Time>(number(value) * 1ms, 5ms, 1s);
        } else if (option == "--break") {
            settings.breakage = breakage(value);
        } else {
            throw std::invalid_argument(option + ": no such option");
        }
    }
    return settings;
}

// Takes seed after seed, until there are no more or something does not hold.
class Run {
public:
    explicit Run(const Settings& settings) : settings_(settings) {}

    int all() {
        std::vector<std::thread> helpers;
        for (std::uint64_t job = 1; job < settings_.jobs; ++job)
            helpers.emplace_back([this] { some(); });
        some();
        for (std::thread& helper : helpers)
            helper.join();
        std::cout << done_ << " histories, " << steps_ << " steps, ";
        if (wrong_ == 0)
            std::cout << "all invariants hold" << std::endl;
        else
            std::cout << wrong_ << " in which an invariant does not hold" << std::endl;
        return wrong_ == 0 ? 0 : 1;
    }

private:
    void some() {
        while (wrong_ == 0 || settings_.go_on) {
            const std::uint64_t number = next_++;
            if (number >= settings_.histories) return;
            Plan plan = make_plan(settings_.first + number, settings_.breakage);
            plan.interval = settings_.interval.value_or(plan.interval);
            one(plan);
        }
    }
    void one(const Plan& plan) {
        if (settings_.one) std::cout << plan.text() << "\n";
        World world(plan, settings_.verbose ? &std::cout : nullptr);
        try {
            world.run();
        } catch (const std::exception& error) {
            complain(plan, world.now(), error.what());
        }
        steps_ += world.steps();
        ++done_;
    }
    void complain(const Plan& plan, Time now, const std::string& what) {
        ++wrong_;
        const std::lock_guard lock(output_);
        std::cout << "seed " << plan.seed << ", at " << now / 1ms << " ms: " << what
                  << "\nagain: cluster_sim --seed " << plan.seed << " --verbose";
        if (settings_.interval) std::cout << " --interval " << plan.interval / 1ms;
        if (plan.breakage != Breakage::none) std::cout << " --break " << name_of(plan.breakage);
        std::cout << std::endl;
    }

    const Settings settings_;
    std::atomic<std::uint64_t> next_{0}, done_{0}, steps_{0}, wrong_{0};
    std::mutex output_;
};

}  // namespace

int main(int count, char** arguments) {
    try {
        return Run(read(count, arguments)).all();
    } catch (const std::exception& error) {
        std::cerr << "cluster_sim: " << error.what() << "\n";
        return 2;
    }
}
