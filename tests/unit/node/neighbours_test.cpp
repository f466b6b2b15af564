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
    run("ip link add tun0 type tun 2>/dev/null || ip tuntap add tun0 mode tun");
    run("ip link set tun0 up");
    run("ip route add 192.0.2.0/24 dev tun0");
    run("ip route add 192.0.3.0/24 via 10.9.0.77");
    run("ip route add unreachable 192.0.4.0/24");
    run("ip route add blackhole 192.0.5.0/24");
    const std::map<Address, std::string> wanted{
        {ip("192.0.2.7"), "tun0 has no Ethernet addresses: frames cannot be sent by it"},
        {ip("192.0.3.7"), "gateway 10.9.0.77: no answer to ARP on eth0"},
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
        EXPECT_EQ(reported_[address].local, reason == "is an address of this host itself");
    }
}

TEST_F(Neighbours, WithoutArpNobodyIsResolved) {
    run("ip link set eth0 arp off");
    watch({peer4_});
    EXPECT_TRUE(run_until_reason(peer4_, "eth0 resolves no MAC addresses"));
}

TEST_F(Neighbours, TellTheWholeWay) {
    run("ip addr add 10.9.0.5/24 dev eth0");
    run("ip route add 192.0.2.0/24 dev eth0 src 10.9.0.5 mtu 1400");
    there([] { run("ip addr add 192.0.2.7/32 dev eth1"); });
    watch({peer4_, peer6_, ip("192.0.2.7")});
    ASSERT_TRUE(run_until_resolved(peer4_, mac_there));
    ASSERT_TRUE(run_until_resolved(peer6_, mac_there));
    ASSERT_TRUE(run_until_resolved(ip("192.0.2.7"), mac_there));
    EXPECT_EQ(reported_[peer4_].next_hop->mtu, 1500);
    EXPECT_EQ(reported_[peer4_].next_hop->vlan, 0);
    EXPECT_EQ(reported_[peer4_].next_hop->source_mac.to_string(), mac_here);
    EXPECT_EQ(reported_[peer4_].source, ip("10.9.0.1"));
    EXPECT_EQ(reported_[peer6_].source, ip("2001:db8::1"));
    EXPECT_EQ(reported_[peer4_].via, std::nullopt);
    EXPECT_EQ(reported_[ip("192.0.2.7")].next_hop->mtu, 1400);
    EXPECT_EQ(reported_[ip("192.0.2.7")].source, ip("10.9.0.5"));
}

TEST_F(Neighbours, BehindAGatewayItsMacIsTheNextHop) {
    run("ip route add 192.0.2.0/24 via 10.9.0.2");
    run("ip -6 route add 2001:db8:1::/64 via 2001:db8::2 mtu 1400");
    run("ip route add 192.0.3.0/24 via inet6 2001:db8::2 dev eth0");
    const Address far4 = ip("192.0.2.7");
    const Address far6 = ip("2001:db8:1::7");
    const Address mixed = ip("192.0.3.7");
    watch({far4, far6, mixed});
    for (const Address& target : {far4, far6, mixed}) {
        ASSERT_TRUE(run_until_resolved(target, mac_there)) << target.to_string();
    }
    EXPECT_EQ(reported_[far4].via, peer4_);
    EXPECT_EQ(reported_[far6].via, peer6_);
    EXPECT_EQ(reported_[mixed].via, peer6_);
    EXPECT_EQ(reported_[mixed].source, ip("10.9.0.1"));
    EXPECT_EQ(reported_[far6].next_hop->mtu, 1400);
    // The gateway is watched as a neighbour is.
    there([] {
        write("/proc/sys/net/ipv4/conf/eth1/arp_notify", "0");
        run("ip link set eth1 address 02:00:00:00:00:0c");
    });
    EXPECT_TRUE(run_until_resolved(far4, "02:00:00:00:00:0c"));
    EXPECT_TRUE(run_until_resolved(mixed, "02:00:00:00:00:0c"));
    there([] { run("ip addr del 10.9.0.2/24 dev eth1"); });
    EXPECT_TRUE(run_until_reason(far4, "gateway 10.9.0.2: no answer to ARP on eth0"));
}

