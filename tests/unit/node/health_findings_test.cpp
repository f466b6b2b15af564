// SPDX-License-Identifier: Apache-2.0
#include "node/health_findings.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bascule::node {
namespace {

using Level = Finding::Level;

ServiceFacts service(const std::string& name, std::uint32_t backends, std::uint32_t serving) {
    ServiceFacts facts;
    facts.name = name;
    facts.backends = backends;
    facts.serving = facts.able = serving;
    facts.below_quorum = serving == 0;
    return facts;
}

BackendFacts down(const std::string& of, int number, const std::string& reason) {
    BackendFacts facts;
    facts.service = of;
    facts.name = "web" + std::to_string(number);
    facts.address = "10.9.0." + std::to_string(20 + number);
    facts.reason = reason;
    facts.down = true;
    facts.for_seconds = 250;
    return facts;
}

BackendFacts refused(const std::string& of, int number) {
    return down(of, number,
                "connection refused by 10.9.0." + std::to_string(20 + number) + " (RST)");
}

// That its problems take where they are shown.
std::size_t lines(const std::vector<Finding>& found) {
    std::size_t count = 0;
    for (const auto& one : found)
        if (one.level == Level::problem) count += one.mend.empty() ? 1 : 2;
    return count;
}

TEST(HealthFindings, NothingIsFoundWhereAllIsWell) {
    HealthFacts facts;
    facts.services.push_back(service("web", 3, 3));
    facts.path_problem = "there is no veth";  // and nobody needs it
    EXPECT_TRUE(health_findings(facts).empty());
}

TEST(HealthFindings, OneThatIsDownIsNamedWithItsReason) {
    HealthFacts facts;
    facts.services.push_back(service("web", 3, 2));
    facts.backends.push_back(refused("web", 1));
    const auto found = health_findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0], (Finding{Level::problem,
                                 "backend web/web1 (10.9.0.21) is down for 4m: connection refused "
                                 "by 10.9.0.21 (RST)",
                                 ""}));
}

TEST(HealthFindings, OneThatCannotBeReachedIsNamedAsWell) {
    HealthFacts facts;
    facts.services.push_back(service("web", 3, 2));
    BackendFacts silent = refused("web", 1);
    silent.down = false;
    silent.reason = "no answer to ARP";
    facts.backends.push_back(silent);
    const auto found = health_findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0].what, "backend web/web1 (10.9.0.21): no answer to ARP");
}

TEST(HealthFindings, AServiceThatNobodyServesComesFirst) {
    HealthFacts facts;
    facts.services.push_back(service("api", 2, 1));
    facts.services.push_back(service("web", 2, 0));
    facts.services[1].down = 1;
    facts.services[1].by_operator = 1;
    facts.services[1].given_up_vip = "10.9.0.100";
    facts.backends.push_back(refused("api", 1));
    facts.backends.push_back(refused("web", 2));
    const auto found = health_findings(facts);
    ASSERT_EQ(found.size(), 3);
    EXPECT_EQ(found[0], (Finding{Level::problem,
                                 "service web: no backend takes new flows (1 down by its checks, "
                                 "1 taken out by the operator or weight 0); VIP 10.9.0.100 is "
                                 "given up",
                                 "bascule show health web"}));
    EXPECT_TRUE(found[1].what.starts_with("backend web/web2")) << found[1].what;
    EXPECT_TRUE(found[2].what.starts_with("backend api/web1")) << found[2].what;
}

TEST(HealthFindings, AServiceBelowItsQuorum) {
    HealthFacts facts;
    facts.services.push_back(service("web", 3, 1));
    facts.services[0].quorum = 2;
    facts.services[0].below_quorum = true;
    facts.services[0].unreachable = 2;
    const auto found = health_findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0],
              (Finding{Level::problem,
                       "service web: 1 of 3 backends can serve, its quorum is 2: it takes "
                       "no new flows (2 cannot be reached)",
                       "bascule show backends --service web"}));
}

TEST(HealthFindings, OnlyBackupsServe) {
    HealthFacts facts;
    for (const char* name : {"web", "api"}) {
        facts.services.push_back(service(name, 3, 1));
        facts.services.back().on_backups = true;
    }
    const auto both = health_findings(facts);
    ASSERT_EQ(both.size(), 1);
    EXPECT_EQ(both[0].what, "2 services: only backups serve: web, api");
    facts.services.pop_back();
    EXPECT_EQ(health_findings(facts)[0].what, "service web: only backups serve");
}

