// SPDX-License-Identifier: Apache-2.0
#include "node/neighbours.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using std::chrono::milliseconds;
using testing::ip;

class Neighbours : public testing::Namespaces {
protected:
    void SetUp() override {
        Namespaces::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        // What takes the kernel minutes takes it a second.
        for (const std::string family : {"ipv4", "ipv6"}) {
            const std::string base = "/proc/sys/net/" + family + "/neigh/eth0/";
            write(base + "retrans_time_ms", "100");
            write(base + "base_reachable_time_ms", "500");
            write(base + "delay_first_probe_time", "1");
        }
    }
    void TearDown() override {
        watch_.reset();
        Namespaces::TearDown();
    }

    void watch(const std::vector<Address>& targets) {
        NeighbourTiming timing;
        timing.refresh = milliseconds(300);
        timing.retry = milliseconds(100);
        timing.tick = milliseconds(10);
        timing.settle = milliseconds(20);
        watch(targets, timing);
    }
    void watch(const std::vector<Address>& targets, const NeighbourTiming& timing) {
        auto opened = NeighbourWatch::open(
            io_,
            [this](const std::vector<NeighbourState>& states) {
                for (const NeighbourState& state : states) {
                    reported_[state.address] = state;
                    ++reports_[state.address];
                }
            },
            timing);
        ASSERT_TRUE(opened) << opened.error().text();
        watch_ = std::move(*opened);
        watch_->set_targets(targets);
        EXPECT_TRUE(reported_.empty()) << "called from inside set_targets()";
    }

    bool run_until_resolved(const Address& target, const std::string& mac) {
        return run_until([&] {
            const auto& hop = reported_[target].next_hop;
            return hop && hop->mac.to_string() == mac && hop->ifindex == if_nametoindex("eth0");
        });
    }
    bool run_until_reason(const Address& target, const std::string& reason) {
        return run_until([&] { return reported_[target].reason == reason; });
    }

    const Address peer4_ = ip("10.9.0.2");
    const Address peer6_ = ip("2001:db8::2");
    std::map<Address, NeighbourState> reported_;
    std::map<Address, int> reports_;
    std::unique_ptr<NeighbourWatch> watch_;
};

TEST_F(Neighbours, AreResolvedThoughNobodyElseTalksToThem) {
    watch({peer4_, peer6_});
    EXPECT_EQ(watch_->get(peer4_), std::nullopt);
    EXPECT_TRUE(run_until_resolved(peer4_, mac_there));
    EXPECT_TRUE(run_until_resolved(peer6_, mac_there));
    EXPECT_EQ(watch_->get(peer4_), reported_[peer4_]);
}

TEST_F(Neighbours, NobodyThereIsSaid) {
    watch({ip("10.9.0.77"), ip("2001:db8::77")});
    EXPECT_TRUE(run_until_reason(ip("10.9.0.77"), "no answer to ARP on eth0"));
    EXPECT_TRUE(
        run_until_reason(ip("2001:db8::77"), "no answer to neighbour solicitation on eth0"));
    // Asked again and again, but said once.
    run_for(milliseconds(1000));
    EXPECT_EQ(reports_[ip("10.9.0.77")], 1);
}

TEST_F(Neighbours, ALateComerIsFound) {
    watch({ip("10.9.0.77")});
    ASSERT_TRUE(run_until_reason(ip("10.9.0.77"), "no answer to ARP on eth0"));
    there([] { run("ip addr add 10.9.0.77/24 dev eth1"); });
    EXPECT_TRUE(run_until_resolved(ip("10.9.0.77"), mac_there));
}

// Stale entries are checked again, without any traffic and without any announcement.
TEST_F(Neighbours, AChangedMacIsNoticed) {
    there([] {
        write("/proc/sys/net/ipv4/conf/eth1/arp_notify", "0");
        write("/proc/sys/net/ipv6/conf/eth1/ndisc_notify", "0");
    });
    watch({peer4_, peer6_});
    ASSERT_TRUE(run_until_resolved(peer4_, mac_there));
    ASSERT_TRUE(run_until_resolved(peer6_, mac_there));
    there([] { run("ip link set eth1 address 02:00:00:00:00:0c"); });
    EXPECT_TRUE(run_until_resolved(peer4_, "02:00:00:00:00:0c"));
    EXPECT_TRUE(run_until_resolved(peer6_, "02:00:00:00:00:0c"));
}

