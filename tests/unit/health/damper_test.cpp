// SPDX-License-Identifier: Apache-2.0
// Each rule of the damper by itself. What holds of any history is in damper_property_test.cpp.
#include "health/damper.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace bascule::health {
namespace {

using namespace std::chrono_literals;
using model::HealthConfig;
using Time = Damper::Time;

const Time start{1'000'000s};

HealthConfig options() {
    return {};
}

// One result a second, 'g' or 'b'; the health after each as 'u', 'd' or 'c'.
std::string healths(Damper& damper, std::string_view results, Time& now) {
    std::string seen;
    for (const char result : results) {
        const Health before = damper.health();
        const bool changed = damper.on_result(result == 'g', now);
        EXPECT_EQ(changed, before != damper.health());
        if (changed) {
            EXPECT_EQ(damper.since(), now);
        }
        seen += name_of(damper.health())[0];
        now += 1s;
    }
    return seen;
}

std::string healths(Damper& damper, std::string_view results) {
    Time now = start;
    return healths(damper, results, now);
}

TEST(Damper, FirstResultDecidesAlone) {
    Damper good(options(), Health::checking, start);
    EXPECT_EQ(good.needed(), 1U);
    EXPECT_FALSE(good.in_doubt(start));
    EXPECT_EQ(healths(good, "g"), "u");
    Damper bad(options(), Health::checking, start);
    EXPECT_EQ(healths(bad, "b"), "d");
    EXPECT_EQ(bad.falls_in_window(start), 0U) << "nothing fell";
}

TEST(Damper, AdoptedHealthStaysUntilResultsSayOtherwise) {
    Damper up(options(), Health::up, start);
    EXPECT_EQ(healths(up, "bbb"), "uud");
    Damper down(options(), Health::down, start);
    EXPECT_EQ(healths(down, "gg"), "du");
}

TEST(Damper, CountsResultsInARow) {
    Damper damper(options(), Health::checking, start);
    EXPECT_EQ(healths(damper, "gbbgbbgbbb"), "uuuuuuuuud");
    Damper rising(options(), Health::down, start);
    EXPECT_EQ(healths(rising, "gbgbgg"), "dddddu");
}

TEST(Damper, IsInDoubtWhileTheLastResultDisagrees) {
    Damper damper(options(), Health::up, start);
    EXPECT_FALSE(damper.in_doubt(start));
    damper.on_result(false, start);
    EXPECT_TRUE(damper.in_doubt(start));
    EXPECT_EQ(damper.against(), 1U);
    EXPECT_EQ(damper.needed(), 3U);
    damper.on_result(true, start + 1s);
    EXPECT_FALSE(damper.in_doubt(start + 1s));
    EXPECT_EQ(damper.against(), 0U);
    for (int i = 2; i < 5; ++i)
        damper.on_result(false, start + std::chrono::seconds(i));
    EXPECT_EQ(damper.health(), Health::down);
    EXPECT_FALSE(damper.in_doubt(start + 5s));
    damper.on_result(true, start + 5s);
    EXPECT_TRUE(damper.in_doubt(start + 5s));
    EXPECT_EQ(damper.needed(), 2U);
}

TEST(Damper, RiseAndFallOfOneChangeAtOnce) {
    HealthConfig each = options();
    each.rise = each.fall = 1;
    each.flap_limit = 0;
    Damper damper(each, Health::checking, start);
    EXPECT_EQ(healths(damper, "gbgbbg"), "ududdu");
}

// Falls at once and comes back at once, for hold-downs.
HealthConfig quick() {
    HealthConfig health = options();
    health.rise = health.fall = 1;
    return health;
}

// Makes it fall, then gives a good result every second until it is up; how long that took.
std::chrono::seconds fall_and_return(Damper& damper, Time& now) {
    EXPECT_EQ(damper.health(), Health::up);
    EXPECT_TRUE(damper.on_result(false, now));
    const Time fell = now;
    do
        now += 1s;
    while (!damper.on_result(true, now) && now - fell < 1h);
    const auto took = std::chrono::duration_cast<std::chrono::seconds>(now - fell);
    now += 1s;
    return took;
}

TEST(Damper, HoldsAFlappingOneDownLongerEachTime) {
    HealthConfig health = quick();
    health.flap_window = 10min;
    Damper damper(health, Health::up, start);
    Time now = start;
    for (const int seconds : {1, 1, 1, 10, 20, 40, 80, 160, 300, 300})
        EXPECT_EQ(fall_and_return(damper, now).count(), seconds);
}

TEST(Damper, SaysWhyAndHowLongItIsHeld) {
    HealthConfig health = quick();
    health.flap_limit = 1;
    Damper damper(health, Health::up, start);
    Time now = start;
    fall_and_return(damper, now);
    EXPECT_TRUE(damper.on_result(false, now));
    EXPECT_EQ(damper.held_until(now), now + 10s);
    EXPECT_FALSE(damper.kept_down(now)) << "its probes are bad still";
    damper.on_result(true, now + 1s);
    EXPECT_TRUE(damper.kept_down(now + 1s));
    EXPECT_FALSE(damper.in_doubt(now + 1s)) << "hurrying would not help";
    EXPECT_FALSE(damper.on_result(true, now + 10s - 1ns));
    EXPECT_EQ(damper.held_until(now + 10s), std::nullopt);
    EXPECT_TRUE(damper.on_result(true, now + 10s));
    EXPECT_EQ(damper.held_until(now + 10s), std::nullopt);
}

TEST(Damper, NeedsItsRiseAfterAHoldDownToo) {
    HealthConfig health = options();
    health.flap_limit = 1;
    health.hold_down = 2s;
    Damper damper(health, Health::up, start);
    // Falls at the 3rd, returns at the 5th, falls at the 8th (7 s) and is held until 9 s.
    EXPECT_EQ(healths(damper, "bbbggbbbbgg"), "uudduuudddu");
}

TEST(Damper, ForgetsFallsThatAreOld) {
    HealthConfig health = quick();
    Damper damper(health, Health::up, start);
    Time now = start;
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(fall_and_return(damper, now).count(), 1);
        EXPECT_LE(damper.falls_in_window(now), 3U);
        now += 20s - 2s;
    }
}

