// SPDX-License-Identifier: Apache-2.0
// When the checker probes.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "checker_fixture.h"

namespace bascule::health::testing {
namespace {

using CheckerSchedule = CheckerTest;

TEST_F(CheckerSchedule, IsQuickerWhileInDoubt) {
    Target slow = target("web1");
    slow.health.interval = 1500ms;
    slow.health.timeout = 500ms;
    check({slow});
    ASSERT_TRUE(becomes(Health::up));
    always(bad(Failure::refused, "refused"));
    std::vector<Clock::time_point> starts;
    fake_.started = [&](const Target&) { starts.push_back(Clock::now()); };
    ASSERT_TRUE(becomes(Health::down));
    ASSERT_EQ(starts.size(), 3U);
    EXPECT_LT(starts[2] - starts[0], 1400ms);
    EXPECT_GE(starts[2] - starts[0], 10ms);
}

TEST_F(CheckerSchedule, AProbeThatOutlastsItsIntervalDelaysTheNext) {
    Target slow = target("web1");
    slow.health.fast_interval = 5ms;
    slow.health.timeout = 30ms;
    fake_.say = [](const Target&, const Destination&) { return Script{{}, 1h}; };
    check({slow});
    ASSERT_TRUE(run_until([&] { return fake_.runs == 10; }));
    EXPECT_EQ(fake_.most_running, 1);
    EXPECT_EQ(record().last->failure, Failure::timed_out);
    EXPECT_GE(record().last_duration, 29ms);
}

TEST_F(CheckerSchedule, SpreadsFirstProbesAndKeepsPhases) {
    std::vector<Target> targets;
    for (int i = 0; i < 400; ++i) {
        targets.push_back(target("web" + std::to_string(i)));
        targets.back().health.interval = 1s;
    }
    std::map<std::string, std::vector<Clock::time_point>> starts;
    fake_.started = [&](const Target& target) {
        starts[target.name.second].push_back(Clock::now());
    };
    const auto begin = Clock::now();
    check(targets);
    ASSERT_TRUE(run_until([&] { return checker_->all_judged(); }));
    EXPECT_GT(Clock::now() - begin, 390ms);
    EXPECT_LE(record("web0").last_at, record("web399").last_at);
    ASSERT_TRUE(run_until([&] { return fake_.runs == 800; }));
    for (const auto& [name, times] : starts) {
        ASSERT_EQ(times.size(), 2U) << name;
        EXPECT_GT(times[1] - times[0], 500ms) << name;
    }
}

TEST_F(CheckerSchedule, StandingStillDoesNotMakeAllStartTogether) {
    std::vector<Target> targets;
    for (int i = 0; i < 100; ++i) {
        targets.push_back(target("web" + std::to_string(i)));
        targets.back().health.interval = 200ms;
    }
    check(targets);
    ASSERT_TRUE(run_until([&] { return checker_->all_judged(); }));
    std::this_thread::sleep_for(900ms);
    const auto woken = Clock::now();
    std::map<std::string, Clock::time_point> second;  // starts after the one that was overdue
    std::set<std::string> overdue;
    fake_.started = [&](const Target& target) {
        if (!overdue.insert(target.name.second).second)
            second.try_emplace(target.name.second, Clock::now());
    };
    ASSERT_TRUE(run_until([&] { return second.size() == 100; }));
    auto first = Clock::time_point::max(), last = Clock::time_point::min();
    for (const auto& [name, time] : second) {
        first = std::min(first, time);
        last = std::max(last, time);
    }
    EXPECT_GT(last - first, 50ms) << "they have phases of their own again";
    EXPECT_LT(last - woken, 10s);
}

TEST_F(CheckerSchedule, AFreshOneThatIsNoDestinationYetIsNotJudged) {
    bool known = false;
    hooks_.destination = [&](const Target& target) -> decltype(hooks_.destination(target)) {
        if (!known) return std::monostate();
        return Destination{target.backend, target.backend_port, {}};
    };
    check({target("web1")});
    run_for(300ms);
    EXPECT_EQ(record().checks, 0U);
    EXPECT_EQ(record().health, Health::checking);
    known = true;
    EXPECT_TRUE(becomes(Health::up));
}

TEST_F(CheckerSchedule, AShorterIntervalCountsAtOnce) {
    Target slow = target("web1");
    slow.health.interval = 600s;
    check({slow});
    ASSERT_TRUE(becomes(Health::up));
    check({target("web1")});
    EXPECT_TRUE(run_until([&] { return record().checks > 2; }));
}

// While nobody knows yet where they go all are asked for ten times a second; that must not bring
// them into step.
TEST_F(CheckerSchedule, WaitingForADestinationKeepsThePhases) {
    bool known = false;
    hooks_.destination = [&](const Target& target) -> decltype(hooks_.destination(target)) {
        if (!known) return std::monostate();
        return Destination{target.backend, target.backend_port, {}};
    };
    std::vector<Target> targets;
    for (int i = 0; i < 400; ++i) {
        targets.push_back(target("web" + std::to_string(i)));
        targets.back().health.interval = 1s;
    }
    std::map<std::string, std::vector<Clock::time_point>> starts;
    fake_.started = [&](const Target& target) {
        starts[target.name.second].push_back(Clock::now());
    };
    check(targets);
    run_for(700ms);
    known = true;
    ASSERT_TRUE(run_until([&] { return fake_.runs >= 1200; }));
    std::set<Clock::time_point> thirds;
    for (const auto& [name, times] : starts)
        if (times.size() >= 3) thirds.insert(times[2]);
    ASSERT_GT(thirds.size(), 300U);
    EXPECT_GT(*thirds.rbegin() - *thirds.begin(), 250ms);
}

}  // namespace
}  // namespace bascule::health::testing
