// SPDX-License-Identifier: Apache-2.0
// What the checker makes of a probe by the VIP that failed: the data plane's word, else a second
// look at the backend's own address.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "checker_fixture.h"

namespace bascule::health::testing {
namespace {

class CheckerSecondLook : public CheckerTest {
protected:
    static Target by_vip(const std::string& backend) {
        Target by_vip = target(backend);
        by_vip.health.via = model::Via::vip;
        return by_vip;
    }
    static bool is_second(const Target& target) { return target.health.via == model::Via::address; }
    // By the VIP nothing answers; on its own address the port does.
    void vip_is_silent() {
        fake_.say = [this](const Target& target, const Destination&) {
            if (!is_second(target)) return bad(Failure::timed_out, "no connection within 30ms");
            ++second_;
            return good("connected");
        };
    }

    int second_ = 0;
    const std::string found_ =
        "no answer for the VIP, but 10.9.0.21:80 answers: is the VIP on its loopback, or does a "
        "firewall drop it?";
};

TEST_F(CheckerSecondLook, ExplainsATimeOutOnce) {
    vip_is_silent();
    check({by_vip("web1")});
    ASSERT_TRUE(run_until([&] { return record().checks == 5; }));
    EXPECT_EQ(second_, 1) << "its words are those of the time-outs that follow";
    EXPECT_EQ(record().reason, found_);
    EXPECT_EQ(record().last->words, found_);
    EXPECT_EQ(record().last->failure, Failure::timed_out);
}

TEST_F(CheckerSecondLook, IsInTimeForTheVerdict) {
    check({by_vip("web1")});
    ASSERT_TRUE(becomes(Health::up));
    vip_is_silent();
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_EQ(told_.back().record.reason, found_);
    EXPECT_EQ(record().changes.back().reason, found_);
}

TEST_F(CheckerSecondLook, IsToldWhenItComesAfterTheVerdict) {
    fake_.say = [](const Target& target, const Destination&) {
        if (!is_second(target)) return bad(Failure::timed_out, "no connection within 30ms");
        return Script{good().outcome, 20ms};
    };
    check({by_vip("web1")});
    ASSERT_TRUE(becomes(Health::down));
    EXPECT_EQ(told_.size(), 1U);
    ASSERT_TRUE(run_until([&] { return told_.size() == 2; }));
    EXPECT_EQ(told_.back().record.reason, found_);
    EXPECT_FALSE(told_.back().health_changed);
}

TEST_F(CheckerSecondLook, IsTakenAnewForAnotherStreak) {
    vip_is_silent();
    check({by_vip("web1")});
    ASSERT_TRUE(run_until([&] { return second_ == 1 && record().reason == found_; }));
    fake_.say = [](const Target&, const Destination&) { return good(); };
    ASSERT_TRUE(becomes(Health::up));
    EXPECT_EQ(record().reason, "");
    vip_is_silent();
    ASSERT_TRUE(run_until([&] { return second_ == 2; }));
}

TEST_F(CheckerSecondLook, DoesNotDelayProbes) {
    fake_.say = [&](const Target& target, const Destination&) {
        if (!is_second(target)) return bad(Failure::timed_out, "no connection");
        ++second_;
        return Script{{}, 1h};
    };
    Target patient = by_vip("web1");
    patient.health.timeout = 5s;
    check({patient});
    ASSERT_TRUE(run_until([&] { return record().checks == 20; }, 4s));
    EXPECT_EQ(second_, 1);
    EXPECT_EQ(record().reason, "no connection");
}

TEST_F(CheckerSecondLook, EndsWithItsTarget) {
    fake_.say = [&](const Target& target, const Destination&) {
        if (!is_second(target)) return bad(Failure::timed_out, "no connection");
        return Script{{}, 1h};
    };
    Target patient = by_vip("web1");
    patient.health.timeout = 600s;
    check({patient});
    ASSERT_TRUE(run_until([&] { return fake_.running == 1; }));
    check({});
    ASSERT_TRUE(run_until([&] { return fake_.alive == 0; }, 5s));
    EXPECT_EQ(fake_.cut_short, 1);
}

TEST_F(CheckerSecondLook, IsBoundedInNumber) {
    int most = 0;
    fake_.say = [&](const Target& target, const Destination&) {
        if (!is_second(target)) return bad(Failure::timed_out, "no connection");
        most = std::max(most, ++second_);
        return Script{{}, 1h};
    };
    std::vector<Target> targets;
    for (int i = 0; i < 100; ++i) {
        targets.push_back(by_vip("web" + std::to_string(i)));
        targets.back().health.timeout = 600s;
    }
    check(targets);
    ASSERT_TRUE(run_until([&] { return record("web0").checks > 3 && record("web99").checks > 3; }));
    EXPECT_EQ(most, static_cast<int>(Checker::most_second_looks));
}

TEST_F(CheckerSecondLook, TheDataPlanesWordComesFirst) {
    vip_is_silent();
    hooks_.explain = [](const Target& target, const Outcome& outcome) -> std::optional<Outcome> {
        EXPECT_EQ(target.name.second, "web1");
        EXPECT_EQ(outcome.failure, Failure::timed_out);
        return bad(Failure::unreachable, "protocol 4 unreachable, says 10.9.0.31").outcome;
    };
    check({by_vip("web1")});
    ASSERT_TRUE(run_until([&] { return record().checks == 5; }));
    EXPECT_EQ(record().reason, "protocol 4 unreachable, says 10.9.0.31");
    EXPECT_EQ(record().last->failure, Failure::unreachable);
    EXPECT_EQ(second_, 0);
}

TEST_F(CheckerSecondLook, IsForProbesByTheVipAlone) {
    bool asked = false;
    hooks_.explain = [&](const Target&, const Outcome&) -> std::optional<Outcome> {
        asked = true;
        return std::nullopt;
    };
    fake_.say = [](const Target&, const Destination&) {
        return bad(Failure::timed_out, "no connection");
    };
    check({target("web1")});
    ASSERT_TRUE(run_until([&] { return record().checks == 5; }));
    EXPECT_FALSE(asked);
    EXPECT_EQ(fake_.most_running, 1);
    EXPECT_EQ(fake_.runs, static_cast<int>(record().checks));
}

TEST_F(CheckerSecondLook, IsForTimeOutsAlone) {
    fake_.say = [&](const Target& target, const Destination&) {
        if (is_second(target)) ++second_;
        return bad(Failure::refused, "refused");
    };
    check({by_vip("web1")});
    ASSERT_TRUE(run_until([&] { return record().checks == 5; }));
    EXPECT_EQ(second_, 0);
}

}  // namespace
}  // namespace bascule::health::testing