TEST(HealthFindings, BackendsThatFailAlikeAreOneFinding) {
    HealthFacts facts;
    facts.services.push_back(service("web", 6, 1));
    for (int i = 1; i <= 4; ++i)
        facts.backends.push_back(refused("web", i));
    facts.backends.push_back(down("web", 5, "HTTP 500 Internal Server Error"));
    const auto found = health_findings(facts);
    ASSERT_EQ(found.size(), 2);
    EXPECT_EQ(found[0].what,
              "service web: 4 backends are down (web1, web2, web3 and 1 more); web1 (10.9.0.21) is "
              "down for 4m: connection refused by 10.9.0.21 (RST)");
    EXPECT_TRUE(found[1].what.starts_with("backend web/web5 (10.9.0.25) is down")) << found[1].what;
}

TEST(HealthFindings, AFlappingOneSaysHowLongItIsHeld) {
    HealthFacts facts;
    facts.services.push_back(service("web", 2, 1));
    facts.backends.push_back(refused("web", 1));
    facts.backends[0].held_seconds = 40;
    EXPECT_TRUE(health_findings(facts)[0].what.starts_with(
        "backend web/web1 (10.9.0.21) is down for 4m and held down for 40s more, as it has "
        "flapped: "))
        << health_findings(facts)[0].what;
}

// A dead switch: what is wrong and why still stands on one screen of 24 lines.
TEST(HealthFindings, ThousandsAreAFewLines) {
    HealthFacts facts;
    facts.path_problem = "bscp0 is gone";
    facts.path_wanted = true;
    for (int s = 0; s < 100; ++s) {
        const std::string name = "service" + std::to_string(s);
        facts.services.push_back(service(name, 100, 0));
        facts.services.back().down = 100;
        for (int i = 0; i < 100; ++i) {
            facts.backends.push_back(refused(name, i));
            BackendFacts silent = down(name, i, "no answer to ARP");
            silent.down = false;
            facts.backends.push_back(silent);
            facts.warnings.push_back({name, "expires in " + std::to_string(i) + " days"});
        }
    }
    const auto found = health_findings(facts);
    EXPECT_LE(lines(found), 20);
    std::vector<std::string> whats;
    for (const auto& one : found)
        whats.push_back(one.what);
    const auto told = [&](const std::string& what) {
        return std::find(whats.begin(), whats.end(), what) != whats.end();
    };
    EXPECT_TRUE(told("97 more services take no new flows"));
    EXPECT_TRUE(told("9700 more backends are down by their checks"));
    EXPECT_TRUE(told("9700 more backends cannot be reached"));
    EXPECT_TRUE(told("97 more warnings of checks"));
}

TEST(HealthFindings, AProblemOfTheProbesPathIsOnlyThatOfChecksByAVip) {
    HealthFacts facts;
    facts.services.push_back(service("web", 1, 1));
    facts.path_problem = "bscp0: no such interface";
    facts.path_wanted = true;
    const auto found = health_findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0].level, Level::problem);
    EXPECT_EQ(found[0].what, "checks by a VIP cannot be sent: bscp0: no such interface");
}

// Whoever drains a server may switch it off then.
TEST(HealthFindings, ADrainedOneThatIsDownIsANotice) {
    HealthFacts facts;
    facts.services.push_back(service("web", 3, 2));
    facts.backends.push_back(refused("web", 1));
    facts.backends[0].drained = true;
    const auto found = health_findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0], (Finding{Level::notice,
                                 "drained by the operator, and down by the checks: web/web1", ""}));
}

TEST(HealthFindings, WarningsAreNoticesAndThoseAlikeOne) {
    HealthFacts facts;
    facts.services.push_back(service("web", 5, 5));
    for (const char* name : {"web/a", "web/b", "web/c", "web/d"})
        facts.warnings.push_back({name, "certificate expires in 9 days"});
    const auto found = health_findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0],
              (Finding{Level::notice,
                       "web/a, web/b, web/c and 1 more: certificate expires in 9 days", ""}));
}

TEST(HealthFindings, TheHooksTroublesAreNotices) {
    HealthFacts facts;
    facts.hook_failures = 3;
    facts.hook_dropped = 5;
    const auto found = health_findings(facts);
    ASSERT_EQ(found.size(), 2);
    EXPECT_EQ(found[0].level, Level::notice);
    EXPECT_EQ(found[0].what, "the hook has failed 3 times");
    facts.hook_failures = facts.hook_dropped = 1;
    EXPECT_EQ(health_findings(facts)[0].what, "the hook has failed once");
    EXPECT_EQ(health_findings(facts)[1].what,
              "1 change was not told to the hook: it is too slow for them");
    EXPECT_EQ(found[1].what, "5 changes were not told to the hook: it is too slow for them");
}

}  // namespace
}  // namespace bascule::node