TEST_F(Neighbours, AVanishedOneIsReported) {
    watch({peer4_, peer6_});
    ASSERT_TRUE(run_until_resolved(peer4_, mac_there));
    ASSERT_TRUE(run_until_resolved(peer6_, mac_there));
    there([] {
        run("ip addr del 10.9.0.2/24 dev eth1");
        run("ip addr del 2001:db8::2/64 dev eth1");
    });
    EXPECT_TRUE(run_until_reason(peer4_, "no answer to ARP on eth0"));
    EXPECT_TRUE(run_until_reason(peer6_, "no answer to neighbour solicitation on eth0"));
    EXPECT_EQ(reported_[peer4_].next_hop, std::nullopt);
}

TEST_F(Neighbours, AFlushOfTheTableIsNoFailure) {
    watch({peer4_, peer6_});
    ASSERT_TRUE(run_until_resolved(peer4_, mac_there));
    ASSERT_TRUE(run_until_resolved(peer6_, mac_there));
    const auto before = reports_;
    run("ip neigh flush all");
    run_for(milliseconds(1000));
    EXPECT_EQ(reports_, before);
    EXPECT_NE(output("ip neigh show 10.9.0.2").find(mac_there), std::string::npos);
}

TEST_F(Neighbours, WhatCannotBeANextHopHasItsReason) {
    run("ip route add 192.0.2.0/24 via 10.9.0.2");
    run("ip -6 route add 2001:db8:1::/64 via 2001:db8::2");
    run("ip route add 192.0.3.0/24 via inet6 2001:db8::2 dev eth0");
    run("ip route add unreachable 192.0.4.0/24");
    run("ip route add blackhole 192.0.5.0/24");
    const std::map<Address, std::string> wanted{
        {ip("192.0.2.7"), "behind the gateway 10.9.0.2: l2 needs a backend on the same network"},
        {ip("2001:db8:1::7"),
         "behind the gateway 2001:db8::2: l2 needs a backend on the same network"},
        {ip("192.0.3.7"), "behind the gateway 2001:db8::2: l2 needs a backend on the same network"},
        {ip("192.0.4.7"), "unreachable by a route"},
        {ip("192.0.5.7"), "a blackhole route"},
        {ip("10.9.0.1"), "is an address of this host itself"},
        {ip("2001:db8::1"), "is an address of this host itself"},
        {ip("10.9.0.255"), "is not the address of one host"},
        {ip("203.0.113.7"), "no route"},
        {ip("2001:db8:9::7"), "no route"},
    };
    std::vector<Address> targets;
    for (const auto& [address, reason] : wanted)
        targets.push_back(address);
    watch(targets);
    ASSERT_TRUE(run_until([&] { return reported_.size() == wanted.size(); }));
    for (const auto& [address, reason] : wanted) {
        EXPECT_EQ(reported_[address].reason, reason) << address.to_string();
        EXPECT_EQ(reported_[address].next_hop, std::nullopt);
    }
}

TEST_F(Neighbours, FollowTheRoutes) {
    NeighbourTiming timing;
    timing.refresh = std::chrono::hours(1);  // so that only the event can be the cause
    timing.retry = milliseconds(100);
    timing.settle = milliseconds(20);
    const Address far = ip("198.51.100.7");
    there([] { run("ip addr add 198.51.100.7/32 dev eth1"); });
    watch({far}, timing);
    ASSERT_TRUE(run_until_reason(far, "no route"));
    run("ip route add 198.51.100.0/24 dev eth0");
    ASSERT_TRUE(run_until_resolved(far, mac_there));
    run("ip route del 198.51.100.0/24 dev eth0");
    ASSERT_TRUE(run_until_reason(far, "no route"));
    run("ip addr add 198.51.100.7/32 dev eth0");
    ASSERT_TRUE(run_until_reason(far, "is an address of this host itself"));
}

TEST_F(Neighbours, FollowALinkThatGoesAndReturns) {
    watch({peer4_});
    ASSERT_TRUE(run_until_resolved(peer4_, mac_there));
    run("ip link set eth0 down");
    ASSERT_TRUE(run_until_reason(peer4_, "no route"));
    run("ip link set eth0 up");
    EXPECT_TRUE(run_until_resolved(peer4_, mac_there));
}

