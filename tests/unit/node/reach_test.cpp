// SPDX-License-Identifier: Apache-2.0
#include "node/reach.h"

#include <gtest/gtest.h>

#include "tests/unit/node/config_text.h"

namespace bascule::node {
namespace {

using namespace testing;
using model::Forward;

Address address(const std::string& text) {
    return Address::parse(text).value();
}

const Address near4 = address("10.9.0.21");
const Address far6 = address("2001:db8:7::21");

model::Config tunnels(const std::string& forward, const Address& backend,
                      const std::string& node = {}) {
    return config_of("[node]\ninterfaces = [\"eth0\"]\n" + node +
                     "[[vip]]\naddress = \"10.9.0.100\"\ninterface = \"eth0\"\n"
                     "[[service]]\nname = \"web\"\nvip = \"10.9.0.100\"\nport = 80\nforward = \"" +
                     forward + "\"\n" + backend_text("web1", backend.to_string()));
}

NeighbourState resolved(const Address& at, std::uint16_t mtu = 1500) {
    NeighbourState state;
    state.address = at;
    state.next_hop = model::NextHop{Mac::from_word(7), 3, 0, Mac::from_word(9), mtu};
    state.source = address(at.is_v4() ? "10.9.0.11" : "2001:db8::11");
    return state;
}

Reach reach_of(const model::Config& config, const NeighbourState* neighbour) {
    const auto& service = config.services.at(0);
    return reach(config.node, service, service.backends.at(0), neighbour);
}

TEST(Reach, NothingIsKnownBeforeTheKernelSpeaks) {
    const Reach way = reach_of(tunnels("ipip", near4), nullptr);
    EXPECT_FALSE(way.known);
    EXPECT_FALSE(way.next_hop);
    EXPECT_EQ(way.delivery.forward, Forward::ipip);
}

TEST(Reach, L2NeedsTheSameSegment) {
    const auto config = tunnels("l2", near4);
    NeighbourState state = resolved(near4);
    EXPECT_EQ(reach_of(config, &state).next_hop, state.next_hop);
    EXPECT_EQ(reach_of(config, &state).delivery, model::Delivery{});
    state.via = address("10.9.0.1");
    EXPECT_FALSE(reach_of(config, &state).next_hop);
    EXPECT_EQ(reach_of(config, &state).reason,
              "10.9.0.21 is behind gateway 10.9.0.1: l2 needs the same network segment");
    EXPECT_TRUE(reach_of(tunnels("ipip", near4), &state).next_hop) << "a tunnel goes anywhere";
}

TEST(Reach, ThisHostItselfWouldBeALoop) {
    NeighbourState state;
    state.address = near4;
    state.local = true;
    for (const char* forward : {"l2", "ipip", "gue"}) {
        const Reach way = reach_of(tunnels(forward, near4), &state);
        EXPECT_FALSE(way.next_hop);
        EXPECT_EQ(way.reason, "10.9.0.21 is this host itself: forward = \"local\" delivers here");
    }
}

TEST(Reach, TheReasonOfTheNeighbourIsTold) {
    NeighbourState state;
    state.address = near4;
    state.reason = "no answer to ARP";
    EXPECT_EQ(reach_of(tunnels("gue", near4), &state).reason, "no answer to ARP");
}

TEST(Reach, TheTunnelsSourceIsTheKernelsOrTheFiles) {
    const NeighbourState state = resolved(near4);
    const Reach kernels = reach_of(tunnels("gue", near4), &state);
    EXPECT_EQ(kernels.delivery.tunnel_source, address("10.9.0.11"));
    EXPECT_EQ(kernels.delivery.entropy_bits, 0);
    EXPECT_EQ(kernels.delivery.gue_port, 6080);

    const std::string node =
        "tunnel_source_v4 = \"198.18.0.0/16\"\ntunnel_source_v6 = \"2001:db8:f::/96\"\n";
    const Reach files = reach_of(tunnels("ipip", near4, node), &state);
    EXPECT_EQ(files.delivery.tunnel_source, address("198.18.0.0"));
    EXPECT_EQ(files.delivery.entropy_bits, 16);
    EXPECT_EQ(files.delivery.gue_port, 0);
    const NeighbourState far = resolved(far6);
    const Reach six = reach_of(tunnels("ipip", far6, node), &far);
    EXPECT_EQ(six.delivery.tunnel_source, address("2001:db8:f::"))
        << "of the family of the backend, not of the VIP";
    EXPECT_EQ(six.delivery.entropy_bits, 32);
}

TEST(Reach, ATunnelWithoutASourceIsNone) {
    NeighbourState state = resolved(far6);
    state.source = {};
    const Reach way = reach_of(tunnels("ipip", far6), &state);
    EXPECT_FALSE(way.next_hop);
    EXPECT_EQ(way.reason,
              "no source address for the tunnel to 2001:db8:7::21: set [node] tunnel_source_v6");
}

TEST(Reach, AWayTooSmallForTheTunnelIsSaid) {
    struct Case {
        const char* forward;
        Address backend;
        std::uint16_t least;
    };
    for (const Case& one : {Case{"ipip", near4, 596}, Case{"ipip", far6, 616},
                            Case{"gue", near4, 604}, Case{"gue", far6, 624}}) {
        const auto config = tunnels(one.forward, one.backend);
        const NeighbourState enough = resolved(one.backend, one.least);
        EXPECT_TRUE(reach_of(config, &enough).next_hop) << one.forward;
        const NeighbourState small =
            resolved(one.backend, static_cast<std::uint16_t>(one.least - 1));
        EXPECT_FALSE(reach_of(config, &small).next_hop);
        EXPECT_EQ(reach_of(config, &small).reason, "MTU " + std::to_string(one.least - 1) +
                                                       " of the way to " + one.backend.to_string() +
                                                       " is too small for " + one.forward +
                                                       ": needs " + std::to_string(one.least));
    }
    const NeighbourState tiny = resolved(near4, 100);
    EXPECT_TRUE(reach_of(tunnels("l2", near4), &tiny).next_hop) << "nothing is added to packets";
}

TEST(Reach, IPv6ThroughATunnelNeeds1280) {
    const auto config = config_of(
        "[node]\ninterfaces = [\"eth0\"]\n"
        "[[vip]]\naddress = \"2001:db8::100\"\ninterface = \"eth0\"\n"
        "[[service]]\nname = \"web\"\nvip = \"2001:db8::100\"\nport = 80\n"
        "forward = \"ipip\"\n" +
        backend_text("web1", "10.9.0.21"));
    const NeighbourState enough = resolved(near4, 1300);
    const NeighbourState small = resolved(near4, 1299);
    EXPECT_TRUE(reach_of(config, &enough).next_hop);
    EXPECT_FALSE(reach_of(config, &small).next_hop);
}

TEST(Reach, ThePortIsRewrittenWhereItDiffers) {
    auto config = tunnels("l2", near4);
    config.services[0].backends[0].port = 8080;
    const NeighbourState state = resolved(near4);
    EXPECT_EQ(reach_of(config, &state).delivery.rewrite_port, 8080);
    config.services[0].backends[0].port = 80;
    EXPECT_EQ(reach_of(config, &state).delivery.rewrite_port, 0);
    config.services[0].ports = {8000, 8099};
    config.services[0].backends[0].port = 0;
    EXPECT_EQ(reach_of(config, &state).delivery.rewrite_port, 0);
}

}  // namespace
}  // namespace bascule::node