TEST_F(Neighbours, AChangedGatewayIsFollowed) {
    NeighbourTiming timing;
    timing.refresh = std::chrono::hours(1);  // so that only the event can be the cause
    timing.settle = milliseconds(20);
    there([] {
        run("ip link add eth2 address 02:00:00:00:00:0d link eth1 type macvlan");
        run("ip addr add 10.9.0.3/24 dev eth2");
        run("ip link set eth2 up");
        // Only the owner of an address answers for it.
        for (const char* name : {"all", "eth1", "eth2"})
            write(std::string("/proc/sys/net/ipv4/conf/") + name + "/arp_ignore", "1");
    });
    run("ip route add 192.0.2.0/24 via 10.9.0.2");
    const Address far = ip("192.0.2.7");
    watch({far}, timing);
    ASSERT_TRUE(run_until_resolved(far, mac_there));
    run("ip route change 192.0.2.0/24 via 10.9.0.3");
    ASSERT_TRUE(run_until_resolved(far, "02:00:00:00:00:0d"));
    EXPECT_EQ(reported_[far].via, ip("10.9.0.3"));
}

TEST_F(Neighbours, AChangedMtuIsReported) {
    NeighbourTiming timing;
    timing.refresh = std::chrono::hours(1);
    timing.settle = milliseconds(20);
    run("ip route add 192.0.2.0/24 via 10.9.0.2 mtu 1400");
    const Address far = ip("192.0.2.7");
    watch({peer4_, far}, timing);
    const auto mtu_of = [&](const Address& target) {
        const auto& hop = reported_[target].next_hop;
        return hop ? hop->mtu : 0;
    };
    ASSERT_TRUE(run_until([&] { return mtu_of(peer4_) == 1500 && mtu_of(far) == 1400; }));
    run("ip link set eth0 mtu 1450");
    ASSERT_TRUE(run_until([&] { return mtu_of(peer4_) == 1450; }));
    run("ip link set eth0 mtu 1300");
    ASSERT_TRUE(run_until([&] { return mtu_of(peer4_) == 1300 && mtu_of(far) == 1300; }));
    run("ip link set eth0 mtu 1500");
    ASSERT_TRUE(run_until([&] { return mtu_of(far) == 1400; }));
    run("ip route change 192.0.2.0/24 via 10.9.0.2 mtu 1350");
    ASSERT_TRUE(run_until([&] { return mtu_of(far) == 1350; }));
}

TEST_F(Neighbours, AChangedMacOfOurOwnIsReported) {
    watch({peer4_});
    ASSERT_TRUE(run_until_resolved(peer4_, mac_there));
    run("ip link set eth0 address 02:00:00:00:00:1a");
    EXPECT_TRUE(run_until([&] {
        const auto& hop = reported_[peer4_].next_hop;
        return hop && hop->source_mac.to_string() == "02:00:00:00:00:1a";
    }));
}

TEST_F(Neighbours, ManyBehindOneGatewayAreOneNeighbour) {
    std::vector<Address> targets;
    for (std::uint8_t i = 1; i <= 100; ++i)
        targets.push_back(Address::v4({192, 0, 2, i}));
    run("ip route add 192.0.2.0/24 via 10.9.0.2");
    NeighbourTiming timing;
    timing.tick = milliseconds(10);
    timing.refresh = std::chrono::hours(1);
    watch(targets, timing);
    ASSERT_TRUE(run_until([&] { return reported_.size() == targets.size(); }));
    for (const Address& target : targets)
        EXPECT_TRUE(reported_[target].next_hop) << target.to_string();
    EXPECT_LE(watch_->counters().asks, 5);
    // The last one that needs it takes it along.
    watch_->set_targets({targets.front()});
    run("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:61 dev eth0");
    EXPECT_TRUE(run_until_resolved(targets.front(), "02:00:00:00:00:61"));
    EXPECT_FALSE(reported_[targets.back()].next_hop->mac.to_string() == "02:00:00:00:00:61");
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
    run("ip route add unreachable 192.0.2.0/24");
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