TEST_F(Neighbours, APermanentEntryIsUsedAndLeftAlone) {
    run("ip neigh add 10.9.0.60 lladdr 02:00:00:00:00:60 nud permanent dev eth0");
    watch({ip("10.9.0.60")});
    ASSERT_TRUE(run_until_resolved(ip("10.9.0.60"), "02:00:00:00:00:60"));
    run_for(milliseconds(1000));
    EXPECT_NE(output("ip neigh show 10.9.0.60").find("PERMANENT"), std::string::npos);
    EXPECT_EQ(watch_->counters().asks, 0);
}

TEST_F(Neighbours, TargetsComeAndGo) {
    watch({peer4_});
    ASSERT_TRUE(run_until_resolved(peer4_, mac_there));
    watch_->set_targets({peer4_, peer6_});
    ASSERT_TRUE(run_until_resolved(peer6_, mac_there));
    EXPECT_EQ(reports_[peer4_], 1);
    watch_->set_targets({peer6_});
    EXPECT_EQ(watch_->get(peer4_), std::nullopt);
    run("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:61 dev eth0");
    run_for(milliseconds(300));
    EXPECT_EQ(reports_[peer4_], 1);
    watch_->set_targets({});
    run_for(milliseconds(100));
}

TEST_F(Neighbours, AnOverrunIsMendedByADump) {
    watch({peer4_});
    ASSERT_TRUE(run_until_resolved(peer4_, mac_there));
    // More events than the socket holds, while nobody reads it; the last one is surely lost.
    const auto set = [&](const Address& address, const Mac& mac) {
        ndmsg info{};
        info.ndm_family = AF_INET;
        info.ndm_ifindex = static_cast<int>(if_nametoindex("eth0"));
        info.ndm_state = NUD_PERMANENT;
        NetlinkMessage message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
        message.fixed(info).attribute(NDA_DST, address);
        message.attribute(NDA_LLADDR, std::span<const std::uint8_t>(mac.bytes));
        ASSERT_TRUE(requests_->change(message));
    };
    for (std::uint64_t i = 0; i < 20'000; ++i) {
        set(ip("10.9.0.200"), Mac::from_word(0x02 + (i << 16)));
    }
    set(peer4_, Mac::parse("02:00:00:00:00:62").value());
    ASSERT_TRUE(run_until_resolved(peer4_, "02:00:00:00:00:62"));
    EXPECT_GE(watch_->counters().overruns, 1);
}

TEST_F(Neighbours, ManyAreAskedInBatches) {
    std::vector<Address> targets;
    for (std::uint8_t i = 1; i <= 100; ++i)
        targets.push_back(Address::v4({192, 0, 2, i}));
    run("ip route add 192.0.2.0/24 via 10.9.0.2");
    NeighbourTiming timing;
    timing.batch = 10;
    timing.tick = milliseconds(10);
    timing.refresh = std::chrono::hours(1);
    watch(targets, timing);
    ASSERT_TRUE(run_until([&] { return watch_->counters().route_lookups > 0; }));
    EXPECT_LE(watch_->counters().route_lookups, 10);
    ASSERT_TRUE(run_until([&] { return reported_.size() == targets.size(); }));
    // Not each in every tick; a late event of the fresh namespace may cause one more round.
    run_for(milliseconds(600));
    EXPECT_LE(watch_->counters().route_lookups, 200);
    EXPECT_EQ(watch_->counters().asks, 0);
}

// Routes that change all the time: every target still gets its look-up.
TEST_F(Neighbours, RestlessRoutesStarveNobody) {
    std::vector<Address> targets;
    for (std::uint8_t i = 1; i <= 40; ++i)
        targets.push_back(Address::v4({192, 0, 2, i}));
    NeighbourTiming timing;
    timing.batch = 2;
    timing.tick = milliseconds(10);
    timing.settle = milliseconds(1);
    watch(targets, timing);
    const auto done = [&] { return reported_.size() == targets.size(); };
    for (int i = 0; i < 200 && !done(); ++i) {
        run("ip route add 198.51.100.0/24 dev eth0");
        run("ip route del 198.51.100.0/24 dev eth0");
        run_for(milliseconds(5));
    }
    EXPECT_TRUE(done());
}

TEST_F(Neighbours, DestroyedItIsSilent) {
    watch({peer4_});
    run_for(milliseconds(5));
    watch_.reset();
    reported_.clear();
    run_for(milliseconds(300));
    EXPECT_TRUE(reported_.empty());
}

}  // namespace
}  // namespace bascule::node
