// SPDX-License-Identifier: Apache-2.0
// Moments, lines of events, rows with notes, and the arguments of `show health` and `events`.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "cli/moment.h"
#include "cli/options.h"
#include "cli/render_events.h"
#include "cli/render_health.h"
#include "cli/sheet.h"
#include "cli/table.h"

namespace bascule::cli {
namespace {

class Moments : public testing::Test {
protected:
    void SetUp() override {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
};

TEST_F(Moments, AreLocalTimesToTheSecond) {
    EXPECT_EQ(local_time(0), "-");
    EXPECT_EQ(local_time(1'700'000'000'999), "2023-11-14 22:13:20");
}

TEST(Spans, HaveADecimalBelowTenSeconds) {
    EXPECT_EQ(short_span(-1), "0.0s");
    EXPECT_EQ(short_span(0), "0.0s");
    EXPECT_EQ(short_span(499), "0.4s");
    EXPECT_EQ(short_span(9'999), "9.9s");
    EXPECT_EQ(short_span(10'000), "10s");
    EXPECT_EQ(short_span(252'000), "4m 12s");
}

TEST(Spans, DelaysHaveThreeDigits) {
    EXPECT_EQ(short_delay(0), "0.00ms");
    EXPECT_EQ(short_delay(1'234), "1.23ms");
    EXPECT_EQ(short_delay(12'345), "12.3ms");
    EXPECT_EQ(short_delay(123'456), "123ms");
    EXPECT_EQ(short_delay(1'234'567), "1.23s");
}

TEST(TableNotes, StandBelowTheirRowAndKeepToTheWidth) {
    Table table({{"NAME"}, {"STATE"}});
    table.add({{"a"}, {"down"}});
    table.note("a reason of many words that has no room in a row\x1b[2J");
    table.note("up", "12:00  ");
    table.add({{"b"}, {"up"}});
    EXPECT_EQ(table.to_string(30, false),
              "NAME  STATE\n"
              "a     down\n"
              "    a reason of many words\n"
              "    that has no room in a\n"
              "    row?[2J\n"
              "    12:00  up\n"
              "b     up\n");
}

TEST(SheetText, IsWrappedBesideItsLabel) {
    Sheet sheet(false);
    sheet.wrapped("Why", "one two three four five six seven", 40);
    sheet.wrapped("Changes", "up", 40, "12:00  ");
    EXPECT_EQ(sheet.text(),
              "Why            one two three four five\n"
              "               six seven\n"
              "Changes        12:00  up\n");
}

control::Event event(const std::string& kind, const std::string& subject, const std::string& text) {
    control::Event one;
    one.set_serial(7);
    one.set_unix_milliseconds(1'700'000'000'000);
    one.set_kind(kind);
    one.set_subject(subject);
    one.set_text(text);
    return one;
}

TEST_F(Moments, AnEventIsALineAndOnATerminalSeveral) {
    EXPECT_EQ(render_event(event("backend_down", "web/web1", "connection refused"), {}),
              "    7 2023-11-14 22:13:20 backend_down   web/web1: connection refused\n");
    EXPECT_EQ(render_event(event("reload", "", "2 changes"), {}),
              "    7 2023-11-14 22:13:20 reload         2 changes\n");
    EXPECT_EQ(render_event(event("started", "lb1", ""), {}),
              "    7 2023-11-14 22:13:20 started        lb1\n");
    Screen screen;
    screen.width = 64;
    screen.colours = true;
    EXPECT_EQ(render_event(event("backend_down", "web/web1", "connection refused"), screen),
              "    7 2023-11-14 22:13:20 \x1b[31mbackend_down   \x1b[0mweb/web1: connection\n"
              "                                         refused\n");
}

TEST(EventText, PeersThatComeAndGoHaveTheirColours) {
    Screen screen;
    screen.colours = true;
    for (const char* worse : {"peer_dead", "peer_unsynced", "peer_refused", "path_down"})
        EXPECT_NE(render_event(event(worse, "lb2", "why"), screen).find("\x1b[31m"),
                  std::string::npos)
            << worse;
    for (const char* better : {"peer_alive", "peer_synced", "path_up"})
        EXPECT_NE(render_event(event(better, "lb2", ""), screen).find("\x1b[32m"),
                  std::string::npos)
            << better;
}

TEST(HealthText, NoBackends) {
    EXPECT_EQ(render_health({}, {}), "no backends\n");
}

// What a newer daemon may say.
TEST(HealthText, UnknownWordsAreShownAsTheyAre) {
    control::HealthReport report;
    auto& health = *report.add_targets();
    health.set_service("web");
    health.set_backend("a");
    health.set_type("grpc");
    health.set_health("limping");
    EXPECT_NE(render_health(report, {}).find("web/a    grpc   limping"), std::string::npos)
        << render_health(report, {});
}

TEST(HealthText, ALastResultThatIsNotTheReasonIsToldToo) {
    control::HealthReport report;
    auto& health = *report.add_targets();
    health.set_health("down");
    health.set_reason("connection refused");
    health.set_last_unix_milliseconds(1);
    health.set_last_failure("status");
    health.set_last_words("HTTP 503");
    health.set_weight_percent(100);
    EXPECT_NE(render_health(report, {}).find("\n    connection refused\n    last: HTTP 503\n"),
              std::string::npos)
        << render_health(report, {});
}

TEST_F(Moments, OneThatIsHeldDownThoughItsChecksAreGoodIsNotInDoubt) {
    control::HealthReport report;
    auto& health = *report.add_targets();
    health.set_health("down");
    health.set_reason("HTTP 500");
    health.set_last_unix_milliseconds(1);
    health.set_last_ok(true);
    health.set_held_until_unix_milliseconds(1'700'000'000'000);
    health.set_needed(2);
    health.set_against(2);
    const std::string text = render_health(report, {});
    EXPECT_NE(text.find("\n    held down until 2023-11-14 22:13:20: its checks are good again, but "
                        "it has flapped\n"),
              std::string::npos)
        << text;
    EXPECT_EQ(text.find("in a row"), std::string::npos) << text;
    health.set_against(1);
    EXPECT_NE(render_health(report, {})
                  .find("\n    1 of 2 good results in a row\n"
                        "    held down until 2023-11-14 22:13:20: it has "
                        "flapped\n"),
              std::string::npos)
        << render_health(report, {});
}

TEST(HealthText, AProgramIsRunAndAPlaceIsAsked) {
    control::HealthReport report;
    auto& health = *report.add_targets();
    Screen screen;
    screen.detail = true;
    health.set_type("exec");
    health.set_to("/usr/local/lib/check");
    EXPECT_NE(render_health(report, screen).find("exec of /usr/local/lib/check,"),
              std::string::npos)
        << render_health(report, screen);
    health.set_type("icmp");
    health.set_to("10.9.0.21");
    EXPECT_NE(render_health(report, screen).find("icmp to 10.9.0.21,"), std::string::npos);
}

// The options, or nothing with the exit code.
std::optional<Options> parse(std::vector<std::string> words, int& code) {
    words.insert(words.begin(), "bascule");
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    auto options = parse_options(static_cast<int>(arguments.size()), arguments.data(), code);
    testing::internal::GetCapturedStderr();
    testing::internal::GetCapturedStdout();
    return options;
}

EventWatch events(const std::vector<std::string>& words) {
    int code = 0;
    const auto options = parse(words, code);
    const auto* task = options ? std::get_if<EventWatch>(&options->task) : nullptr;
    EXPECT_NE(task, nullptr) << code;
    return task != nullptr ? *task : EventWatch();
}

TEST(EventOptions, TheLimitDependsOnWhatIsAsked) {
    EXPECT_EQ(events({"events"}).start.limit(), 100U);
    EXPECT_FALSE(events({"events"}).follow);
    EXPECT_EQ(events({"events", "-f"}).start.limit(), 10U);
    EXPECT_TRUE(events({"events", "--follow"}).follow);
    EXPECT_EQ(events({"events", "-f", "--since", "5"}).start.limit(), 1000U);
    EXPECT_EQ(events({"events", "--since", "5"}).start.after(), 5U);
    EXPECT_EQ(events({"events", "--since", "5", "--limit", "3"}).start.limit(), 3U);
    EXPECT_EQ(events({"events", "--subject", "web"}).start.subject(), "web");
}

TEST(HealthOptions, OneThatIsNamedIsShownInDetail) {
    int code = 0;
    const auto all = parse({"show", "health"}, code);
    ASSERT_TRUE(all);
    EXPECT_FALSE(all->detail);
    EXPECT_EQ(all->command, "show health");
    const auto one = parse({"show", "health", "web/web1", "--history"}, code);
    ASSERT_TRUE(one);
    EXPECT_TRUE(one->detail);
    const auto& ask = std::get<Ask>(one->task).request.show_health();
    EXPECT_EQ(ask.backend(), "web/web1");
    EXPECT_TRUE(ask.history());
}

TEST(HealthOptions, WrongOnesAreUsage) {
    const std::vector<std::vector<std::string>> wrong = {
        {"show", "health", "a", "b"}, {"events", "--limit", "1001"},
        {"events", "--since", "-1"},  {"events", "web"},
        {"events", "--limit", "0"},   {"events", "--since", "abc"},
        {"events", "--since", ""},    {"events", "--since", "99999999999999999999"},
    };
    for (const auto& words : wrong) {
        int code = 0;
        EXPECT_FALSE(parse(words, code)) << testing::PrintToString(words);
        EXPECT_EQ(code, 2);
    }
}

}  // namespace
}  // namespace bascule::cli
