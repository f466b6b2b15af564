// SPDX-License-Identifier: Apache-2.0
// A checker whose probes find what the test says. Single-threaded.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fake_probe.h"
#include "health/checker.h"

namespace bascule::health::testing {

using namespace std::chrono_literals;

inline Target target(const std::string& backend) {
    Target target;
    target.name = {"web", backend};
    target.backend = *Address::parse("10.9.0.21");
    target.backend_port = 80;
    target.vip = *Address::parse("10.9.0.100");
    target.vip_port = 80;
    target.health.type = model::ProbeType::tcp;
    target.health.interval = 40ms;
    target.health.fast_interval = 10ms;
    target.health.timeout = 30ms;
    return target;
}

struct Told {
    Record record;
    bool health_changed;
};

class CheckerTest : public ::testing::Test {
protected:
    CheckerTest() {
        hooks_.destination = [](const Target& target) {
            return Destination{target.backend, target.backend_port, {}};
        };
        hooks_.on_change = [this](const Record& record, bool health_changed) {
            told_.push_back({record, health_changed});
        };
    }
    ~CheckerTest() override {
        checker_.reset();
        EXPECT_TRUE(run_until([&] { return fake_.alive == 0; })) << fake_.alive;
        EXPECT_EQ(fake_.running, 0);
    }

    void check(std::vector<Target> targets) {
        if (!checker_) checker_ = std::make_unique<Checker>(io_, hooks_, maker(fake_));
        checker_->set_targets(std::move(targets));
    }

    template <typename Until>
    bool run_until(Until done, std::chrono::seconds limit = 20s) {
        const auto end = Clock::now() + limit;
        while (!done()) {
            if (Clock::now() > end) return false;
            io_.restart();
            if (io_.run_one_for(20ms) == 0) std::this_thread::sleep_for(1ms);
        }
        return true;
    }
    void run_for(std::chrono::milliseconds time) {
        const auto end = Clock::now() + time;
        run_until([&] { return Clock::now() >= end; });
    }

    const Record& record(const std::string& backend = "web1") {
        const Record* found = checker_->find({"web", backend});
        if (found == nullptr) throw std::runtime_error("no record of " + backend);
        return *found;
    }
    bool becomes(Health health) {
        return run_until([&] { return record().health == health; });
    }
    void always(const Script& script) {
        fake_.say = [script](const Target&, const Destination&) { return script; };
    }

    boost::asio::io_context io_;
    Fake fake_;
    Checker::Hooks hooks_;
    std::vector<Told> told_;
    std::unique_ptr<Checker> checker_;
};

}  // namespace bascule::health::testing
