// SPDX-License-Identifier: Apache-2.0
// What becomes of targets and of what is under way when others are set, and at the end.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "checker_fixture.h"

namespace bascule::health::testing {
namespace {

using CheckerTargets = CheckerTest;

TEST_F(CheckerTargets, RemovalEndsAProbeAtOnce) {
    fake_.say = [](const Target&, const Destination&) { return Script{{}, 1h}; };
    Target patient = target("web1");
    patient.health.interval = patient.health.timeout = 600s;
    check({patient, target("web2")});
    ASSERT_TRUE(run_until([&] { return fake_.running == 2; }));
    check({target("web2")});
    EXPECT_EQ(checker_->find({"web", "web1"}), nullptr);
    EXPECT_EQ(checker_->all().size(), 1U);
    ASSERT_TRUE(run_until([&] { return fake_.cut_short == 1; }, 5s));
    ASSERT_TRUE(run_until([&] { return fake_.alive == 1; }, 5s));
    for (const Told& each : told_)
        EXPECT_EQ(each.record.target.name.second, "web2");
}

TEST_F(CheckerTargets, DestructionEndsAllAtOnce) {
    fake_.say = [](const Target&, const Destination&) { return Script{{}, 1h}; };
    std::vector<Target> targets;
    for (int i = 0; i < 50; ++i) {
        targets.push_back(target("web" + std::to_string(i)));
        targets.back().health.interval = targets.back().health.timeout = 600s;
    }
    for (Target& each : targets)
        each.health.interval = 60ms;
    check(targets);
    ASSERT_TRUE(run_until([&] { return fake_.running > 20; }));
    checker_.reset();
    io_.restart();
    io_.run();  // has nothing left to wait for, so it ends
    EXPECT_EQ(fake_.alive, 0);
    EXPECT_TRUE(told_.empty());
}

TEST_F(CheckerTargets, TheIoContextMayEndWithoutRunningAgain) {
    fake_.say = [](const Target&, const Destination&) { return Script{{}, 1h}; };
    {
        boost::asio::io_context io;
        Checker checker(io, hooks_, maker(fake_));
        Target patient = target("web1");
        patient.health.timeout = 600s;
        checker.set_targets({patient});
        while (fake_.running == 0)
            io.run_one_for(20ms);
    }
    EXPECT_EQ(fake_.alive, 0);
    fake_.running = 0;
}

TEST_F(CheckerTargets, NewOptionsKeepHealthAndHistory) {
    check({target("web1"), target("web2")});
    ASSERT_TRUE(run_until([&] { return checker_->all_judged(); }));
    const auto checks = record().checks;
    Target other = target("web1");
    other.health.type = model::ProbeType::http;
    other.health.interval = 45ms;
    check({other, target("web2")});
    EXPECT_EQ(record().health, Health::up);
    EXPECT_EQ(record().checks, checks);
    EXPECT_EQ(record().changes.size(), 1U);
    EXPECT_EQ(record().target, other);
    std::set<model::ProbeType> types;
    fake_.started = [&](const Target& target) {
        if (target.name.second == "web1") types.insert(target.health.type);
    };
    ASSERT_TRUE(run_until([&] { return record().checks > checks + 2; }));
    EXPECT_EQ(types, std::set{model::ProbeType::http});
    EXPECT_EQ(fake_.alive, 2);
}

TEST_F(CheckerTargets, NewOptionsEndAProbeUnderWayAndItsResultDoesNotCount) {
    fake_.say = [](const Target& target, const Destination&) {
        return Script{bad(Failure::refused, target.health.path).outcome, 200ms};
    };
    Target first = target("web1");
    first.health.interval = first.health.timeout = 10s;
    first.health.path = "/old";
    check({first});
    ASSERT_TRUE(run_until([&] { return fake_.running == 1; }));
    Target second = first;
    second.health.path = "/new";
    check({second});
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_EQ(record().reason, "/new");
    EXPECT_EQ(record().checks, 1U);
    EXPECT_EQ(fake_.cut_short, 1);
}

TEST_F(CheckerTargets, AnUnchangedTargetIsLeftAlone) {
    fake_.say = [](const Target&, const Destination&) { return Script{{}, 100ms}; };
    Target same = target("web1");
    same.health.interval = same.health.timeout = 10s;
    check({same});
    ASSERT_TRUE(run_until([&] { return fake_.running == 1; }));
    check({same});
    ASSERT_TRUE(becomes(Health::up));
    EXPECT_EQ(fake_.runs, 1);
    EXPECT_EQ(fake_.cut_short, 0);
}

TEST_F(CheckerTargets, AnotherBackendOfTheSameNameBeginsAnew) {
    check({target("web1")});
    ASSERT_TRUE(becomes(Health::up));
    Target other = target("web1");
    other.backend = *Address::parse("10.9.0.22");
    check({other});
    EXPECT_EQ(record().health, Health::checking);
    EXPECT_EQ(record().changes.size(), 0U);
    EXPECT_FALSE(checker_->all_judged());
    EXPECT_TRUE(becomes(Health::up));
}

TEST_F(CheckerTargets, OfTwoOfTheSameNameTheFirstCounts) {
    Target second = target("web1");
    second.backend_port = 81;
    check({target("web1"), second});
    EXPECT_EQ(checker_->all().size(), 1U);
    EXPECT_EQ(record().target.backend_port, 80);
    ASSERT_TRUE(becomes(Health::up));
    check({target("web1"), second});
    EXPECT_EQ(record().health, Health::up);
}

TEST_F(CheckerTargets, ListsByName) {
    check({target("web2"), target("web1"), target("web3")});
    std::vector<std::string> names;
    for (const Record* each : checker_->all())
        names.push_back(each->target.name.second);
    EXPECT_EQ(names, (std::vector<std::string>{"web1", "web2", "web3"}));
    EXPECT_EQ(checker_->find({"web", "web4"}), nullptr);
}

TEST_F(CheckerTargets, AFileThatWasReplacedCountsFromTheNextSetOn) {
    const std::string ca = ::testing::TempDir() + "bascule-ca-" + std::to_string(::getpid());
    std::ofstream(ca) << "one";
    int made = 0;
    checker_ = std::make_unique<Checker>(
        io_, hooks_,
        [&](boost::asio::io_context& io, ProbeResources& resources, const Target& target) {
            ++made;
            return maker(fake_)(io, resources, target);
        });
    Target https = target("web1");
    https.health.type = model::ProbeType::https;
    https.health.ca = ca;
    check({https});
    ASSERT_TRUE(becomes(Health::up));
    check({https});
    const auto checks = record().checks;
    ASSERT_TRUE(run_until([&] { return record().checks > checks + 1; }));
    EXPECT_EQ(made, 1);
    // As it is done right: written beside it, and put in its place. Of the same size, at once.
    std::ofstream(ca + ".new") << "two";
    std::rename((ca + ".new").c_str(), ca.c_str());
    check({https});
    EXPECT_EQ(record().health, Health::up);
    EXPECT_TRUE(run_until([&] { return made == 2; }));
    std::remove(ca.c_str());
    check({https});
    EXPECT_TRUE(run_until([&] { return made == 3; }));
}

}  // namespace
}  // namespace bascule::health::testing
