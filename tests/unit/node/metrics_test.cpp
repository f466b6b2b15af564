// SPDX-License-Identifier: Apache-2.0
// What is served against what is said to be: every family of the schema, its labels and its values.
#include "node/metrics.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

#include "node/metric_text.h"

namespace bascule::node {
namespace {

// Something of everything.
MetricFacts full_facts() {
    MetricFacts facts;
    BackendMetrics sick{"web2", BackendCondition::down, 0, 0, {}, BackendMetrics::Checked{}};
    sick.checked->failures[static_cast<std::size_t>(health::Failure::timed_out)] = 7;
    sick.checked->durations.add(std::chrono::microseconds(1'500));
    sick.checked->durations.add(std::chrono::seconds(60));
    facts.services = {{"web",
                       "10.9.0.100",
                       "tcp",
                       "8000-8099",
                       true,
                       {3, 300, 1},
                       {{"web1", BackendCondition::up, 80, 5, {2, 200, 1}, {}}, sick}}};
    facts.drops = {{"no_backend", "words", 4}};
    facts.events = {{"session_moved", "words", 5}};
    facts.sessions.pass.by_state[BSC_ESTABLISHED] = 11;
    facts.sessions.pass.by_family[1] = 12;
    facts.capacity = {1000, 2000};
    facts.vips = {{"10.9.0.100", true, true}, {"fd00::100", false, false}};
    facts.vips_taken = 7;
    facts.vips_announced = 9;
    facts.peers = {{"lb2", true, true, {{"10.9.0.12:7400", 0.00025}}, -0.5, 0.125, 1, 2, 3, 4, 5}};
    facts.sync_dropped = 6;
    facts.wire = {21, 22, 23, 24, 25};
    facts.programs_restored = 27;
    facts.interfaces = {{"eth0", "native"}, {"eth1", "none"}};
    facts.version = "1.2.3";
    facts.config_hash = "abc";
    facts.http.answers = {{200, 8}};
    facts.process = ProcessFacts{1.5, 4096, 10, 1024, 1e9};
    return facts;
}

// "name{labels} value" -> value, of all lines that are samples.
std::map<std::string, std::string> samples(const std::string& text) {
    std::map<std::string, std::string> found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with('#')) continue;
        const auto space = line.rfind(' ');
        EXPECT_TRUE(found.emplace(line.substr(0, space), line.substr(space + 1)).second) << line;
    }
    return found;
}

std::string value(const MetricFacts& facts, const std::string& sample) {
    const auto all = samples(metrics_text(facts));
    const auto found = all.find(sample);
    return found == all.end() ? "none" : found->second;
}

TEST(Metrics, ValuesAreThoseOfTheFacts) {
    const MetricFacts facts = full_facts();
    const std::string web = R"({service="web",vip="10.9.0.100",protocol="tcp",port="8000-8099"})";
    const auto of = [&](const std::string& backend, const std::string& more = {}) {
        return web.substr(0, web.size() - 1) + ",backend=\"" + backend + "\"" + more + "}";
    };
    EXPECT_EQ(value(facts, "bascule_service_up" + web), "1");
    EXPECT_EQ(value(facts, "bascule_service_bytes_total" + web), "300");
    EXPECT_EQ(value(facts, "bascule_backend_up" + of("web1")), "1");
    EXPECT_EQ(value(facts, "bascule_backend_up" + of("web2")), "0");
    EXPECT_EQ(value(facts, "bascule_backend_weight" + of("web1")), "80");
    EXPECT_EQ(value(facts, "bascule_backend_sessions" + of("web1")), "5");
    EXPECT_EQ(value(facts, "bascule_backend_state" + of("web2", ",state=\"down\"")), "1");
    EXPECT_EQ(value(facts, "bascule_backend_state" + of("web2", ",state=\"up\"")), "0");
    EXPECT_EQ(
        value(facts, "bascule_backend_check_failures_total" + of("web2", ",reason=\"timed_out\"")),
        "7");
    EXPECT_EQ(value(facts, "bascule_drops_total{reason=\"no_backend\"}"), "4");
    EXPECT_EQ(value(facts, "bascule_sessions{state=\"established\"}"), "11");
    EXPECT_EQ(value(facts, "bascule_session_table_entries{family=\"ipv6\"}"), "12");
    EXPECT_EQ(value(facts, "bascule_session_table_capacity{family=\"ipv4\"}"), "1000");
    EXPECT_EQ(value(facts, "bascule_node_role{vip=\"fd00::100\"}"), "0");
    EXPECT_EQ(value(facts, "bascule_programs_restored_total"), "27");
    int count = 21;
    for (const char* outcome : {"sent", "failed", "received", "unopened", "dropped"})
        EXPECT_EQ(
            value(facts, std::string("bascule_wire_frames_total{outcome=\"") + outcome + "\"}"),
            std::to_string(count++));
    EXPECT_EQ(value(facts, "bascule_peer_rtt_seconds{peer=\"lb2\",path=\"10.9.0.12:7400\"}"),
              "0.00025");
    EXPECT_EQ(value(facts, "bascule_peer_clock_skew_seconds{peer=\"lb2\"}"), "-0.5");
    EXPECT_EQ(value(facts, "bascule_sync_deltas_total{peer=\"lb2\",direction=\"received\"}"), "2");
    EXPECT_EQ(value(facts, "bascule_xdp_attached{interface=\"eth1\",mode=\"none\"}"), "0");
    EXPECT_EQ(value(facts, "bascule_config_last_reload_successful"), "1");
    EXPECT_EQ(value(facts, "bascule_build_info{version=\"1.2.3\"}"), "1");
    EXPECT_EQ(value(facts, "process_cpu_seconds_total"), "1.5");
}

TEST(Metrics, DurationsAreAddedUp) {
    const MetricFacts facts = full_facts();
    const std::string web2 =
        R"({service="web",vip="10.9.0.100",protocol="tcp",port="8000-8099",backend="web2")";
    const std::string name = "bascule_backend_check_duration_seconds";
    EXPECT_EQ(value(facts, name + "_bucket" + web2 + ",le=\"0.001\"}"), "0");
    EXPECT_EQ(value(facts, name + "_bucket" + web2 + ",le=\"0.002\"}"), "1");
    EXPECT_EQ(value(facts, name + "_bucket" + web2 + ",le=\"5\"}"), "1");
    EXPECT_EQ(value(facts, name + "_bucket" + web2 + ",le=\"+Inf\"}"), "2");
    EXPECT_EQ(value(facts, name + "_count" + web2 + "}"), "2");
    EXPECT_EQ(value(facts, name + "_sum" + web2 + "}"), "60.0015");
}

TEST(Metrics, AServiceWhoseBackendsAreNotCheckedHasNoDurations) {
    MetricFacts facts = full_facts();
    facts.services[0].backends.pop_back();
    EXPECT_EQ(metrics_text(facts).find("check_duration"), std::string::npos);
}

TEST(Metrics, EveryFamilyOfTheSchemaIsServed) {
    const std::string text = metrics_text(full_facts());
    for (const MetricGroup& group : metric_schema())
        for (const MetricSchema& family : group.families) {
            EXPECT_NE(text.find("# HELP " + std::string(family.name) + " " +
                                std::string(family.meaning) + "\n"),
                      std::string::npos)
                << family.name << " is said to be there, and is not served";
        }
}

// What https://prometheus.io/docs/practices/naming/ asks for.
TEST(Metrics, NamesFollowTheRules) {
    std::set<std::string_view> names;
    for (const MetricGroup& group : metric_schema())
        for (const MetricSchema& family : group.families) {
            const std::string_view name = family.name;
            EXPECT_TRUE(names.insert(name).second) << name;
            EXPECT_TRUE(name.starts_with("bascule_") || name.starts_with("process_")) << name;
            EXPECT_EQ(name.ends_with("_total"), family.type == MetricType::counter) << name;
            EXPECT_EQ(family.meaning.find_first_of("\n\\|"), std::string_view::npos) << name;
            for (const std::string_view label : family.labels)
                EXPECT_TRUE(label != "client" && label != "source" && label != "le") << name;
        }
}

TEST(MetricText, WhatIsNotInTheSchemaIsABug) {
    MetricText text;
    EXPECT_THROW(text.family("bascule_unheard_of"), std::logic_error);
    EXPECT_THROW(text.add({}, 1.0), std::logic_error) << "of no family";
    text.family("bascule_node_role");
    EXPECT_THROW(text.add({}, 1.0), std::logic_error) << "without its label";
    EXPECT_THROW(text.add({"a"}, health::Durations()), std::logic_error) << "of another type";
    EXPECT_THROW(text.family("bascule_node_role"), std::logic_error) << "twice";
}

TEST(MetricText, ValuesOfLabelsAreEscaped) {
    MetricText text;
    text.family("bascule_node_role");
    text.add({"a\"b\\c\nd"}, true);
    EXPECT_NE(text.take().find("{vip=\"a\\\"b\\\\c\\nd\"} 1\n"), std::string::npos);
}

TEST(MetricReference, IsPrintedFromTheSchema) {
    std::ifstream file(std::filesystem::path(BASCULE_SOURCE_DIR) / "docs/reference/metrics.md",
                       std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    EXPECT_EQ(text.str(), metric_reference()) << "run metric_reference > docs/reference/metrics.md";
}

TEST(ProcessFacts, AreThoseOfThisProcess) {
    const auto facts = read_process_facts();
    ASSERT_TRUE(facts);
    EXPECT_GT(facts->resident_bytes, 100'000u);
    EXPECT_GE(facts->open_fds, 3u);
    EXPECT_GE(facts->max_fds, facts->open_fds);
    EXPECT_GT(facts->start_time, 1.6e9);
    const auto before = facts->open_fds;
    std::ifstream one_more("/proc/self/stat");
    EXPECT_EQ(read_process_facts()->open_fds, before + 1);
}

TEST(ProcessFacts, ANameMayHaveAnything) {
    const std::string fields =
        " S 1 2 3 4 5 6 7 8 9 10 140 150 16 17 18 19 20 21 2200 23 2400 25 26";
    for (const char* name : {"(basculed)", "(a b) c)", "()"}) {
        const auto stat = parse_process_stat("123 " + std::string(name) + fields);
        ASSERT_TRUE(stat) << name;
        EXPECT_EQ(stat->user_ticks, 140u);
        EXPECT_EQ(stat->system_ticks, 150u);
        EXPECT_EQ(stat->start_ticks, 2200u);
        EXPECT_EQ(stat->resident_pages, 2400u);
    }
    for (const char* wrong : {"", "123 (a", "123 (a) S 1 2 3", "(a) x x x x x x x x x x x x x"})
        EXPECT_FALSE(parse_process_stat(wrong)) << wrong;
}

}  // namespace
}  // namespace bascule::node
