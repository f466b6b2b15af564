// SPDX-License-Identifier: Apache-2.0
// What holds of any history: flapping of every period stays within the stated bounds, a change of
// health has its reason in the results, and who is well for long enough is up.
//
// Time is simulated: probes start as the checker starts them, and see the backend as it is then.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "health/damper.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;
using model::HealthConfig;
using model::Milliseconds;
using Time = Damper::Time;

const Time start{1'000'000s};

struct History {
    std::vector<Time> changes;  // of being in the ring
    std::vector<Time> steps;    // of slow start
};

using Backend = std::function<bool(Time)>;
using Delay = std::function<Milliseconds(bool)>;  // of a result

// Runs probes until `end`, at the intervals that the configuration says.
History simulate(const HealthConfig& health, const Backend& well, const Delay& delay, Time end) {
    History history;
    Damper damper(health, Health::checking, start);
    for (Time due = start, now = start; now < end;) {
        const bool ok = well(due);
        now = due + delay(ok);
        // Steps that fell due before this result.
        const Time last = history.steps.empty() ? start : history.steps.back();
        for (auto step = damper.next_step(std::max(last, damper.since())); step && *step <= now;
             step = damper.next_step(*step))
            history.steps.push_back(*step);
        const bool was_up = damper.health() == Health::up;
        damper.on_result(ok, now);
        if (was_up != (damper.health() == Health::up)) history.changes.push_back(now);
        due = std::max(due + (damper.in_doubt(now) ? health.fast_interval : health.interval), now);
    }
    return history;
}

// The most of them within any 60 seconds.
std::size_t most_a_minute(const std::vector<Time>& times) {
    std::size_t most = 0, first = 0;
    for (std::size_t last = 0; last < times.size(); ++last) {
        while (times[last] - times[first] >= 60s)
            ++first;
        most = std::max(most, last - first + 1);
    }
    return most;
}

struct Named {
    const char* name;
    HealthConfig health;
};

std::vector<Named> configurations() {
    std::vector<Named> all;
    const auto add = [&](const char* name, auto change) {
        HealthConfig health;
        change(health);
        all.push_back({name, health});
    };
    add("defaults", [](HealthConfig&) {});
    add("slow start", [](HealthConfig& health) { health.slow_start = 30s; });
    add("quick slow start", [](HealthConfig& health) { health.slow_start = 500ms; });
    add("very fast", [](HealthConfig& health) {
        health.interval = 100ms;
        health.fast_interval = 20ms;
        health.timeout = 50ms;
        health.rise = health.fall = 1;
        health.slow_start = 5s;
    });
    add("slow probes", [](HealthConfig& health) {
        health.interval = 10s;
        health.fast_interval = 2500ms;
        health.timeout = 5s;
    });
    add("never held", [](HealthConfig& health) { health.flap_limit = 0; });
    add("held at the second fall", [](HealthConfig& health) {
        health.flap_limit = 1;
        health.hold_down = 1s;
        health.rise = health.fall = 1;
    });
    add("short window", [](HealthConfig& health) {
        health.flap_window = 7s;
        health.hold_down = 2s;
        health.hold_down_most = 5s;
        health.rise = health.fall = 1;
        health.interval = 200ms;
        health.fast_interval = 200ms;
        health.timeout = 200ms;
    });
    add("long window", [](HealthConfig& health) {
        health.flap_window = 600s;
        health.interval = 250ms;
        health.fast_interval = 50ms;
        health.timeout = 200ms;
    });
    add("a hold-down that does not grow", [](HealthConfig& health) {
        health.hold_down = health.hold_down_most = 3s;
        health.interval = 500ms;
        health.fast_interval = 100ms;
    });
    return all;
}

// What flapping must not exceed, and did reach.
struct Reached {
    std::size_t changes = 0, steps = 0;
};

