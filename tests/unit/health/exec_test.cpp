// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/health/probe_bed.h"
#include "tests/unit/health/script_folder.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;

class ExecProbe : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
        folder_ = std::make_unique<bascule::testing::ScriptFolder>();
        bed_.target.health.timeout = 20s;
    }

    Outcome run(const std::string& body) {
        bed_.target.health.program.command = {folder_->script("check.sh", body)};
        return bed_.run();
    }

    std::unique_ptr<bascule::testing::ScriptFolder> folder_;
    ProbeBed bed_{make_exec_probe, model::ProbeType::exec, 8080};
};

TEST_F(ExecProbe, TheExitCodeIsTheVerdict) {
    Outcome outcome = run("exit 0");
    EXPECT_TRUE(outcome.ok());
    EXPECT_EQ(outcome.words, "exit code 0");
    EXPECT_EQ(outcome.weight_percent, std::nullopt);
    outcome = run("echo; echo '  replication is late'; echo more; exit 2");
    EXPECT_EQ(outcome.failure, Failure::status);
    EXPECT_EQ(outcome.words, "exit code 2, says \"replication is late\"");
    outcome = run("kill -9 $$");
    EXPECT_EQ(outcome.failure, Failure::status);
    EXPECT_EQ(outcome.words, "the program was ended by signal 9");
}

TEST_F(ExecProbe, KnowsWhatItChecks) {
    bed_.target.protocol = model::Protocol::udp;
    bed_.target.vip = *Address::parse("2001:db8::5");
    const Outcome outcome =
        run("echo $BASCULE_SERVICE $BASCULE_BACKEND $BASCULE_ADDRESS $BASCULE_PORT $BASCULE_VIP "
            "$BASCULE_VIP_PORT $BASCULE_PROTOCOL $BASCULE_TIMEOUT_MS");
    EXPECT_EQ(outcome.words,
              "exit code 0, says \"web be1 127.0.0.1 8080 2001:db8::5 80 udp 20000\"");
}

TEST_F(ExecProbe, MaySayItsWeight) {
    Outcome outcome = run("echo 'load is 3'; echo 'weight 40 '");
    EXPECT_TRUE(outcome.ok());
    EXPECT_EQ(outcome.weight_percent, 40u);
    EXPECT_EQ(outcome.words, "exit code 0, says \"load is 3\"");
    EXPECT_EQ(run("echo weight 0").weight_percent, 0u);
    EXPECT_EQ(run("echo weight 100; exit 0").weight_percent, 100u);
    EXPECT_EQ(run("echo weight 40; exit 1").failure, Failure::status);
}

TEST_F(ExecProbe, AWeightThatIsNoneIsAFailure) {
    for (const char* weight : {"101", "-1", "4x", "99999999999999999999", "5 5", "ten"}) {
        const Outcome outcome = run(std::string("echo weight ") + weight);
        EXPECT_EQ(outcome.failure, Failure::protocol);
        EXPECT_EQ(outcome.words, std::string("the program says \"weight ") + weight +
                                     "\": a weight is a number from 0 to 100");
    }
}

TEST_F(ExecProbe, IsKilledInTime) {
    bed_.target.health.timeout = 300ms;
    const Outcome outcome = run("echo waiting for the database; trap '' TERM; sleep 1000; :");
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_EQ(outcome.words,
              "the program did not end within 300ms and was killed, says \"waiting for the "
              "database\"");
    EXPECT_LT(bed_.took, 15s);
}

TEST_F(ExecProbe, GarbageIsQuotedAndCut) {
    const Outcome outcome = run("head -c 100000 /dev/urandom; exit 1");
    EXPECT_EQ(outcome.failure, Failure::status);
    EXPECT_LE(outcome.words.size(), 200u);
    for (const char c : outcome.words.substr(0, 60))
        EXPECT_TRUE(c >= ' ' && c <= '~') << outcome.words;
}

TEST_F(ExecProbe, AProgramThatOthersCanChangeIsNotRun) {
    bed_.target.health.program.command = {folder_->script("check.sh", "exit 0", 0777)};
    const Outcome first = bed_.run();
    EXPECT_EQ(first.failure, Failure::local);
    EXPECT_NE(first.words.find("writable for others than root"), std::string::npos);
    // Nor when that comes about later.
    ::chmod(folder_->file("check.sh").c_str(), 0755);
    EXPECT_TRUE(bed_.run().ok());
    ::chmod(folder_->file("check.sh").c_str(), 0777);
    const Outcome outcome = bed_.run();
    EXPECT_EQ(outcome.failure, Failure::local);
    EXPECT_NE(outcome.words.find("writable for others than root"), std::string::npos);
}

TEST_F(ExecProbe, CancellationEndsIt) {
    bed_.target.health.program.command = {folder_->script("check.sh", "sleep 1000")};
    bed_.target.health.timeout = 60s;
    for (const auto time : {0us, 100us, 50000us}) {
        bed_.run_and_cancel(time);
        EXPECT_LT(bed_.took, 30s);
    }
}

// The end of its output is not kept: "weight 1" may have been "weight 100".
TEST_F(ExecProbe, AWeightThatWasCutOffIsNone) {
    const std::string fill = "head -c 4087 /dev/zero | tr '\\0' x; echo; ";
    const Outcome cut = run(fill + "echo weight 100");
    EXPECT_TRUE(cut.ok()) << cut.words;
    EXPECT_EQ(cut.weight_percent, std::nullopt);
    EXPECT_EQ(run("echo weight 70; " + fill + fill).weight_percent, 70u);
}

}  // namespace
}  // namespace bascule::health
