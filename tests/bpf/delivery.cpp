// SPDX-License-Identifier: Apache-2.0
#include "delivery.h"

namespace bascule::test {

using model::Forward;

const Address& tunnel_end(bool v4) {
    static const Address end4 = address("192.0.2.77"), end6 = address("2001:db8:77::4d");
    return v4 ? end4 : end6;
}

const Address& tunnel_source(bool v4) {
    static const Address source4 = address("192.0.2.1"), source6 = address("2001:db8:77::1");
    return v4 ? source4 : source6;
}

void PrintTo(const NamedWay& named, std::ostream* out) {
    *out << named.name;
}

Way l2_way() {
    Way way;
    way.mac = station;
    way.source = our_mac;
    return way;
}

Way tunnel_way(Forward forward, bool v4) {
    Way way = l2_way();
    way.forward = forward;
    way.remote = tunnel_end(v4);
    way.tunnel_source = tunnel_source(v4);
    return way;
}

Way local_way() {
    Way way;
    way.forward = Forward::local;
    return way;
}

std::vector<NamedWay> every_tunnel() {
    return {{"ipip_v4", tunnel_way(Forward::ipip, true)},
            {"ipip_v6", tunnel_way(Forward::ipip, false)},
            {"gue_v4", tunnel_way(Forward::gue, true)},
            {"gue_v6", tunnel_way(Forward::gue, false)}};
}

std::vector<NamedWay> every_way() {
    std::vector<NamedWay> ways = every_tunnel();
    ways.push_back({"l2", l2_way()});
    ways.push_back({"local", local_way()});
    const std::size_t same_port = ways.size();
    for (std::size_t i = 0; i < same_port; i++) {
        ways.push_back({ways[i].name + "_rewritten", ways[i].way});
        ways.back().way.port = rewritten_port;
    }
    return ways;
}

Verdict verdict_of(const Way& way) {
    return way.forward == Forward::local ? Verdict::pass : Verdict::tx;
}

model::DesiredService service_of(const Served& served) {
    const Way& way = served.way;
    model::DesiredService service;
    service.key = {served.family.vip, served.ports, served.protocol};
    service.options.limits = {model::Seconds(60), model::Seconds(600), model::Seconds(60)};
    service.options.on_empty = served.on_empty;
    service.options.mss_clamp = way.mss;
    service.options.copy_dscp = way.copy_dscp;
    service.ring_size = 101;
    if (!served.has_backend) return service;

    const bool local = way.forward == Forward::local;
    model::DesiredBackend backend = test::backend(served.family, 1);
    if (local) backend.key.address = served.family.vip;
    if (overhead_of(way) != 0) backend.key.address = way.remote;
    backend.key.port = way.port != 0 ? way.port : served.ports.first;
    backend.next_hop = local ? model::NextHop{}
                             : model::NextHop{way.mac, interface_index(served.interface), way.vlan,
                                              way.source, served.mtu};
    backend.delivery.forward = way.forward;
    backend.delivery.rewrite_port = way.port;
    if (overhead_of(way) != 0) {
        backend.delivery.gue_port = way.forward == Forward::gue ? way.gue_port : 0;
        backend.delivery.tunnel_source = way.tunnel_source;
        backend.delivery.entropy_bits = way.entropy_bits;
    }
    service.backends.push_back(backend);
    return service;
}

void Delivery::serve(const std::vector<Served>& all) {
    model::Desired desired;
    for (const Family* family : {&ipv4_family(), &ipv6_family()})
        desired.vips.push_back({family->vip, true});
    for (const Served& served : all) {
        desired.services.push_back(service_of(served));
        for (model::DesiredVip& vip : desired.vips)
            if (vip.address == served.family.vip) vip.held = served.held;
    }
    want(desired);
}

Bytes Delivery::expect_delivered(const Bytes& in, const Way& way, Verdict verdict) {
    const Outcome outcome = engine().run(in);
    EXPECT_EQ(outcome.verdict, verdict);
    EXPECT_EQ(hex(outcome.frame), hex(delivered_frame(in, way, chosen_in(outcome.frame, way))));
    return outcome.frame;
}

Bytes Delivery::expect_delivered(const Bytes& in, const Way& way) {
    return expect_delivered(in, way, verdict_of(way));
}

void Delivery::expect_frame(const Bytes& in, Verdict verdict, const Bytes& out) {
    const Outcome outcome = engine().run(in);
    EXPECT_EQ(outcome.verdict, verdict);
    EXPECT_EQ(hex(outcome.frame), hex(out));
}

void Delivery::expect_counts(const std::vector<std::string>& names) {
    Counts expected;
    for (const std::string& each : names)
        expected[each]++;
    EXPECT_EQ(engine().counted(), expected);
}

Frame web_frame(const Family& family, const Tcp& tcp, std::size_t payload) {
    return Frame().ip(family.client, family.vip).tcp(tcp).payload(payload).checked();
}

Frame name_frame(const Family& family, std::size_t payload) {
    return Frame()
        .ip(family.client, family.vip)
        .udp({.destination = web})
        .payload(payload)
        .checked();
}

Frame frame_for(const Served& served) {
    return served.protocol == model::Protocol::tcp ? web_frame(served.family)
                                                   : name_frame(served.family);
}

}  // namespace bascule::test
