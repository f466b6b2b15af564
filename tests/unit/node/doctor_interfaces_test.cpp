// SPDX-License-Identifier: Apache-2.0
// Interfaces, VIPs and ways to backends: one thing ill at a time.
#include "doctor_bed.h"

namespace bascule::node {
namespace {

using Result = DoctorCheck::Result;

Examination examined(const InterfacesLook& look) {
    Examination examination;
    judge_interfaces(look, examination);
    return examination;
}

Examination examined(const std::vector<WayLook>& ways) {
    Examination examination;
    judge_ways(ways, examination);
    return examination;
}

// One interface, made ill.
template <typename Make>
Examination with(Make make) {
    InterfacesLook look = good_interfaces();
    make(look.interfaces[0]);
    return examined(look);
}

TEST(DoctorInterfaces, OnesThatAreWell) {
    const Examination examination = examined(good_interfaces());
    EXPECT_EQ(codes_found(examination), Codes{});
    for (const char* code :
         {"link-missing", "link-down", "xdp-foreign", "xdp-missing", "xdp-generic", "lro-on",
          "rx-one-queue", "rx-overrun", "irq-one-cpu", "vip-claimed"})
        EXPECT_EQ(result_of(examination, code), Result::well) << code;
    for (const char* code : {"vlan-stripped", "rp-filter"})
        EXPECT_EQ(result_of(examination, code), Result::not_needed) << code;
}

TEST(DoctorInterfaces, OneThatIsNotThereOrDown) {
    EXPECT_EQ(codes_found(with([](auto& it) { it.link = failure("interface eth9: no such"); })),
              Codes{"link-missing"});
    const Examination down = with([](auto& it) { it.link->up = it.link->carrier = false; });
    EXPECT_EQ(codes_found(down), Codes{"link-down"});
    EXPECT_EQ(finding_of(down, "link-down").command, "ip link set eth0 up");
}

TEST(DoctorInterfaces, AForeignProgramIsTakenOffAsItWasPutThere) {
    const auto foreign = [](auto& it) {
        it.xdp->ours = false;
        it.xdp->name = "pass_all";
    };
    Examination examination = with(foreign);
    EXPECT_EQ(codes_found(examination), Codes{"xdp-foreign"});
    EXPECT_EQ(finding_of(examination, "xdp-foreign").what,
              "eth0 carries an XDP program that is not Bascule's ('pass_all', id 71)");
    EXPECT_EQ(finding_of(examination, "xdp-foreign").command, "ip link set dev eth0 xdp off");
    examination = with([&](auto& it) {
        foreign(it);
        it.xdp->generic = true;
    });
    EXPECT_EQ(codes_found(examination), Codes{"xdp-foreign"}) << "its mode is its own affair";
    EXPECT_EQ(finding_of(examination, "xdp-foreign").command,
              "ip link set dev eth0 xdpgeneric off");
    examination = with([&](auto& it) {
        foreign(it);
        it.xdp->link = 9;
    });
    EXPECT_EQ(finding_of(examination, "xdp-foreign").command, "bpftool link detach id 9");
}

TEST(DoctorInterfaces, AProgramThatIsMissingOrSlow) {
    InterfacesLook look = good_interfaces();
    look.interfaces[0].xdp->program = 0;
    look.interfaces[0].xdp->ours = false;
    EXPECT_EQ(codes_found(examined(look)), Codes{"xdp-missing"});
    look.by_daemon = false;
    EXPECT_EQ(codes_found(examined(look)), Codes{}) << "there is no daemon that should have put it";
    look = good_interfaces();
    look.interfaces[0].xdp->generic = true;
    look.interfaces[0].xdp_why = "Peer MTU is too large";
    EXPECT_EQ(codes_found(examined(look)), Codes{"xdp-generic"});
    EXPECT_NE(finding_of(examined(look), "xdp-generic").what.find("Peer MTU"), std::string::npos);
    look.generic_meant = true;
    EXPECT_EQ(codes_found(examined(look)), Codes{});
}

TEST(DoctorInterfaces, OffloadsThatHurt) {
    Examination examination = with([](auto& it) { it.joins = true; });
    EXPECT_EQ(codes_found(examination), Codes{"lro-on"});
    EXPECT_EQ(finding_of(examination, "lro-on").command, "ethtool -K eth0 lro off");
    examination = with([](auto& it) { it.strips_tags = true; });
    EXPECT_EQ(codes_found(examination), Codes{}) << "nobody needs tags";
    examination = with([](auto& it) {
        it.strips_tags = true;
        it.vlans = {"eth0.100 (VIP 10.9.0.100)"};
    });
    EXPECT_EQ(codes_found(examination), Codes{"vlan-stripped"});
    EXPECT_EQ(finding_of(examination, "vlan-stripped").command, "ethtool -K eth0 rxvlan off");
    EXPECT_EQ(result_of(with([](auto& it) { it.joins.reset(); }), "lro-on"), Result::not_made);
}

TEST(DoctorInterfaces, QueuesThatAreNotUsed) {
    Examination examination = with([](auto& it) { it.channels = Channels{1, 8, true}; });
    EXPECT_EQ(codes_found(examination), Codes{"rx-one-queue"});
    EXPECT_EQ(finding_of(examination, "rx-one-queue").command, "ethtool -L eth0 combined 4");
    examination = with([](auto& it) { it.channels = Channels{1, 2, false}; });
    EXPECT_EQ(finding_of(examination, "rx-one-queue").command, "ethtool -L eth0 rx 2");
    EXPECT_EQ(codes_found(with([](auto& it) {
                  it.channels = Channels{1, 1, true};
              })),
              Codes{})
        << "there is no other";
    InterfacesLook look = good_interfaces();
    look.cpus = 1;
    look.interfaces[0].channels = Channels{1, 8, true};
    EXPECT_EQ(codes_found(examined(look)), Codes{}) << "there is no other CPU";
}

TEST(DoctorInterfaces, ARingThatIsTooSmall) {
    const auto with_ring = [](const Ring& ring) { return with([&](auto& it) { it.ring = ring; }); };
    const Examination examination = with_ring({512, 4096, 1'000'000, 5'000});
    EXPECT_EQ(codes_found(examination), Codes{"rx-overrun"});
    EXPECT_EQ(finding_of(examination, "rx-overrun").command, "ethtool -G eth0 rx 4096");
    EXPECT_EQ(codes_found(with_ring({4096, 4096, 1'000'000, 5'000})), Codes{}) << "it is full size";
    EXPECT_EQ(codes_found(with_ring({512, 4096, 100'000'000, 5'000})), Codes{}) << "too few";
    EXPECT_EQ(codes_found(with_ring({512, 4096, 50, 50})), Codes{}) << "those of a start";
    EXPECT_EQ(result_of(with_ring({}), "rx-overrun"), Result::not_needed);
}

TEST(DoctorInterfaces, InterruptsOnOneCpu) {
    const auto on = [](std::set<unsigned> first, std::set<unsigned> second, std::uint64_t count) {
        return with([&](auto& it) {
            it.interrupts = std::vector<Interrupt>{{24, count, first}, {25, count, second}};
        });
    };
    const Examination examination = on({2}, {2}, 50'000);
    EXPECT_EQ(codes_found(examination), Codes{"irq-one-cpu"});
    EXPECT_EQ(finding_of(examination, "irq-one-cpu").command,
              "i=0; for q in 24 25; do echo $((i++ % 4)) > /proc/irq/$q/smp_affinity_list; done");
    EXPECT_EQ(codes_found(on({0}, {1}, 50'000)), Codes{});
    EXPECT_EQ(codes_found(on({0, 1}, {0, 1}, 50'000)), Codes{});
    EXPECT_EQ(codes_found(on({2}, {2}, 10)), Codes{}) << "they carry nothing";
}

TEST(DoctorInterfaces, AFilterHurtsOnlyWhomItDrops) {
    EXPECT_EQ(codes_found(with([](auto& it) { it.strict = true; })), Codes{});
    InterfacesLook look = good_interfaces();
    look.interfaces[0] = good_interface("eth0.100");
    look.interfaces[0].strict = true;
    look.interfaces[0].strict_hurts = {"clients, who are answered by eth1"};
    const Examination examination = examined(look);
    EXPECT_EQ(codes_found(examination), Codes{"rp-filter"});
    EXPECT_EQ(finding_of(examination, "rp-filter").command,
              "sysctl -w net.ipv4.conf.eth0/100.rp_filter=2")
        << "a dot parts sysctl's words";
    look.interfaces[0].strict = false;
    EXPECT_EQ(codes_found(examined(look)), Codes{});
    EXPECT_EQ(result_of(examined(look), "rp-filter"), Result::well);
}

TEST(DoctorInterfaces, AnotherHostThatHasAVip) {
    InterfacesLook look = good_interfaces();
    look.vips[0].other = Mac::parse("02:ba:5c:00:03:66");
    EXPECT_EQ(codes_found(examined(look)), Codes{"vip-claimed"});
    EXPECT_EQ(finding_of(examined(look), "vip-claimed").what,
              "10.9.0.100 on eth0 is answered for by 02:ba:5c:00:03:66");
    look.vips[0].spared = "a peer may rightly hold it";
    EXPECT_EQ(codes_found(examined(look)), Codes{});
    look.vips[0].spared.clear();
    look.vips[0].other = failure("probe 10.9.0.100 on eth0: Network is down");
    EXPECT_EQ(result_of(examined(look), "vip-claimed"), Result::not_made);
}

TEST(DoctorWays, OnesThatAreWell) {
    const Examination examination =
        examined(std::vector{good_way(), good_way(model::Forward::gue)});
    EXPECT_EQ(codes_found(examination), Codes{});
    for (const char* code :
         {"backend-is-here", "backend-no-route", "backend-silent", "backend-behind-gateway",
          "tunnel-no-source", "way-too-small", "way-narrow"})
        EXPECT_EQ(result_of(examination, code), Result::well) << code;
    const Examination local = examined(std::vector{good_way(model::Forward::local)});
    for (const char* code : {"backend-silent", "backend-behind-gateway", "way-narrow"})
        EXPECT_EQ(result_of(local, code), Result::not_needed) << code;
    EXPECT_EQ(result_of(examined(std::vector{good_way()}), "way-too-small"), Result::not_needed);
}

TEST(DoctorWays, BackendsThatCannotBeReached) {
    WayLook way = good_way();
    way.resolved = false;
    way.reason = "no answer to ARP on eth0";
    WayLook other = way;
    other.backend = "web6/web1";
    const Examination examination = examined(std::vector{way, other, good_way()});
    EXPECT_EQ(codes_found(examination), Codes{"backend-silent"});
    ASSERT_EQ(examination.findings().size(), 1u) << "one cause";
    EXPECT_EQ(examination.findings()[0].what,
              "web/web1, web6/web1: 10.9.0.21: no answer to ARP on eth0");
    way.routed = false;
    way.reason = "no route";
    EXPECT_EQ(codes_found(examined(std::vector{way})), Codes{"backend-no-route"});
    way.here = true;
    EXPECT_EQ(codes_found(examined(std::vector{way})), Codes{"backend-is-here"});
}

TEST(DoctorWays, GatewaysAndTunnels) {
    WayLook way = good_way();
    way.behind_gateway = true;
    EXPECT_EQ(codes_found(examined(std::vector{way})), Codes{"backend-behind-gateway"});
    way.forward = model::Forward::ipip;
    way.mtu = 1520;
    EXPECT_EQ(codes_found(examined(std::vector{way})), Codes{});
    way.tunnel_source = false;
    EXPECT_EQ(codes_found(examined(std::vector{way})), Codes{"tunnel-no-source"});
}

TEST(DoctorWays, RoomForATunnel) {
    WayLook way = good_way(model::Forward::gue);
    way.mtu = 1500;
    Examination examination = examined(std::vector{way});
    EXPECT_EQ(codes_found(examination), Codes{"way-narrow"});
    EXPECT_EQ(finding_of(examination, "way-narrow").command, "ip link set eth0 mtu 1528");
    way.mtu = 603;  // 576 and the tunnel's 28, less one
    examination = examined(std::vector{way});
    EXPECT_EQ(codes_found(examination), Codes{"way-too-small"});
    EXPECT_EQ(finding_of(examination, "way-too-small").command, "ip link set eth0 mtu 604");
    way.mtu = 604;
    EXPECT_EQ(codes_found(examined(std::vector{way})), Codes{"way-narrow"});
    way.vip_v4 = false;
    EXPECT_EQ(codes_found(examined(std::vector{way})), Codes{"way-too-small"});
    way = good_way();
    way.mtu = 1400;
    EXPECT_EQ(codes_found(examined(std::vector{way})), Codes{"way-narrow"});
}

}  // namespace
}  // namespace bascule::node