void expect_bounded(const Named& each, const History& history, Reached& reached) {
    const std::size_t changes = most_a_minute(history.changes);
    const std::size_t steps = most_a_minute(history.steps);
    EXPECT_LE(changes, most_changes_a_minute(each.health)) << each.name;
    EXPECT_LE(steps, most_steps_a_minute(each.health)) << each.name;
    reached.changes = std::max(reached.changes, changes);
    reached.steps = std::max(reached.steps, steps);
}

TEST(DamperProperty, FlappingOfEveryPeriodIsBounded) {
    for (const Named& each : configurations()) {
        Reached reached;
        for (Milliseconds period = 200ms; period <= 60s;
             period += std::max(Milliseconds(50), period / 40)) {
            for (const int share : {10, 25, 50, 75, 90}) {
                const Milliseconds good = period * share / 100;
                const Backend well = [&](Time now) { return (now - start) % period < good; };
                const Delay silent = [&](bool ok) { return ok ? 1ms : each.health.timeout; };
                const Delay refusing = [](bool) { return 1ms; };
                for (const Delay& delay : {silent, refusing}) {
                    SCOPED_TRACE(testing::Message()
                                 << period.count() << " ms, good for " << share << " per cent");
                    expect_bounded(each, simulate(each.health, well, delay, start + 6min), reached);
                }
                if (HasFailure()) return;
            }
        }
        std::printf("%-32s at most %3zu of %3u changes, %3zu of %3u steps a minute\n", each.name,
                    reached.changes, most_changes_a_minute(each.health), reached.steps,
                    most_steps_a_minute(each.health));
    }
}

// The worst that a backend can do: fails as soon as it is up and is well as soon as it is down.
TEST(DamperProperty, AnAdversaryIsBounded) {
    for (const Named& each : configurations()) {
        for (const Milliseconds patience : {0ms, 1000ms, 5000ms, 20'000ms, 61'000ms}) {
            Damper damper(each.health, Health::up, start);
            History history;
            for (Time now = start; now < start + 30min;) {
                const bool bad = damper.health() == Health::up &&
                                 (patience == 0ms || history.changes.size() % 8 != 0 ||
                                  now - damper.since() >= patience);
                if (damper.on_result(!bad, now)) history.changes.push_back(now);
                now += damper.in_doubt(now) ? each.health.fast_interval : each.health.interval;
            }
            EXPECT_LE(most_a_minute(history.changes), most_changes_a_minute(each.health))
                << each.name << ", patience " << patience.count() << " ms";
        }
    }
}

// The bound is not idle: with the defaults it is reached.
TEST(DamperProperty, TheBoundOfTheDefaultsIsReached) {
    const HealthConfig health;
    EXPECT_EQ(most_changes_a_minute(health), 12U);
    EXPECT_EQ(most_steps_a_minute(health), 0U);
    Damper damper(health, Health::checking, start);
    std::vector<Time> changes;
    for (Time now = start; now < start + 5min;) {
        if (damper.on_result(damper.health() != Health::up, now)) changes.push_back(now);
        now += damper.in_doubt(now) ? health.fast_interval : health.interval;
    }
    EXPECT_EQ(most_a_minute(changes), 12U);
}

