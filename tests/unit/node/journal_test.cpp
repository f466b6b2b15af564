// SPDX-License-Identifier: Apache-2.0
#include "node/journal.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bascule::node {
namespace {

using Kind = Event::Kind;

std::vector<std::string> fields_of(Kind kind, const std::string& subject) {
    return journal_fields({1, {}, kind, subject, "why"}, spdlog::level::warn);
}

bool has(const std::vector<std::string>& fields, const std::string& field) {
    return std::find(fields.begin(), fields.end(), field) != fields.end();
}

TEST(Journal, SaysAllOfAnEvent) {
    const std::vector<std::string> expected = {
        "MESSAGE=backend web/web1 is down: why",
        "PRIORITY=4",
        "SYSLOG_IDENTIFIER=basculed",
        "BASCULE_EVENT=backend_down",
        "BASCULE_SUBJECT=web/web1",
        "BASCULE_TEXT=why",
        "BASCULE_SERVICE=web",
        "BASCULE_BACKEND=web1",
    };
    EXPECT_EQ(fields_of(Kind::backend_down, "web/web1"), expected);
}

TEST(Journal, SaysWhatTheSubjectIs) {
    EXPECT_TRUE(has(fields_of(Kind::vip_taken, "fd00::1"), "BASCULE_VIP=fd00::1"));
    EXPECT_TRUE(has(fields_of(Kind::service_down, "web"), "BASCULE_SERVICE=web"));
    EXPECT_TRUE(has(fields_of(Kind::peer_dead, "lb2"), "BASCULE_PEER=lb2"));
    EXPECT_TRUE(has(fields_of(Kind::path_down, "lb2 10.9.0.12:7400"), "BASCULE_PEER=lb2"));
    EXPECT_EQ(fields_of(Kind::reload, "").size(), 6u);
}

TEST(Journal, PrioritiesAreThoseOfSyslog) {
    const Event event{1, {}, Kind::reload_refused, "", "why"};
    EXPECT_TRUE(has(journal_fields(event, spdlog::level::err), "PRIORITY=3"));
    EXPECT_TRUE(has(journal_fields(event, spdlog::level::info), "PRIORITY=6"));
}

TEST(Journal, ElsewhereNothingIsLogged) {
    EXPECT_FALSE(log_to_journal({1, {}, Kind::reload, "", "why"}, spdlog::level::info));
}

}  // namespace
}  // namespace bascule::node
