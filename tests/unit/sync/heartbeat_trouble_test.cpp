// SPDX-License-Identifier: Apache-2.0
// A process that is stopped, an address that goes and comes back, a thread without its priority.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/descriptor.h"
#include "sync/realtime.h"
#include "tests/unit/sync/heartbeat_bed.h"
#include "tests/unit/sync/vip_bed.h"

namespace bascule::sync {
namespace {

using namespace std::chrono_literals;

// A node in a process of its own, that can be stopped as a whole.
class NodeProcess {
public:
    NodeProcess(const model::ClusterConfig& cluster, const std::string& name) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
        pid_ = ::fork();
        if (pid_ == 0) live(cluster, name, ends[1]);
        ::close(ends[1]);
        words_ = Descriptor(ends[0]);
    }
    NodeProcess(const NodeProcess&) = delete;
    NodeProcess& operator=(const NodeProcess&) = delete;
    ~NodeProcess() {
        signal(SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    void signal(int number) const { ::kill(pid_, number); }

    // All that it has said so far: "alive dead slept ..."
    const std::string& said() {
        std::array<char, 512> room;
        ssize_t size = 0;
        while ((size = ::read(words_.get(), room.data(), room.size())) > 0)
            said_.append(room.data(), static_cast<std::size_t>(size));
        return said_;
    }

private:
    [[noreturn]] static void live(const model::ClusterConfig& cluster, const std::string& name,
                                  int words) {
        const auto parent = ::getppid();
        const auto say = [words](const std::string& word) {
            [[maybe_unused]] const auto done = ::write(words, (word + ' ').data(), word.size() + 1);
        };
        HeartbeatBed bed(cluster);
        BedNode node(bed.io, cluster, name, 1, keys_of({key_of(1)}));
        std::size_t told = 0;
        std::uint64_t slept = 0;
        while (::getppid() == parent) {
            bed.pass(10ms);
            for (; told < node.changes.size(); ++told)
                say(name_of(node.changes[told].to));
            if (std::exchange(slept, node.report.slept) != node.report.slept) say("slept");
        }
        ::_exit(0);
    }

    pid_t pid_ = -1;
    Descriptor words_;
    std::string said_;
};

TEST(HeartbeatTrouble, WhoWasStoppedDoesNotBlameOthers) {
    HeartbeatBed bed(loopback_cluster(2, 1, 20ms));
    bed.cluster.dead_after = 10;
    NodeProcess sleeper(bed.cluster, "lb1");
    const auto two = bed.start("lb2", 22);
    const auto said = [&](const char* word) {
        return sleeper.said().find(word) != std::string::npos;
    };
    ASSERT_TRUE(bed.wait_for([&] { return two->all_alive() && said("alive"); }));
    for (int i = 0; i < 3; ++i) {
        sleeper.signal(SIGSTOP);
        ASSERT_TRUE(bed.wait_for([&] { return two->sees(0) == Liveness::dead; }));
        bed.pass(500ms);
        sleeper.signal(SIGCONT);
        ASSERT_TRUE(bed.wait_for([&] { return two->all_alive(); }));
        bed.pass(300ms);
    }
    ASSERT_TRUE(bed.wait_for([&] { return said("slept"); }));
    EXPECT_FALSE(said("dead")) << sleeper.said();
    EXPECT_EQ(two->report.peers[0].incarnation, 1u);
    EXPECT_EQ(two->report.peers[0].died, 3u);
    std::printf("the stopped one said: %s\n", sleeper.said().c_str());
}

// Runs a test in a network namespace of its own; all threads that it starts are in it, too.
void in_namespace(const std::function<void()>& test) {
    bool could = false;
    std::thread([&] {
        could = ::unshare(CLONE_NEWNET) == 0;
        if (could) test();
    }).join();
    if (::geteuid() != 0 && !could) GTEST_SKIP() << "network namespaces need root";
    ASSERT_TRUE(could) << "unshare(CLONE_NEWNET)";
}

void shell(const std::string& command) {
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

model::ClusterConfig two_families() {
    model::ClusterConfig out = loopback_cluster(2, 2, 20ms);
    for (std::size_t i = 0; i < out.nodes.size(); ++i) {
        const std::string number = std::to_string(i + 1);
        out.nodes[i].addresses[0].address = *Address::parse("10.9.0." + number);
        out.nodes[i].addresses[1].address = *Address::parse("fd00::" + number);
        shell("ip address add 10.9.0." + number + "/32 dev lo");
        shell("ip address add fd00::" + number + "/128 dev lo nodad");
    }
    return out;
}

bool by_path(const BedNode& node, std::size_t path) {
    const auto& peers = node.report.peers;
    return !peers.empty() && peers[0].paths[path].hears_us;
}

void expect_gone_and_back(HeartbeatBed& bed, const BedNode& one, const BedNode& two,
                          std::size_t path, const std::string& prefix, const std::string& problem) {
    shell("ip address del " + prefix + " dev lo");
    ASSERT_TRUE(bed.wait_for([&] {
        return one.report.paths[path].problem == problem && !two.report.peers[0].paths[path].heard;
    })) << one.report.paths[path].problem;
    // The other path carries both.
    EXPECT_TRUE(one.report.paths[1 - path].problem.empty());
    EXPECT_TRUE(by_path(one, 1 - path));
    EXPECT_EQ(one.sees(0), Liveness::alive);
    EXPECT_EQ(two.sees(0), Liveness::alive);
    shell("ip address add " + prefix + " dev lo" + (path == 1 ? " nodad" : ""));
    ASSERT_TRUE(bed.wait_for([&] {
        return one.report.paths[path].problem.empty() && by_path(one, path) && by_path(two, path);
    }));
}

TEST(HeartbeatTrouble, AnAddressThatGoesAndComesBack) {
    in_namespace([] {
        shell("ip link set lo up");
        HeartbeatBed bed(two_families());
        bed.cluster.dead_after = 10;
        const auto one = bed.start("lb1", 11);
        const auto two = bed.start("lb2", 22);
        ASSERT_TRUE(bed.wait_for([&] {
            return by_path(*one, 0) && by_path(*one, 1) && by_path(*two, 0) && by_path(*two, 1);
        }));
        expect_gone_and_back(bed, *one, *two, 0, "10.9.0.1/32",
                             "10.9.0.1 is not an address of this host");
        expect_gone_and_back(bed, *one, *two, 1, "fd00::1/128",
                             "fd00::1 is not an address of this host");
        EXPECT_EQ(one->report.peers[0].died, 0u);
        EXPECT_EQ(two->report.peers[0].died, 0u);
        EXPECT_EQ(one->changes.size(), 1u);
    });
}

// With ip_nonlocal_bind an address that is not there can be listened at; nothing can be sent from
// it.
TEST(HeartbeatTrouble, AnAddressThatGoesWhereAnyMayBeBound) {
    in_namespace([] {
        shell("ip link set lo up");
        HeartbeatBed bed(two_families());
        shell("sysctl -q -w net.ipv4.ip_nonlocal_bind=1");
        const auto one = bed.start("lb1", 11);
        const auto two = bed.start("lb2", 22);
        ASSERT_TRUE(bed.wait_for([&] { return by_path(*one, 0) && by_path(*two, 0); }));
        expect_gone_and_back(bed, *one, *two, 0, "10.9.0.1/32",
                             "cannot send to UDP 10.9.0.2:7400: Network is unreachable");
        EXPECT_GT(one->report.paths[0].send_errors, 0u);
    });
}

// Both of its addresses go, so that nothing leaves it: the deadline stays what it was, as long as a
// peer is not known to be dead; then it is alone.
TEST(HeartbeatTrouble, WhoseHeartbeatsDoNotLeavePromisesNothing) {
    in_namespace([] {
        shell("ip link set lo up");
        HeartbeatBed bed(two_families());
        bed.cluster.dead_after = 150;
        VipNode one(bed, "lb1", 11, {{5, 200}});
        VipNode two(bed, "lb2", 22, {{5, 100}});
        ASSERT_TRUE(bed.wait_for([&] {
            one.serve();
            two.serve();
            return one.holds(5) && two.holder(5) == "lb1" && one.report.peers[0].hears_us;
        }));
        Moment before = one.until(5);
        bed.pass(100ms);
        EXPECT_GT(one.until(5), before);
        shell("ip address del 10.9.0.1/32 dev lo && ip address del fd00::1/128 dev lo");
        // From an address of IPv6 that has gone the kernel sends until the socket is closed.
        ASSERT_TRUE(bed.wait_for([&] {
            return !one.report.paths[0].problem.empty() && !one.report.paths[1].problem.empty();
        }));
        bed.pass(100ms);
        before = one.until(5);
        bed.pass(300ms);
        const Moment later = one.until(5);
        ASSERT_EQ(one.report.peers[0].died, 0u) << "a machine that is too slow for this";
        EXPECT_EQ(later, before);
        ASSERT_TRUE(bed.wait_for([&] { return one.until(5) > before; }));
        EXPECT_EQ(one.report.peers[0].died, 1u);
    });
}

// No route to the peer: the path stays open and says what is wrong.
TEST(HeartbeatTrouble, NoWayToThePeer) {
    in_namespace([] {
        shell("ip link set lo up");
        model::ClusterConfig cluster = loopback_cluster(2, 1, 20ms);
        cluster.nodes[0].addresses[0].address = *Address::parse("10.9.0.1");
        cluster.nodes[1].addresses[0].address = *Address::parse("10.9.0.2");
        shell("ip address add 10.9.0.1/32 dev lo");
        HeartbeatBed bed(cluster);
        const auto one = bed.start("lb1", 11);
        ASSERT_TRUE(bed.wait_for(
            [&] { return one->reports > 0 && !one->report.paths[0].problem.empty(); }));
        EXPECT_EQ(one->report.paths[0].problem,
                  "cannot send to UDP 10.9.0.2:7400: Network is unreachable");
        EXPECT_GT(one->report.paths[0].send_errors, 0u);
        shell("ip address add 10.9.0.2/32 dev lo");
        const auto two = bed.start("lb2", 22);
        EXPECT_TRUE(
            bed.wait_for([&] { return one->report.paths[0].problem.empty() && one->all_alive(); }));
    });
}

// Takes a right from the calling thread alone.
bool drop_capability(unsigned number) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
    auto& word = data[number / 32].effective;
    word &= ~(1u << number % 32);
    return ::syscall(SYS_capset, &header, data.data()) == 0;
}

TEST(HeartbeatTrouble, WithoutTheRightToPriority) {
    std::string words;
    int policy = -1;
    std::thread([&] {
        if (!drop_capability(CAP_SYS_NICE)) return;
        words = take_realtime_priority("heartbeat", Urgency::heartbeat);
        policy = ::sched_getscheduler(0);
    }).join();
    EXPECT_EQ(words, "ordinary: SCHED_FIFO is not permitted: Operation not permitted");
    EXPECT_EQ(policy, SCHED_OTHER);
}

}  // namespace
}  // namespace bascule::sync
