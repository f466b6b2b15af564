// SPDX-License-Identifier: Apache-2.0
#include "fuzz_tables.h"

#include <algorithm>

#include "world.h"

namespace bascule::test {

using model::Forward;
using model::Protocol;

namespace {

// A second VIP of each family, which this node does not hold.
Family elsewhere(const Family& family) {
    Family other = family;
    other.vip = family.vip.is_v4() ? address("10.9.0.200") : address("fd09::200");
    return other;
}

std::vector<Way> ways() {
    std::vector<Way> ways;
    for (const NamedWay& named : every_way())
        ways.push_back(named.way);
    for (const bool v4 : {true, false}) {
        Way way = tunnel_way(Forward::ipip, v4);
        way.entropy_bits = 8;
        way.mss = 1000;
        way.copy_dscp = false;
        ways.push_back(way);
        way = tunnel_way(Forward::gue, v4);
        way.entropy_bits = 32;
        way.gue_port = 5555;
        way.vlan = 100;
        way.port = rewritten_port;
        ways.push_back(way);
    }
    Way way = l2_way();
    way.vlan = 100;
    ways.push_back(way);
    way.mss = 536;
    way.port = 65535;
    ways.push_back(way);
    return ways;
}

}  // namespace

FuzzTables::FuzzTables() {
    Served served;
    std::uint16_t port = 1000;
    for (const Way& way : ways()) {
        served.way = way;
        served.ports = {port, port};
        served.mtu = port % 2 == 0 ? 1500 : 1300;
        port++;
        add_everywhere(served);
    }
    for (Way way : {l2_way(), tunnel_way(Forward::gue, true), tunnel_way(Forward::ipip, false)}) {
        way.source = second_source;
        served.way = way;
        served.ports = {port, port};
        served.interface = second_interface;
        port++;
        add_everywhere(served);
    }
    served = {};
    served.ports = {2000, 2999};
    served.way = tunnel_way(Forward::ipip, true);
    add_everywhere(served);
    served.ports = {web, web};
    served.way = l2_way();
    add_everywhere(served);
    served.ports = {name, name};
    add_everywhere(served);
    served.has_backend = false;
    served.ports = {3000, 3000};
    add_everywhere(served);
    served.on_empty = model::OnEmpty::reset;
    served.ports = {3001, 3001};
    add_everywhere(served);

    served = {};
    served.held = false;
    for (const Family* family : {&ipv4_family(), &ipv6_family()}) {
        served.family = elsewhere(*family);
        served.ports = {2500, 40000};
        add(served);
    }
    served.family = elsewhere(ipv6_family());
    served.protocol = Protocol::udp;
    served.ports = {0, 65535};
    served.way = tunnel_way(Forward::gue, true);
    add(served);
}

void FuzzTables::add_everywhere(const Served& served) {
    for (const Family* family : {&ipv4_family(), &ipv6_family()})
        for (const Protocol protocol : {Protocol::tcp, Protocol::udp}) {
            Served each = served;
            each.family = *family;
            each.protocol = protocol;
            add(each);
        }
}

void FuzzTables::add(Served served) {
    const std::size_t number = services_.size() + 1;
    if (served.way.forward != Forward::local)
        served.way.mac = {{0x02, 0, 0, 0xff, static_cast<std::uint8_t>(number >> 8),
                           static_cast<std::uint8_t>(number)}};
    services_.push_back({served, served.way.mac});
}

model::Desired FuzzTables::desired() const {
    model::Desired desired;
    for (const FuzzService& service : services_) {
        const Address& vip = service.served.family.vip;
        if (std::none_of(desired.vips.begin(), desired.vips.end(),
                         [&](const model::DesiredVip& each) { return each.address == vip; }))
            desired.vips.push_back({vip, service.served.held});
        desired.services.push_back(service_of(service.served));
    }
    return desired;
}

const FuzzService* FuzzTables::owner(const Address& vip, Protocol protocol,
                                     std::uint16_t port) const {
    const FuzzService* narrowest = nullptr;
    const auto width = [](const FuzzService& service) {
        return service.served.ports.last - service.served.ports.first;
    };
    for (const FuzzService& service : services_) {
        const Served& served = service.served;
        if (served.family.vip != vip || served.protocol != protocol || port < served.ports.first ||
            port > served.ports.last)
            continue;
        if (narrowest == nullptr || width(service) < width(*narrowest)) narrowest = &service;
    }
    return narrowest;
}

const FuzzService* FuzzTables::by_station(const Mac& mac) const {
    for (const FuzzService& service : services_)
        if (service.station == mac && service.served.way.forward != Forward::local) return &service;
    return nullptr;
}

bool FuzzTables::is_vip(const Address& address) const {
    return std::any_of(services_.begin(), services_.end(), [&](const FuzzService& service) {
        return service.served.family.vip == address;
    });
}

}  // namespace bascule::test
