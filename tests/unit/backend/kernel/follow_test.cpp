// SPDX-License-Identifier: Apache-2.0
// What somebody else does while it runs: to the VIPs, to the file, to what a reload needs.
#include <csignal>
#include <nlohmann/json.hpp>

#include "traffic.h"

namespace bascule::test {
namespace {

constexpr const char* all_ways = "[\"l2\", \"ipip\", \"gue\"]";

class Follow : public Traffic {
protected:
    int number(const std::string& key) {
        return nlohmann::json::parse(command("status --json").output)[key].get<int>();
    }
};

// The place of the ARP settings' file is gone, for the new configuration and for the old one.
TEST_F(Follow, AReloadThatCannotGoBackSaysSo) {
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    must("rm -r " + sysctl_dir_);
    write_config(config(all_ways) + "[[vip]]\naddress = \"10.9.0.101\"\nforward = [\"l2\"]\n");
    send(SIGHUP);
    ASSERT_TRUE(eventually([&] {
        return log().find("this host is between two configurations") != std::string::npos;
    })) << log();
    EXPECT_EQ(log().find("everything stays as it was"), std::string::npos) << log();
    must("mkdir " + sysctl_dir_);
    send(SIGHUP);
    ASSERT_TRUE(eventually([&] { return number("applied") == 2; })) << log();
    EXPECT_EQ(command("status").status, 0) << command("status").output;
}

// As networkd and administrators do. Both VIPs, once; and again before the second is over.
TEST_F(Follow, VipsThatSomebodyTakesOffAreThereAgain) {
    const std::string before = snapshot();
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    const std::string meanwhile = shell("ip -o addr show dev lo").output;
    const auto held = [&] { return shell("ip -o addr show dev lo").output == meanwhile; };
    for (int round = 1; round <= 2; ++round) {
        must(std::string("ip addr del ") + vip4 + "/32 dev lo; ip addr del " + vip6 +
             "/128 dev lo");
        ASSERT_TRUE(eventually(held)) << log();
    }
    EXPECT_TRUE(eventually([&] { return number("put_back") == 4; }))
        << command("status --json").output;
    const Ended status = command("status");
    EXPECT_EQ(status.status, 0) << status.output;
    EXPECT_NE(status.output.find("put back 4 times"), std::string::npos) << status.output;
    EXPECT_NE(log().find("the VIP fd00:9::100 was taken off this host"), std::string::npos)
        << log();
    EXPECT_EQ(end(SIGTERM), 0) << log();
    EXPECT_EQ(snapshot(), before);
}

TEST_F(Follow, AVipThatAReloadDropsIsNotPutBack) {
    const std::string more = "[[vip]]\naddress = \"10.9.0.101\"\nforward = [\"l2\"]\n";
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways) + more));
    write_config(config(all_ways));
    send(SIGHUP);
    ASSERT_TRUE(eventually([&] { return number("applied") == 2; })) << log();
    must("ip addr add 10.9.0.99/32 dev lo");  // a change to follow
    must(std::string("ip addr del ") + vip4 + "/32 dev lo");
    ASSERT_TRUE(eventually([&] {
        return log().find("the VIP 10.9.0.100 was taken off") != std::string::npos;
    })) << log();
    EXPECT_EQ(shell("ip addr show dev lo").output.find("10.9.0.101"), std::string::npos);
}

TEST_F(Follow, StatusSpeaksOfWhatIsApplied) {
    ASSERT_NO_FATAL_FAILURE(start(config(all_ways)));
    EXPECT_EQ(command("status").output.find("note:"), std::string::npos);
    write_config(config("[\"l2\"]", "", false) +
                 "[[vip]]\naddress = \"10.9.0.101\"\nforward = [\"l2\"]\n");
    Ended status = command("status");
    EXPECT_EQ(status.status, 0) << status.output;
    EXPECT_NE(status.output.find("is not applied yet"), std::string::npos) << status.output;
    EXPECT_NE(status.output.find("l2, ipip, gue"), std::string::npos) << status.output;
    EXPECT_EQ(status.output.find("10.9.0.101"), std::string::npos) << status.output;
    write_config("[server]\n");
    status = command("status");
    EXPECT_EQ(status.status, 0) << status.output;
    EXPECT_NE(status.output.find("has errors and would be refused"), std::string::npos)
        << status.output;
    // What is amiss with the running state is amiss all the same.
    must("tc qdisc del dev eth0 clsact");
    EXPECT_EQ(command("status").status, 4);
    EXPECT_EQ(end(SIGTERM), 0) << log();
    // Nothing is applied any more; the file is what there is.
    EXPECT_EQ(command("status").status, 1);
    write_config(config(all_ways));
    EXPECT_EQ(command("status").status, 3);
}

}  // namespace
}  // namespace bascule::test
