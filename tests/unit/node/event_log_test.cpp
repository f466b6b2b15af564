// SPDX-License-Identifier: Apache-2.0
#include "node/event_log.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

using Kind = Event::Kind;

TEST(EventLog, NumbersFromOneWithoutGaps) {
    EventLog log;
    EXPECT_EQ(log.last_serial(), 0);
    EXPECT_EQ(log.first_kept(), 1);
    EXPECT_TRUE(log.since(0, 10).empty());
    log.add(Kind::backend_down, "web/web1", "HTTP 500");
    log.add(Kind::service_down, "web", "0 of 1 backends can serve");
    const auto all = log.since(0, 10);
    ASSERT_EQ(all.size(), 2);
    EXPECT_EQ(all[0].serial, 1);
    EXPECT_EQ(all[0].kind, Kind::backend_down);
    EXPECT_EQ(all[0].subject, "web/web1");
    EXPECT_EQ(all[0].text, "HTTP 500");
    EXPECT_EQ(all[1].serial, 2);
    EXPECT_LE(all[0].when, all[1].when);
}

TEST(EventLog, TellsWhatCameSince) {
    EventLog log;
    for (int i = 0; i < 5; i++)
        log.add(Kind::reload, "", "x");
    EXPECT_EQ(log.since(3, 10).size(), 2);
    EXPECT_EQ(log.since(3, 10).front().serial, 4);
    EXPECT_EQ(log.since(0, 2).back().serial, 2) << "the oldest first";
    EXPECT_TRUE(log.since(5, 10).empty());
    EXPECT_TRUE(log.since(~std::uint64_t{0}, 10).empty());
}

TEST(EventLog, KeepsABoundedNumber) {
    EventLog log;
    for (std::size_t i = 0; i < EventLog::most + 7; i++)
        log.add(Kind::reload, "", "x");
    EXPECT_EQ(log.last_serial(), EventLog::most + 7);
    EXPECT_EQ(log.first_kept(), 8);
    EXPECT_EQ(log.since(0, 5000).size(), EventLog::most);
}

TEST(EventLog, TellsItsListenerAtOnce) {
    EventLog log;
    std::vector<std::uint64_t> heard;
    log.set_listener([&](const Event& event) { heard.push_back(event.serial); });
    log.add(Kind::vip_given_up, "10.9.0.100", "x");
    log.add(Kind::vip_taken_back, "10.9.0.100", "x");
    EXPECT_EQ(heard, (std::vector<std::uint64_t>{1, 2}));
}

TEST(EventLog, SpeaksPlainly) {
    const auto words = [](Kind kind, const char* subject, const char* text) {
        return in_words({1, {}, kind, subject, text});
    };
    EXPECT_EQ(words(Kind::backend_down, "web/web1", "connection refused by 10.9.0.21 (RST)"),
              "backend web/web1 is down: connection refused by 10.9.0.21 (RST)");
    EXPECT_EQ(words(Kind::backend_up, "web/web1", "again after 12s"),
              "backend web/web1 is up again after 12s");
    EXPECT_EQ(words(Kind::path_down, "lb2 10.9.0.12:7400", "nothing is heard by it"),
              "path to lb2 10.9.0.12:7400 is down: nothing is heard by it");
    EXPECT_EQ(words(Kind::program_fought, "eth0", "10 times"),
              "eth0: the program is taken off 10 times");
    EXPECT_EQ(words(Kind::peer_dead, "lb2", "no heartbeat"), "peer lb2 is dead: no heartbeat");
    EXPECT_EQ(words(Kind::reload_refused, "", "the configuration has errors"),
              "reload: the configuration has errors");
    EXPECT_EQ(words(Kind::backend_down, "web/web1", "body lacks \"{}\""),
              "backend web/web1 is down: body lacks \"{}\"")
        << "what a backend says is no format";
}

TEST(EventLog, EveryKindHasANameOfItsOwn) {
    std::vector<std::string> names;
    for (int kind = 0; kind <= static_cast<int>(Kind::started); kind++)
        names.emplace_back(name_of(static_cast<Kind>(kind)));
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace bascule::node
