// SPDX-License-Identifier: Apache-2.0
// What the checker makes of results: what it tells and what it keeps.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "checker_fixture.h"

namespace bascule::health::testing {
namespace {

using CheckerVerdicts = CheckerTest;

TEST_F(CheckerVerdicts, FirstResultIsToldAndKept) {
    check({target("web1")});
    EXPECT_EQ(record().health, Health::checking);
    EXPECT_FALSE(checker_->all_judged());
    EXPECT_EQ(record().last, std::nullopt);
    ASSERT_TRUE(becomes(Health::up));
    EXPECT_TRUE(checker_->all_judged());
    ASSERT_EQ(told_.size(), 1U);
    EXPECT_TRUE(told_[0].health_changed);
    EXPECT_EQ(told_[0].record.health, Health::up);
    EXPECT_EQ(record().reason, "");
    EXPECT_EQ(record().last->words, "answered");
    ASSERT_EQ(record().changes.size(), 1U);
    EXPECT_EQ(record().changes[0].to, Health::up);
    EXPECT_EQ(record().changes[0].reason, "answered");
    EXPECT_EQ(record().checks, 1U);
    EXPECT_EQ(record().failures, 0U);
    EXPECT_GT(record().next_at, record().last_at);
}

TEST_F(CheckerVerdicts, FallsAndReturnsWithReasons) {
    check({target("web1")});
    ASSERT_TRUE(becomes(Health::up));
    always(bad(Failure::refused, "connection refused by 10.9.0.21 (RST)"));
    ASSERT_TRUE(run_until([&] { return record().against == 1; }));
    EXPECT_EQ(record().reason, "connection refused by 10.9.0.21 (RST)") << "in doubt";
    EXPECT_EQ(record().needed, 3U);
    EXPECT_EQ(told_.size(), 1U) << "a doubt is not told";
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_EQ(record().failures, 3U);
    EXPECT_EQ(told_.back().record.reason, "connection refused by 10.9.0.21 (RST)");
    always(good("200 OK"));
    ASSERT_TRUE(becomes(Health::up));
    EXPECT_EQ(record().reason, "");
    EXPECT_EQ(record().changes.back().reason, "200 OK");
    EXPECT_EQ(told_.size(), 3U);
}

TEST_F(CheckerVerdicts, AReasonOfDoubtGoesWithTheDoubt) {
    check({target("web1")});
    ASSERT_TRUE(becomes(Health::up));
    int left = 2;
    fake_.say = [&](const Target&, const Destination&) {
        return left-- > 0 ? bad(Failure::status, "HTTP 500") : good();
    };
    ASSERT_TRUE(run_until([&] { return record().failures == 2; }));
    EXPECT_EQ(record().reason, "HTTP 500");
    ASSERT_TRUE(run_until([&] { return record().against == 0; }));
    EXPECT_EQ(record().reason, "");
    EXPECT_EQ(record().health, Health::up);
}

TEST_F(CheckerVerdicts, AnotherReasonWhileDownIsToldButNotTooOften) {
    check({target("web1")});
    int number = 0;
    fake_.say = [&](const Target&, const Destination&) {
        return bad(Failure::status, "HTTP " + std::to_string(500 + number++));
    };
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_EQ(told_.size(), 1U);
    const auto begin = Clock::now();
    ASSERT_TRUE(run_until([&] { return told_.size() == 4; }));
    EXPECT_GE(Clock::now() - begin, 2900ms);
    EXPECT_FALSE(told_.back().health_changed);
    EXPECT_EQ(told_.back().record.reason, record().reason);
    EXPECT_GT(record().checks, 10U);
    EXPECT_EQ(record().changes.size(), 1U);
}

TEST_F(CheckerVerdicts, TheSameReasonIsToldOnce) {
    always(bad(Failure::refused, "connection refused"));
    check({target("web1")});
    ASSERT_TRUE(becomes(Health::down));
    run_for(1500ms);
    EXPECT_EQ(told_.size(), 1U);
}

TEST_F(CheckerVerdicts, KeepsTwentyChanges) {
    Target flapping = target("web1");
    flapping.health.rise = flapping.health.fall = 1;
    flapping.health.flap_limit = 0;
    flapping.health.interval = 2ms;
    flapping.health.timeout = 2ms;
    fake_.say = [&](const Target&, const Destination&) {
        return fake_.runs % 2 == 0 ? good() : bad(Failure::refused, std::to_string(fake_.runs));
    };
    check({flapping});
    ASSERT_TRUE(run_until([&] { return told_.size() >= 51; }));
    EXPECT_EQ(record().changes.size(), Record::most_changes);
    EXPECT_EQ(record().changes.back().when, record().since);
    EXPECT_LE(record().changes.front().when, record().changes.back().when);
}

TEST_F(CheckerVerdicts, BelievesWhatItIsTold) {
    hooks_.initial = [](const Target& target) {
        return target.name.second == "web1" ? Health::up : Health::down;
    };
    always(bad(Failure::refused, "refused"));
    check({target("web1"), target("web2")});
    EXPECT_EQ(record("web1").health, Health::up);
    EXPECT_EQ(record("web2").health, Health::down);
    ASSERT_TRUE(run_until([&] { return checker_->all_judged(); }));
    EXPECT_EQ(record("web1").health, Health::up) << "one bad result is not enough";
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_EQ(record("web2").changes.size(), 0U);
    EXPECT_TRUE(run_until([&] { return record("web2").reason == "refused"; }));
}

TEST_F(CheckerVerdicts, WhatCannotBeSentIsAResult) {
    hooks_.destination = [&](const Target& target) -> decltype(hooks_.destination(target)) {
        return bad(Failure::path, "no neighbour " + target.backend.to_string()).outcome;
    };
    check({target("web1")});
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_EQ(record().reason, "no neighbour 10.9.0.21");
    EXPECT_EQ(fake_.runs, 0);
    ASSERT_TRUE(run_until([&] { return record().checks == 3; }));
}

TEST_F(CheckerVerdicts, WhatCannotBeMadeIsTriedAgain) {
    bool readable = false;
    auto make = [&](boost::asio::io_context& io, ProbeResources&,
                    const Target& target) -> Result<std::unique_ptr<Probe>> {
        if (!readable) return failure("/etc/ca.pem: no such file");
        return std::make_unique<FakeProbe>(io, fake_, target);
    };
    checker_ = std::make_unique<Checker>(io_, hooks_, make);
    checker_->set_targets({target("web1")});
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_EQ(record().reason, "/etc/ca.pem: no such file");
    EXPECT_EQ(record().last->failure, Failure::local);
    readable = true;
    EXPECT_TRUE(becomes(Health::up));
}

TEST_F(CheckerVerdicts, AnExceptionOfAProbeIsAFailureOfThatProbe) {
    fake_.started = [&](const Target& target) {
        if (target.name.second != "web1") return;
        --fake_.running;
        throw std::runtime_error("out of luck");
    };
    check({target("web1"), target("web2")});
    ASSERT_TRUE(run_until([&] { return record("web1").checks > 3 && record("web2").checks > 3; }));
    EXPECT_EQ(record("web1").reason, "the probe ended with an error: out of luck");
    EXPECT_EQ(record("web2").health, Health::up);
}

TEST_F(CheckerVerdicts, HoldsAFlappingOneDownAndSaysSoOnce) {
    Target flapping = target("web1");
    flapping.health.rise = flapping.health.fall = 1;
    flapping.health.flap_limit = 1;
    flapping.health.hold_down = 700ms;
    flapping.health.interval = 5ms;
    flapping.health.timeout = 5ms;
    fake_.say = [&](const Target&, const Destination&) {
        return record().health == Health::up ? bad(Failure::refused, "refused") : good();
    };
    check({flapping});
    ASSERT_TRUE(run_until([&] { return record().held_until.has_value(); }));
    EXPECT_FALSE(record().kept_down);
    const auto until = *record().held_until;
    ASSERT_TRUE(run_until([&] { return record().kept_down; }));
    EXPECT_NEAR(static_cast<double>((*record().held_until - until).count()), 0, 5e7);
    EXPECT_FALSE(told_.back().health_changed);
    EXPECT_TRUE(told_.back().record.kept_down);
    const std::size_t before = told_.size();
    run_for(200ms);
    EXPECT_EQ(told_.size(), before);
    ASSERT_TRUE(becomes(Health::up));
    EXPECT_GE(std::chrono::system_clock::now(), until - 50ms);
    EXPECT_EQ(record().held_until, std::nullopt);
}

TEST_F(CheckerVerdicts, StepsThroughItsSlowStart) {
    Target slow = target("web1");
    slow.health.slow_start = 450ms;
    slow.health.interval = 60s;  // so that steps come by themselves
    slow.health.fast_interval = 5ms;
    hooks_.initial = [](const Target&) { return Health::down; };
    check({slow});
    ASSERT_TRUE(becomes(Health::up));
    ASSERT_TRUE(run_until([&] { return record().weight_percent == 100; }));
    std::vector<std::uint32_t> weights;
    for (const Told& each : told_)
        weights.push_back(each.record.weight_percent);
    ASSERT_LE(weights.size(), 10U);
    EXPECT_EQ(weights.front(), 10U);
    EXPECT_EQ(weights.back(), 100U);
    EXPECT_TRUE(std::is_sorted(weights.begin(), weights.end()));
    EXPECT_EQ(std::adjacent_find(weights.begin(), weights.end()), weights.end());
    EXPECT_TRUE(told_.front().health_changed);
    EXPECT_FALSE(told_.back().health_changed);
}

TEST_F(CheckerVerdicts, ASlowStartGoesOnWithNewOptionsAndEndsWithRemoval) {
    Target slow = target("web1");
    slow.health.slow_start = 900ms;
    slow.health.interval = 60s;
    slow.health.fast_interval = 5ms;
    hooks_.initial = [](const Target&) { return Health::down; };
    check({slow});
    ASSERT_TRUE(run_until([&] { return record().weight_percent == 20; }));
    slow.health.path = "/other";
    check({slow});
    EXPECT_EQ(record().weight_percent, 20U);
    ASSERT_TRUE(run_until([&] { return record().weight_percent >= 30; }));
    check({});
    const std::size_t before = told_.size();
    run_for(300ms);
    EXPECT_EQ(told_.size(), before);
}

TEST_F(CheckerVerdicts, TakesAProgramsWordOnTheWeightSteadily) {
    std::uint32_t weight = 50;
    fake_.say = [&](const Target&, const Destination&) {
        Script script = good();
        script.outcome.weight_percent = weight;
        return script;
    };
    check({target("web1")});
    ASSERT_TRUE(becomes(Health::up));
    EXPECT_EQ(record().weight_percent, 50U);
    weight = 0;
    run_for(300ms);
    EXPECT_EQ(record().weight_percent, 50U) << "not another one so soon";
    EXPECT_EQ(told_.size(), 1U);
}

// A bug must not leave a target unwatched for ever without a word.
TEST_F(CheckerTest, AProbeThatCannotEvenBeMadeFailsAndIsTriedAgain) {
    int made = 0;
    checker_ = std::make_unique<Checker>(
        io_, hooks_,
        [&](boost::asio::io_context& io, ProbeResources& resources, const Target& target) {
            if (++made < 4) throw std::runtime_error("no memory\nleft");
            return maker(fake_)(io, resources, target);
        });
    check({target("web1")});
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_EQ(record().last->failure, Failure::local);
    EXPECT_EQ(record().last->words, "the probe ended with an error: no memory.left");
    EXPECT_TRUE(becomes(Health::up));
}

TEST_F(CheckerTest, WhatAProbeIsMadeOfFailsInOneLine) {
    checker_ = std::make_unique<Checker>(io_, hooks_,
                                         [](boost::asio::io_context&, ProbeResources&,
                                            const Target&) -> Result<std::unique_ptr<Probe>> {
                                             return failure("ca /a\n" + std::string(500, 'x'));
                                         });
    check({target("web1")});
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_LE(record().last->words.size(), 200U);
    EXPECT_EQ(record().last->words.find('\n'), std::string::npos);
}

TEST_F(CheckerTest, AnErrorOfAHookIsNotSwallowed) {
    hooks_.destination = [](const Target&) -> decltype(hooks_.destination({})) {
        throw std::logic_error("a bug");
    };
    check({target("web1")});
    EXPECT_THROW(run_until([] { return false; }, 5s), std::logic_error);
}

}  // namespace
}  // namespace bascule::health::testing