TEST(DamperProperty, BoundsAreFiniteForOddOptions) {
    HealthConfig health;
    health.hold_down = 0ms;
    EXPECT_EQ(most_changes_a_minute(health), 2U + 2 * (61'500 / 2750));
    health.interval = health.fast_interval = health.timeout = 0ms;
    EXPECT_GT(most_changes_a_minute(health), 100'000U);
    health.slow_start = 90s;
    EXPECT_EQ(most_steps_a_minute(health), 7U);
}

struct Result {
    Time when;
    bool ok;
};

HealthConfig random_options(std::mt19937& random) {
    const auto pick = [&](int least, int most) {
        return std::uniform_int_distribution<int>(least, most)(random);
    };
    HealthConfig health;
    health.rise = static_cast<std::uint32_t>(pick(1, 4));
    health.fall = static_cast<std::uint32_t>(pick(1, 4));
    health.flap_limit = static_cast<std::uint32_t>(pick(0, 4));
    health.interval = Milliseconds(pick(50, 2000));
    health.fast_interval = Milliseconds(pick(10, static_cast<int>(health.interval.count())));
    health.timeout = Milliseconds(pick(1, static_cast<int>(health.interval.count())));
    health.flap_window = Milliseconds(pick(1000, 120'000));
    health.hold_down = Milliseconds(pick(100, 20'000));
    health.hold_down_most = health.hold_down * pick(1, 30);
    health.slow_start = Milliseconds(pick(0, 1) * pick(1, 60'000));
    return health;
}

// The last `count` results were all of this kind.
bool in_a_row(const std::vector<Result>& results, std::size_t count, bool ok) {
    return results.size() >= count &&
           std::all_of(results.end() - static_cast<std::ptrdiff_t>(count), results.end(),
                       [&](const Result& result) { return result.ok == ok; });
}

TEST(DamperProperty, RandomHistoriesKeepTheRules) {
    std::mt19937 random(20);
    for (int round = 0; round < 2000; ++round) {
        SCOPED_TRACE(round);
        const HealthConfig health = random_options(random);
        const int luck = std::uniform_int_distribution<int>(5, 95)(random);
        Damper damper(health, Health::checking, start);
        std::vector<Result> results;
        std::vector<Time> changes;
        for (Time now = start; results.size() < 300;) {
            const bool ok = std::uniform_int_distribution<int>(0, 99)(random) < luck;
            const Health before = damper.health();
            const auto held = damper.held_until(now);
            results.push_back({now, ok});
            const bool changed = damper.on_result(ok, now);
            ASSERT_EQ(changed, before != damper.health());
            if (before == Health::checking) {
                ASSERT_EQ(damper.health(), ok ? Health::up : Health::down);
            } else if (before == Health::up) {
                ASSERT_EQ(changed, in_a_row(results, health.fall, false));
            } else {
                ASSERT_EQ(changed, in_a_row(results, health.rise, true) && !held);
            }
            if (changed && (before == Health::up || ok)) changes.push_back(now);
            ASSERT_LE(damper.against(), damper.needed());
            if (const auto until = damper.held_until(now)) {
                ASSERT_LE(*until - now, health.hold_down_most);
            }
            if (const auto step = damper.next_step(now)) {
                ASSERT_GT(*step, now);
                ASSERT_EQ(damper.weight_percent(*step), damper.weight_percent(now) + 10);
                ASSERT_EQ(damper.weight_percent(*step - 1ns), damper.weight_percent(now));
            } else {
                ASSERT_EQ(damper.weight_percent(now), 100U);
            }
            now += damper.in_doubt(now) ? health.fast_interval : health.interval;
        }
        ASSERT_LE(most_a_minute(changes), most_changes_a_minute(health));
    }
}

TEST(DamperProperty, WhoIsWellForLongEnoughIsUpInFull) {
    std::mt19937 random(21);
    for (int round = 0; round < 500; ++round) {
        SCOPED_TRACE(round);
        const HealthConfig health = random_options(random);
        Damper damper(health, Health::checking, start);
        Time now = start;
        const auto next = [&](bool ok) {
            damper.on_result(ok, now);
            now += damper.in_doubt(now) ? health.fast_interval : health.interval;
        };
        for (int i = 0; i < 300; ++i)
            next(random() % 2 == 0);
        const Time well_since = now;
        while (now - well_since <
               health.hold_down_most + (health.rise + 1) * health.interval + health.slow_start)
            next(true);
        next(true);
        ASSERT_EQ(damper.health(), Health::up);
        ASSERT_EQ(damper.weight_percent(now), 100U);
    }
}

}  // namespace
}  // namespace bascule::health
