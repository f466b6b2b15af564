// SPDX-License-Identifier: Apache-2.0
// What `bascule doctor` shows of a daemon's report. (Without a daemon:
// tests/cluster/test_doctor.py.)
#include "command.h"

namespace bascule::control {
namespace {

void add_finding(DoctorReport& report, const char* code, const char* severity,
                 const std::string& what, const char* command) {
    auto* finding = report.add_findings();
    finding->set_code(code);
    finding->set_severity(severity);
    finding->set_what(what);
    finding->set_meaning(
        "The NIC joins packets before XDP sees them (LRO). Joined packets cannot be sent on; most "
        "drivers refuse native XDP so.");
    finding->set_command(command);
    finding->set_advice("Make it last: the same in the interface's set-up");
}

void add_check(DoctorReport& report, const char* code, const char* result, const char* why = "") {
    auto* check = report.add_checks();
    check->set_code(code);
    check->set_result(result);
    check->set_looks_at("large receive offload");
    check->set_why(why);
}

Answer says(const DoctorReport& report) {
    return [report](Request request) -> boost::asio::awaitable<Response> {
        Response response;
        if (request.has_doctor()) *response.mutable_doctor() = report;
        co_return response;
    };
}

DoctorReport healthy() {
    DoctorReport report;
    report.set_node("lb1");
    report.set_by_daemon(true);
    report.set_version("0.1.0");
    add_check(report, "lro-on", "well");
    add_check(report, "rp-filter", "well");
    add_check(report, "peer-ring", "not_needed", "no [cluster]");
    return report;
}

DoctorReport ill() {
    DoctorReport report = healthy();
    add_finding(report, "lro-on", "problem", "eth0 joins\x1b[31m what it receives",
                "ethtool -K eth0 lro off");
    add_finding(report, "clock-skew", "warning", std::string(200, 'x'), "");
    add_finding(report, "way-narrow", "note", "web/web1", "ip link set eth0 mtu 1528");
    add_check(report, "bpf-jit-off", "not_made", "it cannot be seen");
    add_check(report, "bpf-jit-hardened", "not_made", "it cannot be seen");
    add_check(report, "irq-one-cpu", "well", "eth1 does not tell");
    return report;
}

TEST_F(Command, DoctorFindsNothingAndSaysHowMuchItLookedAt) {
    RunningServer server(options(), says(healthy()));
    const Ended result = run({"doctor"});
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(result.out, "lb1  nothing found  2 checks, 1 not needed here\n");
}

TEST_F(Command, DoctorSaysWhatItFoundAndWhatMendsIt) {
    RunningServer server(options(), says(ill()));
    const Ended result = run({"doctor"});
    EXPECT_EQ(result.code, 4);
    const auto lines = plain_lines(result.out);
    EXPECT_EQ(lines[0],
              "lb1  1 problem, 1 warning, 1 note  3 checks, 1 not needed here, 2 not made");
    EXPECT_EQ(lines[2], "  ! lro-on: eth0 joins?[31m what it receives");
    EXPECT_TRUE(has(result.out, "\n    -> ethtool -K eth0 lro off\n       Make it last: "));
    EXPECT_TRUE(has(result.out, "\n  * clock-skew: xxx"));
    EXPECT_TRUE(has(result.out, "\n    -> Make it last: ")) << "where there is no command";
    EXPECT_TRUE(has(result.out, "\n  i way-narrow: web/web1\n"));
    EXPECT_TRUE(has(result.out, "\n    bpf-jit-off, bpf-jit-hardened: it cannot be seen\n"));
    EXPECT_TRUE(has(result.out, "\n    irq-one-cpu: eth1 does not tell\n")) << "made in part";
    EXPECT_FALSE(has(result.out, "peer-ring")) << "what is not needed is no news";
}

TEST_F(Command, DoctorKeepsToAHundredColumns) {
    DoctorReport report = ill();
    report.mutable_findings(1)->set_what(
        "lb2 and lb3 and lb4: their clocks are 3.2 s ahead of this one's, or 17.0 s behind it, and "
        "nobody keeps them");
    RunningServer server(options(), says(report));
    for (const Words& words : {Words{"doctor"}, Words{"doctor", "--all"}}) {
        const std::string text = run_on_terminal(words, 100).out;
        EXPECT_TRUE(has(text, "\x1b["));
        for (const auto& line : plain_lines(text))
            EXPECT_LE(line.size(), 100U) << line;
        EXPECT_TRUE(has(text, "ethtool -K eth0 lro off"));
    }
}

TEST_F(Command, DoctorNamesEveryCheckWhenAsked) {
    RunningServer server(options(), says(ill()));
    const std::string text = run({"doctor", "--all"}).out;
    for (const char* word : {"CODE", "rp-filter", "not needed", "no [cluster]", "not made"})
        EXPECT_TRUE(has(text, word)) << word << "\n" << text;
}

TEST_F(Command, DoctorAsJson) {
    RunningServer server(options(), says(ill()));
    const json document = run_json({"doctor"}, 4);
    EXPECT_EQ(document["command"], "doctor");
    EXPECT_EQ(document["ok"], true);
    EXPECT_EQ(document["node"], "lb1");
    EXPECT_EQ(document["by_daemon"], true);
    EXPECT_EQ(document["outside"], nullptr);
    ASSERT_EQ(document["findings"].size(), 3u);
    EXPECT_EQ(document["findings"][0]["code"], "lro-on");
    EXPECT_EQ(document["findings"][0]["severity"], "problem");
    EXPECT_EQ(document["findings"][0]["command"], "ethtool -K eth0 lro off");
    EXPECT_EQ(document["findings"][1]["command"], nullptr);
    EXPECT_EQ(document["checks"].size(), 6u);
    EXPECT_EQ(document["checks"][0]["why"], nullptr);
    EXPECT_EQ(document["checks"][2]["result"], "not_needed");
}

TEST_F(Command, DoctorWithWarningsAloneEndsWell) {
    DoctorReport report = ill();
    report.mutable_findings()->DeleteSubrange(0, 1);
    RunningServer server(options(), says(report));
    EXPECT_EQ(run({"doctor"}).code, 0);
}

}  // namespace
}  // namespace bascule::control
