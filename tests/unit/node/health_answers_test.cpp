// SPDX-License-Identifier: Apache-2.0
#include "node/health_answers.h"

#include <gtest/gtest.h>

#include "node/views.h"
#include "tests/unit/node/config_text.h"

namespace bascule::node {
namespace {

using namespace testing;
using namespace std::chrono_literals;

constexpr const char* http = "[service.health]\ntype = \"http\"\ninterval = \"2s\"\n";

model::Config config(const std::string& health, const std::string& of_backend = {}) {
    return config_of(head_text() + service_text("web", 80, health) +
                     backend_text("web1", "10.9.0.21", of_backend));
}

std::string probed_by(const std::string& health, const std::string& of_backend = {}) {
    const auto all = config(health, of_backend);
    return probed(all.services[0], all.services[0].backends[0]);
}

TEST(Probed, IsWhatTheProbeConnectsTo) {
    EXPECT_EQ(probed_by(""), "");
    EXPECT_EQ(probed_by(http), "10.9.0.100:80");
    EXPECT_EQ(probed_by(std::string(http) + "via = \"address\"\nport = 8080\n"), "10.9.0.21:8080");
    EXPECT_EQ(probed_by(http, "check_address = \"2001:db8::21\"\n"), "[2001:db8::21]:80");
    EXPECT_EQ(probed_by("[service.health]\ntype = \"icmp\"\n"), "10.9.0.21");
    EXPECT_EQ(probed_by("[service.health]\ntype = \"exec\"\ncommand = [\"/bin/true\", \"x\"]\n"),
              "/bin/true");
}

class HealthMessage : public ::testing::Test {
protected:
    BackendView view(health::Health health) {
        BackendView view;
        view.service = &config_.services[0];
        view.backend = &config_.services[0].backends[0];
        view.health = health;
        view.condition =
            health == health::Health::down ? BackendCondition::down : BackendCondition::up;
        return view;
    }
    static std::chrono::system_clock::time_point at(std::int64_t milliseconds) {
        return std::chrono::system_clock::time_point(std::chrono::milliseconds(milliseconds));
    }

    model::Config config_ = config(http);
};

TEST_F(HealthMessage, TellsTheWholeRecord) {
    health::Record record;
    record.health = health::Health::down;
    record.weight_percent = 40;
    record.since = at(1'700'000'000'123);
    record.reason = "refused";
    record.last = health::Outcome{health::Failure::timed_out, "no answer", {}, "it warns"};
    record.last_at = at(1'700'000'001'000);
    record.last_duration = 1234us;
    record.next_at = at(1'700'000'002'000);
    record.against = 1;
    record.needed = 2;
    record.held_until = at(1'700'000'003'000);
    record.checks = 10;
    record.failures = 7;
    record.changes.push_back({at(1'700'000'000'123), health::Health::down, "refused"});

    const auto message = health_message(view(health::Health::down), &record, true);
    EXPECT_EQ(message.service(), "web");
    EXPECT_EQ(message.backend(), "web1");
    EXPECT_EQ(message.type(), "http");
    EXPECT_EQ(message.via(), "vip");
    EXPECT_EQ(message.to(), "10.9.0.100:80");
    EXPECT_EQ(message.health(), "down");
    EXPECT_EQ(message.state(), control::BACKEND_DOWN);
    EXPECT_EQ(message.reason(), "refused");
    EXPECT_EQ(message.since_unix_milliseconds(), 1'700'000'000'123);
    EXPECT_FALSE(message.last_ok());
    EXPECT_EQ(message.last_failure(), "timed_out");
    EXPECT_EQ(message.last_words(), "no answer");
    EXPECT_EQ(message.warning(), "it warns");
    EXPECT_EQ(message.last_unix_milliseconds(), 1'700'000'001'000);
    EXPECT_EQ(message.last_microseconds(), 1234U);
    EXPECT_EQ(message.next_unix_milliseconds(), 1'700'000'002'000);
    EXPECT_EQ(message.against(), 1U);
    EXPECT_EQ(message.needed(), 2U);
    EXPECT_EQ(message.held_until_unix_milliseconds(), 1'700'000'003'000);
    EXPECT_EQ(message.checks(), 10U);
    EXPECT_EQ(message.failures(), 7U);
    EXPECT_EQ(message.weight_percent(), 40U);
    EXPECT_EQ(message.interval_milliseconds(), 2000U);
    EXPECT_EQ(message.timeout_milliseconds(), 500U);
    ASSERT_EQ(message.changes_size(), 1);
    EXPECT_EQ(message.changes(0).to(), "down");
    EXPECT_EQ(message.changes(0).reason(), "refused");
    EXPECT_EQ(health_message(view(health::Health::down), &record, false).changes_size(), 0);
}

TEST_F(HealthMessage, WithoutAResultThereAreNoTimes) {
    const health::Record fresh;
    const auto message = health_message(view(health::Health::checking), &fresh, true);
    EXPECT_EQ(message.health(), "checking");
    EXPECT_EQ(message.last_unix_milliseconds(), 0);
    EXPECT_EQ(message.next_unix_milliseconds(), 0);
    EXPECT_EQ(message.last_failure(), "");
}

TEST_F(HealthMessage, AnUncheckedOneHasNoCheck) {
    config_ = config("");
    const auto message = health_message(view(health::Health::unchecked), nullptr, true);
    EXPECT_EQ(message.type(), "none");
    EXPECT_EQ(message.health(), "unchecked");
    EXPECT_EQ(message.via(), "");
    EXPECT_EQ(message.interval_milliseconds(), 0U);
    EXPECT_EQ(message.weight_percent(), 100U);
}

TEST_F(HealthMessage, ReasonsOfStates) {
    BackendView one = view(health::Health::down);
    one.reason = "connection refused";
    EXPECT_EQ(reason_of(one), "connection refused");
    one.reason.clear();
    EXPECT_EQ(reason_of(one), "its checks fail");
    one.condition = BackendCondition::checking;
    EXPECT_EQ(reason_of(one), "its first check has not ended yet");
    one.condition = BackendCondition::up;
    one.weight = 100;
    EXPECT_EQ(reason_of(one), "");
    one.weight = 30;
    EXPECT_EQ(reason_of(one), "takes 30 of its weight of 100, as its checks have it");
    OperatorWord word;
    word.weight = 30;
    one.word = &word;
    EXPECT_EQ(reason_of(one), "") << "all of what the operator gave it";
}

}  // namespace
}  // namespace bascule::node