TEST(Damper, ForgetsTheBackOffAfterAQuietWindow) {
    Damper damper(quick(), Health::up, start);
    Time now = start;
    for (const int seconds : {1, 1, 1, 10, 20})
        EXPECT_EQ(fall_and_return(damper, now).count(), seconds);
    now += 61s;
    damper.on_result(true, now);
    for (const int seconds : {1, 1, 1, 10})
        EXPECT_EQ(fall_and_return(damper, now).count(), seconds);
}

TEST(Damper, KeepsTheBackOffWhenTheWindowWasNotQuiet) {
    Damper damper(quick(), Health::up, start);
    Time now = start;
    for (const int seconds : {1, 1, 1, 10, 20, 40})
        EXPECT_EQ(fall_and_return(damper, now).count(), seconds);
    // The falls before are older than the window by now, those after are free again.
    now += 50s;
    for (const int seconds : {1, 1, 1, 80})
        EXPECT_EQ(fall_and_return(damper, now).count(), seconds);
}

TEST(Damper, NeverHoldsWithALimitOfNone) {
    HealthConfig health = quick();
    health.flap_limit = 0;
    Damper damper(health, Health::up, start);
    Time now = start;
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(fall_and_return(damper, now).count(), 1);
}

TEST(Damper, KeepsWhatItKnowsWhenOptionsChange) {
    Damper damper(options(), Health::up, start);
    damper.on_result(false, start);
    damper.on_result(false, start);
    HealthConfig other = options();
    other.fall = 5;
    damper.set_options(other);
    EXPECT_EQ(damper.needed(), 5U);
    EXPECT_EQ(damper.against(), 2U);
    other.fall = 1;
    damper.set_options(other);
    EXPECT_EQ(damper.health(), Health::up) << "only a result changes it";
    EXPECT_TRUE(damper.on_result(false, start));
}

TEST(Damper, EndsAHoldDownWhenThereAreNoneAnyMore) {
    HealthConfig health = quick();
    health.flap_limit = 1;
    Damper damper(health, Health::up, start);
    Time now = start;
    fall_and_return(damper, now);
    damper.on_result(false, now);
    ASSERT_TRUE(damper.held_until(now));
    health.flap_limit = 0;
    damper.set_options(health);
    EXPECT_FALSE(damper.held_until(now));
    EXPECT_TRUE(damper.on_result(true, now));
}

TEST(Damper, ReturnsSlowlyInTenSteps) {
    HealthConfig health = quick();
    health.slow_start = 90s;
    Damper damper(health, Health::down, start);
    EXPECT_EQ(damper.weight_percent(start), 100U);
    EXPECT_EQ(damper.next_step(start), std::nullopt);
    damper.on_result(true, start);
    for (int step = 0; step < 9; ++step) {
        const Time now = start + step * 10s;
        EXPECT_EQ(damper.weight_percent(now), 10U + static_cast<unsigned>(step) * 10);
        EXPECT_EQ(damper.weight_percent(now + 10s - 1ns), damper.weight_percent(now));
        EXPECT_EQ(damper.next_step(now), now + 10s);
        EXPECT_EQ(damper.next_step(now + 5s), now + 10s);
    }
    EXPECT_EQ(damper.weight_percent(start + 90s), 100U);
    EXPECT_EQ(damper.next_step(start + 90s), std::nullopt);
}

TEST(Damper, TakesTheFirstVerdictInFull) {
    HealthConfig health = quick();
    health.slow_start = 90s;
    Damper damper(health, Health::checking, start);
    damper.on_result(true, start);
    EXPECT_EQ(damper.weight_percent(start), 100U);
    Damper adopted(health, Health::up, start);
    EXPECT_EQ(adopted.weight_percent(start), 100U);
}

TEST(Damper, BeginsItsSlowStartAnewAfterAFall) {
    HealthConfig health = quick();
    health.slow_start = 90s;
    Damper damper(health, Health::down, start);
    damper.on_result(true, start);
    EXPECT_EQ(damper.weight_percent(start + 55s), 60U);
    damper.on_result(false, start + 55s);
    EXPECT_EQ(damper.weight_percent(start + 55s), 100U);
    EXPECT_EQ(damper.next_step(start + 55s), std::nullopt);
    damper.on_result(true, start + 60s);
    EXPECT_EQ(damper.weight_percent(start + 60s), 10U);
}

TEST(Damper, NamesItsHealth) {
    EXPECT_STREQ(name_of(Health::unchecked), "unchecked");
    EXPECT_STREQ(name_of(Health::checking), "checking");
    EXPECT_STREQ(name_of(Health::up), "up");
    EXPECT_STREQ(name_of(Health::down), "down");
}

}  // namespace
}  // namespace bascule::health
