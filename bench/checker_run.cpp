// SPDX-License-Identifier: Apache-2.0
#include "bench/checker_run.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "bench/bare_loop.h"
#include "bench/health_lab.h"

namespace bascule::bench {
namespace {

using namespace std::chrono_literals;
using health::Clock;
using health::Target;

double resident_peak() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
    return 0;
}

double quantile(std::vector<double>& values, double share) {
    if (values.empty()) return 0;
    const auto place = values.begin() +
                       static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), place, values.end());
    return *place;
}

health::Checker::Hooks hooks_with(const Address& source) {
    health::Checker::Hooks hooks;
    hooks.destination = [source](const Target& target) {
        return health::Destination{target.backend, target.backend_port, source};
    };
    return hooks;
}

}  // namespace

health::Target health_target(model::ProbeType type, std::uint32_t number, std::uint16_t port) {
    Target target;
    target.name = {model::name_of(type), std::to_string(number)};
    target.backend = HealthLab::address(number);
    target.backend_port = port;
    target.health.type = type;
    target.health.interval = 1000ms;
    target.health.verify = false;
    return target;
}

CheckerRun::CheckerRun(std::vector<Target> targets, const Address& source)
    : checker_(io_, hooks_with(source)), count_(targets.size()), timer_(io_) {
    checker_.set_targets(std::move(targets));
}

void CheckerRun::warm_up() {
    const auto end = Clock::now() + 20s;
    while (checks() < 2 * count_ && Clock::now() < end)
        io_.run_for(200ms);
    if (!checker_.all_judged()) throw std::runtime_error("some targets were never probed");
}

CheckFigures CheckerRun::measure(int seconds) {
    const std::uint64_t before = checks();
    const auto cpu = cpu_time();
    const auto began = Clock::now();
    sample();
    io_.run_until(began + std::chrono::seconds(seconds));
    const double took = std::chrono::duration<double>(Clock::now() - began).count();
    CheckFigures figures;
    figures.checks = checks() - before;
    figures.cpu = static_cast<double>((cpu_time() - cpu).count()) /
                  static_cast<double>(std::max(figures.checks, std::uint64_t{1}));
    figures.rate = static_cast<double>(figures.checks) / took;
    for (const health::Record* record : checker_.all())
        figures.failures += record->failures;
    figures.start_median = quantile(starts_, 0.5);
    figures.start_p99 = quantile(starts_, 0.99);
    figures.verdict_median = quantile(verdicts_, 0.5);
    figures.verdict_p99 = quantile(verdicts_, 0.99);
    figures.memory = resident_peak();
    return figures;
}

std::string CheckerRun::a_failure() const {
    for (const health::Record* record : checker_.all())
        if (record->failures > 0)
            return record->target.name.first + ": " +
                   (record->reason.empty() ? "well again" : record->reason);
    return "";
}

std::uint64_t CheckerRun::checks() const {
    std::uint64_t sum = 0;
    for (const health::Record* record : checker_.all())
        sum += record->checks;
    return sum;
}

// Twice an interval, so that it sees each probe's record.
void CheckerRun::sample() {
    timer_.expires_after(500ms);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        seen_.resize(count_);
        std::size_t i = 0;
        for (const health::Record* record : checker_.all()) {
            if (std::exchange(seen_[i++], record->checks) == record->checks) continue;
            const double late = static_cast<double>(record->last_late.count()) / 1000;
            starts_.push_back(late);
            verdicts_.push_back(late + static_cast<double>(record->last_duration.count()) / 1000);
        }
        sample();
    });
}

}  // namespace bascule::bench
