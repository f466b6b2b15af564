// SPDX-License-Identifier: Apache-2.0
// The self-test on servers that are well, and on servers with one thing broken each.
#include <csignal>
#include <nlohmann/json.hpp>

#include "traffic.h"

namespace bascule::test {
namespace {

class SelfTests : public Traffic {
protected:
    void SetUp() override {
        Traffic::SetUp();
        ASSERT_NO_FATAL_FAILURE(start(config("[\"l2\", \"ipip\", \"gue\"]")));
        for (const bool v4 : {true, false}) {
            listeners_.push_back(Socket::listener(vip(v4), server_port));
            listeners_.push_back(Socket::udp(vip(v4), server_port));
        }
    }

    // Verdicts of one check, by subject.
    std::map<std::string, std::string> verdicts(const std::string& check) {
        std::map<std::string, std::string> found;
        const auto json = nlohmann::json::parse(command("self-test --json").output);
        for (const auto& finding : json["findings"])
            if (finding["check"] == check) found[finding["subject"]] = finding["verdict"];
        return found;
    }

    std::vector<std::string> mends_of(const std::string& check) {
        std::vector<std::string> found;
        const auto json = nlohmann::json::parse(command("self-test --json").output);
        for (const auto& finding : json["findings"])
            if (finding["check"] == check && finding.contains("mend"))
                found.push_back(finding["mend"]);
        return found;
    }

    std::vector<Socket> listeners_;
};

TEST_F(SelfTests, AServerThatIsWell) {
    const Ended ended = command("self-test");
    EXPECT_EQ(ended.status, 0) << ended.output;
    EXPECT_EQ(ended.output.find("FAILED"), std::string::npos) << ended.output;
    EXPECT_EQ(ended.output.find("skipped"), std::string::npos) << ended.output;
    EXPECT_EQ(verdicts("decapsulation").size(), 8U);
    EXPECT_EQ(verdicts("server").size(), 4U);
}

TEST_F(SelfTests, AServerThatAnswersArp) {
    must("sysctl -qw net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.eth0.arp_ignore=0");
    auto arp = verdicts("arp");
    EXPECT_EQ(arp["10.9.0.100 on eth0"], "failed");
    EXPECT_EQ(arp["fd00:9::100 on eth0"], "ok");
    EXPECT_EQ(verdicts("sysctl")["net/ipv4/conf/eth0/arp_ignore"], "failed");
    EXPECT_EQ(command("self-test").status, 1);
}

// Nobody puts back what is taken off: the process is gone.
TEST_F(SelfTests, AVipOnTheWrongInterface) {
    ASSERT_EQ(end(SIGUSR1), 0);
    must(std::string("ip addr del ") + vip4 + "/32 dev lo && ip addr del " + vip6 + "/128 dev lo");
    EXPECT_EQ(verdicts("vip")[vip4], "failed");
    must(std::string("ip addr add ") + vip4 + "/32 dev eth0 && ip addr add " + vip6 +
         "/128 dev eth0 nodad");
    EXPECT_EQ(verdicts("vip")[vip6], "failed");
    auto arp = verdicts("arp");
    EXPECT_EQ(arp["10.9.0.100 on eth0"], "failed");
    EXPECT_EQ(arp["fd00:9::100 on eth0"], "failed");
}

// No setting mends it, and the words that are said to mend it do.
TEST_F(SelfTests, AVipOnLoAndOnTheWrongInterface) {
    must(std::string("ip addr add ") + vip4 + "/24 dev eth0 && ip addr add " + vip6 +
         "/128 dev eth0 nodad");
    EXPECT_EQ(verdicts("vip")[vip4], "failed");
    EXPECT_EQ(verdicts("vip")[vip6], "failed");
    const Ended status = command("status");
    EXPECT_EQ(status.status, 4);
    EXPECT_NE(status.output.find("! the VIP 10.9.0.100 is on eth0, where"), std::string::npos)
        << status.output;
    EXPECT_NE(status.output.find(" lo, eth0 "), std::string::npos) << status.output;
    const auto mends = mends_of("arp");
    EXPECT_EQ(mends, (std::vector<std::string>{"ip addr del 10.9.0.100/24 dev eth0",
                                               "ip addr del fd00:9::100/128 dev eth0"}));
    EXPECT_EQ(mends_of("vip"), mends);
    for (const std::string& mend : mends)
        must(mend);
    EXPECT_EQ(command("self-test").status, 0) << command("self-test").output;
    EXPECT_EQ(command("status").status, 0);
}

TEST_F(SelfTests, NobodyListens) {
    listeners_.clear();
    auto servers = verdicts("server");
    EXPECT_EQ(servers["10.9.0.100 tcp port 25001"], "failed");
    EXPECT_EQ(servers["fd00:9::100 udp port 25001"], "failed");
}

TEST_F(SelfTests, SomethingInTheWay) {
    // Linux lets nothing in that comes from where nothing may go.
    must(std::string("sysctl -qw net.ipv4.conf.eth0.rp_filter=1 && ip route add blackhole ") +
         balancer4 + "/32");
    for (const auto& [subject, verdict] : verdicts("decapsulation"))
        EXPECT_EQ(verdict, subject.rfind(vip4, 0) == 0 ? "failed" : "ok") << subject;
}

TEST_F(SelfTests, ProgramsThatAreGone) {
    must("tc qdisc del dev eth0 clsact && rm " + bpffs_ + "/xdp_eth0");
    EXPECT_EQ(verdicts("egress")["eth0"], "failed");
    EXPECT_EQ(verdicts("decapsulation")["eth0"], "failed");
    EXPECT_EQ(command("status").status, 4);
}

TEST_F(SelfTests, SettingsThatLoseClients) {
    must("sysctl -qw net.ipv4.conf.eth0.rp_filter=1");
    EXPECT_EQ(verdicts("rp_filter")["eth0"], "warning");
    EXPECT_EQ(verdicts("mtu")["eth0"], "warning");
    EXPECT_TRUE(verdicts("forwarding").empty());
    must("sysctl -qw net.ipv4.conf.eth0.forwarding=1");
    EXPECT_EQ(verdicts("forwarding")["net/ipv4/conf/eth0"], "warning");
    must("ip link set eth0 mtu 1548");
    EXPECT_EQ(verdicts("mtu")["eth0"], "ok");
}

}  // namespace
}  // namespace bascule::test
