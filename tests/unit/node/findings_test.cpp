// SPDX-License-Identifier: Apache-2.0
#include "node/findings.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

WayFacts tunnel(const char* service, std::uint16_t mtu) {
    WayFacts way;
    way.service = service;
    way.interface = "eth0";
    way.mtu = mtu;
    way.overhead = 20;
    way.arrival_mtu = 1500;
    return way;
}

TEST(Findings, NothingIsFoundWhereAllIsWell) {
    EXPECT_TRUE(findings({}).empty());
    Facts facts;
    facts.devices.push_back({"eth0", true, {}});             // no VLAN above it
    facts.devices.push_back({"eth1", false, {"eth1.100"}});  // the tags stay on
    facts.ways.push_back(tunnel("web", 1520));
    EXPECT_TRUE(findings(facts).empty());
}

TEST(Findings, ANicThatTakesOffTagsThatAreNeeded) {
    Facts facts;
    facts.devices.push_back({"eth0", true, {"eth0.100 (VIP 10.9.0.100)"}});
    const auto found = findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0],
              (Finding{Finding::Level::problem,
                       "eth0 takes VLAN tags off before XDP sees them: needed by eth0.100 (VIP "
                       "10.9.0.100)",
                       "ethtool -K eth0 rxvlan off"}));
}

TEST(Findings, ManyThatNeedTagsAreOneFinding) {
    Facts facts;
    facts.devices.push_back({"eth0", true, {"a", "b", "c", "d", "e"}});
    const auto found = findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_NE(found[0].what.find("needed by a, b, c and 2 more"), std::string::npos);
}

TEST(Findings, ATunnelOverAnOrdinaryWayIsANoticeOnce) {
    Facts facts;
    for (const char* service : {"web", "web", "api"})
        facts.ways.push_back(tunnel(service, 1500));
    const auto found = findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0],
              (Finding{Finding::Level::notice,
                       "api, web: clients' packets over 1480 bytes are refused with \"too big\": "
                       "the way by eth0 carries 1500, 20 of them for the tunnel",
                       "let the way carry 1520 bytes; TCP is spared where bascule-backend runs on "
                       "the servers"}));
}

TEST(Findings, ANarrowWayWithoutATunnel) {
    Facts facts;
    facts.ways.push_back(tunnel("web", 1400));
    facts.ways[0].overhead = 0;
    facts.ways[0].interface = "eth1";
    const auto found = findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0].what,
              "web: clients' packets over 1400 bytes are refused with \"too big\": the way by eth1 "
              "carries 1400");
    EXPECT_TRUE(found[0].mend.starts_with("let the way carry 1500 bytes;")) << found[0].mend;
}

TEST(Findings, DifferentWaysAreDifferentCauses) {
    Facts facts;
    facts.ways.push_back(tunnel("web", 1500));
    facts.ways.push_back(tunnel("web", 1450));
    EXPECT_EQ(findings(facts).size(), 2);
}

// What cannot carry a packet at all is said by the backend itself.
TEST(Findings, AnImpossibleWayIsNotReckonedWith) {
    Facts facts;
    facts.ways.push_back(tunnel("web", 40));
    facts.ways.push_back(tunnel("web", 0));
    EXPECT_TRUE(findings(facts).empty());
}

TEST(Findings, AFamilyWithoutARouteSaysWhatIsMissing) {
    Facts facts;
    facts.families = {{false, 3, 2, {}}, {true, 0, 0, {"eth0"}}};
    EXPECT_TRUE(findings(facts).empty()) << "one of them is reached; there are none";
    facts.families = {{true, 3, 3, {"eth0"}}};
    auto found = findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0].level, Finding::Level::problem);
    EXPECT_EQ(found[0].what,
              "no IPv6 backend can be reached: this host has no route to any of them, and eth0 has "
              "no IPv6 address");
    EXPECT_NE(found[0].mend.find("Linux takes IPv6 addresses away"), std::string::npos)
        << found[0].mend;
    facts.families = {{false, 1, 1, {}}};
    found = findings(facts);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0].what,
              "no IPv4 backend can be reached: this host has no route to any of them");
    EXPECT_EQ(found[0].mend, "`ip -4 address`, `ip -4 route`");
}

}  // namespace
}  // namespace bascule::node
