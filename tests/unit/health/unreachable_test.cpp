// SPDX-License-Identifier: Apache-2.0
// What probes say when the network itself says no: two network namespaces of the test's own, a veth
// pair between them, and a neighbour that refuses to carry on.
//
// Both are held by descriptors only, so they end with the process. Single-threaded.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "tests/unit/health/probe_bed.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;

class Unreachable : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, for network namespaces";
        original_ = current();
        here_ = make();
        there_ = make();
        enter(here_);
        run("ip link set lo up");
        run("ip link add eth0 type veth peer name eth1 netns /proc/" + std::to_string(::getpid()) +
            "/fd/" + std::to_string(there_));
        prepare("eth0", 1);
        run("ip route add 198.51.100.0/24 via 10.9.0.2");
        run("ip -6 route add 2001:db8:1::/64 via 2001:db8::2");
        in_the_other([] {
            run("ip link set lo up");
            prepare("eth1", 2);
            set("ipv4/ip_forward", "1");
            set("ipv6/conf/all/forwarding", "1");
            set("ipv4/icmp_ratelimit", "0");
            run("ip route add prohibit 198.51.100.0/24");
            run("ip -6 route add prohibit 2001:db8:1::/64");
        });
        // Answers come only once the link is up on both sides.
        for (int i = 0; i < 500 && std::system("ip link show eth0 | grep -q 'state UP'") != 0; ++i)
            ::usleep(10'000);
    }

    void TearDown() override {
        if (original_ < 0) return;
        enter(original_);
        for (const int fd : {original_, here_, there_})
            ::close(fd);
    }

    static void run(const std::string& command) {
        if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
    }
    static void set(const std::string& key, const std::string& value) {
        std::ofstream out("/proc/sys/net/" + key);
        out << value << std::flush;
        if (!out) throw std::runtime_error("cannot set " + key);
    }

    template <typename What>
    void in_the_other(What what) {
        enter(there_);
        what();
        enter(here_);
    }

    void expect_everywhere(const char* address, Failure failure, const std::string& words) {
        for (auto* const maker : {make_icmp_probe, make_udp_probe, make_dns_probe}) {
            ProbeBed bed(maker, model::ProbeType::udp, 53);
            bed.target.health.send = "x";
            bed.target.health.dns_name = "example";
            bed.target.protocol = model::Protocol::udp;
            bed.target.health.timeout = 20s;
            bed.target.backend = bed.to.address = *Address::parse(address);
            const Outcome outcome = bed.run();
            EXPECT_EQ(outcome.failure, failure);
            EXPECT_EQ(outcome.words, words);
        }
    }

private:
    static void prepare(const std::string& device, int host) {
        // The kernel's own duplicate detection would make fresh IPv6 addresses wait.
        set("ipv6/conf/" + device + "/accept_dad", "0");
        run("ip addr add 10.9.0." + std::to_string(host) + "/24 dev " + device);
        run("ip addr add 2001:db8::" + std::to_string(host) + "/64 dev " + device + " nodad");
        run("ip link set " + device + " up");
    }
    static int current() {
        const int fd = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (fd < 0) throw std::runtime_error("cannot open the network namespace");
        return fd;
    }
    static int make() {
        if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("cannot unshare the network");
        return current();
    }
    static void enter(int fd) {
        if (::setns(fd, CLONE_NEWNET) != 0) throw std::runtime_error("cannot enter a namespace");
    }

    int original_ = -1;
    int here_ = -1;
    int there_ = -1;
};

TEST_F(Unreachable, TheOtherHostAnswers) {
    for (const char* address : {"10.9.0.2", "2001:db8::2"}) {
        ProbeBed bed(make_icmp_probe, model::ProbeType::icmp, 0);
        bed.target.health.timeout = 20s;
        bed.to.address = *Address::parse(address);
        EXPECT_EQ(bed.run().words, "answered");
    }
}

TEST_F(Unreachable, ARouterForbidsIt) {
    expect_everywhere("198.51.100.7", Failure::unreachable,
                      "198.51.100.7 cannot be reached: administratively prohibited, says 10.9.0.2");
    expect_everywhere(
        "2001:db8:1::7", Failure::unreachable,
        "2001:db8:1::7 cannot be reached: administratively prohibited, says 2001:db8::2");
}

TEST_F(Unreachable, NoSuchNeighbour) {
    for (const std::string family : {"ipv4", "ipv6"}) {  // and it is given up soon
        set(family + "/neigh/eth0/retrans_time_ms", "50");
        set(family + "/neigh/eth0/mcast_solicit", "1");
    }
    expect_everywhere("10.9.0.99", Failure::unreachable,
                      "10.9.0.99 cannot be reached: host unreachable, says 10.9.0.1");
    expect_everywhere("2001:db8::99", Failure::unreachable,
                      "2001:db8::99 cannot be reached: host unreachable, says 2001:db8::1");
}

TEST_F(Unreachable, NoRoute) {
    expect_everywhere("203.0.113.1", Failure::unreachable,
                      "203.0.113.1 cannot be reached: Network is unreachable");
    expect_everywhere("2001:db8:9::1", Failure::unreachable,
                      "2001:db8:9::1 cannot be reached: Network is unreachable");
}

TEST_F(Unreachable, SilenceTimesOut) {
    in_the_other([] { set("ipv4/icmp_echo_ignore_all", "1"); });
    ProbeBed bed(make_icmp_probe, model::ProbeType::icmp, 0);
    bed.to.address = *Address::parse("10.9.0.2");
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_EQ(outcome.words, "no echo reply within 400ms");
}

}  // namespace
}  // namespace bascule::health
