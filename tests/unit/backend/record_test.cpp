// SPDX-License-Identifier: Apache-2.0
#include "backend/record.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

#include "backend/companion.h"
#include "backend/files.h"
#include "backend/self_test.h"

namespace bascule::backend {
namespace {

class Records : public testing::Test {
protected:
    void SetUp() override {
        char place[] = "/tmp/bascule-record.XXXXXX";
        ASSERT_NE(::mkdtemp(place), nullptr);
        directory_ = place;
        file_ = directory_ + "/state.json";
    }
    void TearDown() override {
        ::unlink(file_.c_str());
        ::rmdir(directory_.c_str());
    }
    std::string directory_;
    std::string file_;
};

TEST_F(Records, ComeBackAsTheyWere) {
    Record record;
    record.config_file = "/etc/bascule/backend.toml";
    record.addresses = {Address::parse("10.9.0.100").value(), Address::parse("fd00::1").value()};
    record.sysctls["net/ipv4/conf/eth0.100/arp_ignore"] = {"0", "1"};
    record.sysctl_file = true;
    record.sysctl_file_before = "# \"quoted\"\n";
    record.interfaces = {{"eth0.100", 7, true, false, true, "generic"}};
    ASSERT_TRUE(save_record(file_, record));
    const auto loaded = load_record(file_);
    ASSERT_TRUE(loaded && *loaded);
    EXPECT_EQ(**loaded, record);
}

TEST_F(Records, NoFileIsNoRecord) {
    const auto loaded = load_record(file_);
    ASSERT_TRUE(loaded);
    EXPECT_FALSE(*loaded);
    EXPECT_TRUE(remove_record(file_));
}

TEST_F(Records, SomethingElseIsRefused) {
    for (const char* text : {"", "{", "[]", "{\"format\": 2}", "{\"format\": 1}",
                             "{\"format\": 1, \"config_file\": 3}"}) {
        ASSERT_TRUE(write_file(file_, text, 0600));
        const auto loaded = load_record(file_);
        ASSERT_FALSE(loaded) << text;
        EXPECT_EQ(loaded.error().text().rfind(file_ + ": ", 0), 0U);
    }
}

TEST_F(Records, ALockHasOneHolder) {
    const std::string path = directory_ + "/state.json";
    EXPECT_FALSE(lock_holder(path));
    {
        const auto lock = take_lock(path);
        ASSERT_TRUE(lock && *lock);
        const auto second = take_lock(path);
        ASSERT_TRUE(second);
        EXPECT_FALSE(*second);
        ASSERT_TRUE(write_holder((*lock)->get(), {12345, 2, 10, 7}));
        const auto holder = lock_holder(path);
        ASSERT_TRUE(holder);
        EXPECT_EQ(holder->process, 12345);
        EXPECT_EQ(holder->applied, 2U);
        EXPECT_EQ(holder->refused, 10U);
        EXPECT_EQ(holder->put_back, 7U);
    }
    EXPECT_FALSE(lock_holder(path));
}

TEST(Sysctls, OfWhatIsHeldAndHowMuchIsEnough) {
    Config config;
    config.interfaces = {"eth0.100"};
    config.vips.push_back({Address::parse("fd00::1").value(), {}, true, {}});
    EXPECT_TRUE(wanted_sysctls(config).empty());
    config.vips.push_back({Address::parse("10.9.0.100").value(), {}, true, {}});
    EXPECT_EQ(wanted_sysctls(config).size(), 4U);
    EXPECT_NE(sysctl_file_text(config, {}).find("\n-net/ipv4/conf/eth0.100/arp_announce = 2\n"),
              std::string::npos);
    for (const char* value : {"1", "2", "8"})
        EXPECT_TRUE(is_enough("net/ipv4/conf/all/arp_ignore", value)) << value;
    for (const char* value : {"0", "3", "4"})
        EXPECT_FALSE(is_enough("net/ipv4/conf/all/arp_ignore", value)) << value;
    EXPECT_FALSE(is_enough("net/ipv4/conf/all/arp_announce", "1"));
}

TEST(Sysctls, TheFileTellsWhatWasThereBefore) {
    Config config;
    config.interfaces = {"eth0.100"};
    config.vips.push_back({Address::parse("10.9.0.100").value(), {}, true, {}});
    const std::map<std::string, SysctlChange> changes = {
        {"net/ipv4/conf/all/arp_ignore", {"0", "1"}},
        {"net/ipv4/conf/eth0.100/arp_announce", {"1", "2"}}};
    const std::string text = sysctl_file_text(config, changes);
    EXPECT_TRUE(is_own_sysctl_file(text));
    EXPECT_EQ(changes_of_file(text), changes);
    EXPECT_TRUE(changes_of_file(sysctl_file_text(config, {})).empty());
    for (const char* odd :
         {"# before: net/ipv4/conf/all/arp_ignore = 0\n",
          "# before: net/ipv4/conf/all/arp_ignore = 0\n-net/ipv4/conf/eth0/arp_ignore = 1\n",
          "# before: net/ipv4/conf/../arp_ignore = 0\n-net/ipv4/conf/../arp_ignore = 1\n",
          "# before: kernel/panic = 0\n-kernel/panic = 1\n",
          "# before: net/ipv4/conf/all/arp_ignore = x\n-net/ipv4/conf/all/arp_ignore = 1\n"})
        EXPECT_TRUE(changes_of_file(odd).empty()) << odd;
}

TEST(Findings, SayWhatMendsThem) {
    const std::vector<Finding> findings = {
        {"vip", "10.9.0.100", Verdict::ok, "is on lo", ""},
        {"arp", "10.9.0.100 on eth0", Verdict::failed, "answers", "sysctl -w x=1"}};
    EXPECT_TRUE(has_failed(findings));
    EXPECT_EQ(findings_text(findings),
              "ok       vip            10.9.0.100\n"
              "FAILED   arp            10.9.0.100 on eth0\n"
              "         answers\n"
              "         try: sysctl -w x=1\n");
    EXPECT_NE(findings_json(findings).find("\"well\": false"), std::string::npos);
}

}  // namespace
}  // namespace bascule::backend
