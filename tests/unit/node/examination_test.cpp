// SPDX-License-Identifier: Apache-2.0
#include "node/examination.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

namespace bascule::node {
namespace {

using Result = DoctorCheck::Result;

DoctorCheck check_of(const Examination& examination, std::string_view code) {
    for (const DoctorCheck& check : examination.checks())
        if (check.entry->code == code) return check;
    ADD_FAILURE() << "no check " << code;
    return {};
}

TEST(Examination, EveryCodeHasAResult) {
    Examination examination;
    examination.look("lro-on");
    examination.spare("vlan-stripped", "no VLAN");
    examination.fail("rp-filter", "no such file");
    examination.found("clock-skew", "lb2 is 2 s ahead");
    EXPECT_EQ(check_of(examination, "lro-on").result, Result::well);
    EXPECT_EQ(check_of(examination, "vlan-stripped").result, Result::not_needed);
    EXPECT_EQ(check_of(examination, "vlan-stripped").why, "no VLAN");
    EXPECT_EQ(check_of(examination, "rp-filter").result, Result::not_made);
    EXPECT_EQ(check_of(examination, "clock-skew").result, Result::found);
    EXPECT_EQ(check_of(examination, "peer-ring").result, Result::not_made) << "nobody looked";
    std::size_t codes = 0;
    for (const DoctorGroup& group : doctor_catalogue())
        codes += group.entries.size();
    EXPECT_EQ(examination.checks().size(), codes);
}

TEST(Examination, WhatIsMadeInPartSaysSo) {
    Examination examination;
    examination.fail("lro-on", "eth1 does not tell");
    examination.look("lro-on");
    examination.spare("lro-on", "never mind");
    EXPECT_EQ(check_of(examination, "lro-on").result, Result::well);
    EXPECT_EQ(check_of(examination, "lro-on").why, "eth1 does not tell");
}

TEST(Examination, ProblemsComeFirst) {
    Examination examination;
    examination.found("way-narrow", "a", {{"interface", "eth0"}, {"mtu", "1520"}});
    examination.found("clock-skew", "b");
    examination.found("peer-ring", "c");
    std::string order;
    for (const DoctorFinding& finding : examination.findings())
        order += finding.what;
    EXPECT_EQ(order, "cba");
}

TEST(Examination, CommandsAreFilledInAndSafeToBePasted) {
    Examination examination;
    examination.found("lro-on", "eth0", {{"interface", "eth0"}});
    examination.found("key-open", "key", {{"file", "/etc/my keys/it's"}});
    examination.found("link-down", "bad", {{"interface", "$(reboot)"}});
    std::set<std::string> commands;
    for (const DoctorFinding& finding : examination.findings())
        commands.insert(finding.command);
    EXPECT_TRUE(commands.contains("ethtool -K eth0 lro off"));
    EXPECT_TRUE(commands.contains("chmod 600 '/etc/my keys/it'\\''s'"));
    EXPECT_TRUE(commands.contains("ip link set '$(reboot)' up"));
}

TEST(Examination, SlipsAreBugs) {
    Examination examination;
    EXPECT_THROW(examination.look("no-such-code"), std::logic_error);
    EXPECT_THROW(examination.found("lro-on", "eth0"), std::logic_error);
}

TEST(Examination, ManyOfAKindAreCounted) {
    Examination examination;
    for (std::size_t i = 0; i < Examination::most_of_a_code + 3; ++i)
        examination.found("peer-ring", "peer " + std::to_string(i));
    const auto findings = examination.findings();
    EXPECT_EQ(findings.size(), Examination::most_of_a_code);
    EXPECT_EQ(findings.back().what, "peer 7 (and 3 more of this kind)");
}

TEST(Examination, TheRestIsNotMadeForOneReason) {
    Examination examination;
    examination.look("lro-on");
    examination.spare_group("The cluster", "no [cluster]");
    examination.fail_rest("the configuration has errors");
    EXPECT_EQ(check_of(examination, "lro-on").result, Result::well);
    EXPECT_EQ(check_of(examination, "peer-ring").result, Result::not_needed);
    EXPECT_EQ(check_of(examination, "xdp-foreign").result, Result::not_made);
    EXPECT_EQ(check_of(examination, "xdp-foreign").why, "the configuration has errors");
}

TEST(DoctorCatalogue, CodesAreUniqueAndEntriesWhole) {
    std::set<std::string_view> codes;
    for (const DoctorGroup& group : doctor_catalogue())
        for (const DoctorEntry& entry : group.entries) {
            EXPECT_TRUE(codes.insert(entry.code).second) << entry.code;
            EXPECT_EQ(entry.code.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
                      std::string_view::npos)
                << entry.code;
            EXPECT_FALSE(entry.looks_at.empty()) << entry.code;
            EXPECT_TRUE(entry.meaning.ends_with('.')) << entry.code;
            EXPECT_FALSE(entry.command.empty() && entry.advice.empty()) << entry.code;
            EXPECT_EQ(entry.meaning.find('\n'), std::string_view::npos) << entry.code;
        }
}

TEST(DoctorCatalogue, TheReferenceIsWhatItPrints) {
    std::ifstream file(std::filesystem::path(BASCULE_SOURCE_DIR) / "docs/reference/doctor.md",
                       std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_EQ(text.str(), doctor_reference()) << "run doctor_reference > docs/reference/doctor.md";
}

}  // namespace
}  // namespace bascule::node
