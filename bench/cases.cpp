// SPDX-License-Identifier: Apache-2.0
#include "bench/cases.h"

#include <algorithm>
#include <stdexcept>

#include "bench/driver.h"
#include "checksum.h"
#include "world.h"

namespace bascule::bench {

namespace {

using namespace test;
using model::Forward;

constexpr std::uint8_t backends = 8;
constexpr std::uint16_t first_port = 8000;

struct Mode {
    std::string name;
    Way way;
    const char* interface = first_interface;
    std::uint16_t more_ports = 0;  // beyond its own: a range
};

std::vector<Mode> modes() {
    const auto rewritten = [](Way way) {
        way.port = rewritten_port;
        return way;
    };
    Way out = l2_way();
    out.source = second_source;
    return {{"l2", l2_way()},
            {"l2 rewritten", rewritten(l2_way())},
            {"l2 redirected", out, second_interface},
            {"l2 by range", l2_way(), first_interface, 99},
            {"ipip v4", tunnel_way(Forward::ipip, true)},
            {"ipip v6", tunnel_way(Forward::ipip, false)},
            {"ipip v4 rewritten", rewritten(tunnel_way(Forward::ipip, true))},
            {"gue v4", tunnel_way(Forward::gue, true)},
            {"gue v6", tunnel_way(Forward::gue, false)},
            {"local", local_way()},
            {"local rewritten", rewritten(local_way())}};
}

std::uint16_t port_of(const std::string& mode) {
    const std::vector<Mode> all = modes();
    for (std::size_t i = 0; i < all.size(); i++)
        if (all[i].name == mode) return static_cast<std::uint16_t>(first_port + 200 * i);
    throw std::logic_error("no mode " + mode);
}

constexpr std::uint16_t port_of_nobody = 7;

// Several, told apart by their last byte; this host's own by their port.
std::vector<model::DesiredBackend> many_backends(const model::DesiredBackend& one, bool local) {
    std::vector<model::DesiredBackend> all;
    for (std::uint8_t number = 1; number <= backends; number++) {
        all.push_back(one);
        model::DesiredBackend& each = all.back();
        if (local) {
            each.key.port = static_cast<std::uint16_t>(each.key.port + number);
            if (each.delivery.rewrite_port != 0) each.delivery.rewrite_port = each.key.port;
            continue;
        }
        Address::Bytes bytes = each.key.address.bytes();
        bytes[15] = static_cast<std::uint8_t>(10 + number);
        each.key.address = Address(bytes);
        each.next_hop->mac = backend_mac(number);
    }
    return all;
}

}  // namespace

std::string hit_name(const Family& family, const std::string& mode, std::uint32_t flows) {
    return family.name + " " + mode + ", " + std::to_string(flows) + " flows";
}

Way way_of(const std::string& mode) {
    for (const Mode& each : modes())
        if (each.name == mode) return each.way;
    throw std::logic_error("no mode " + mode);
}

model::Desired tables() {
    model::Desired desired;
    for (const Family* family : {&ipv4_family(), &ipv6_family()}) {
        desired.vips.push_back({family->vip, true});
        for (const Mode& mode : modes()) {
            Served served;
            served.family = *family;
            served.way = mode.way;
            served.interface = mode.interface;
            const std::uint16_t port = port_of(mode.name);
            served.ports = {port, static_cast<std::uint16_t>(port + mode.more_ports)};
            model::DesiredService service = service_of(served);
            service.ring_size = 65537;
            service.options.limits.established = model::Seconds(3600);
            service.backends =
                many_backends(service.backends.at(0), mode.way.forward == Forward::local);
            desired.services.push_back(std::move(service));
        }
    }
    return desired;
}

std::vector<Case> cases(std::uint32_t many) {
    const std::uint32_t usual = many / 50;
    std::vector<Case> list;
    for (const Family* family : {&ipv4_family(), &ipv6_family()}) {
        const auto hit = [&](const std::string& mode, std::uint32_t flows) {
            list.push_back({hit_name(*family, mode, flows), *family, Kind::hit, flows, mode});
        };
        for (const std::string mode : {"l2", "ipip v4", "ipip v6"})
            for (const std::uint32_t flows : {1U, usual, many})
                hit(mode, flows);
        for (const Mode& mode : modes())
            if (mode.name != "l2" && mode.name != "ipip v4" && mode.name != "ipip v6")
                hit(mode.name, usual);
        const auto add = [&](const std::string& name_of_case, Kind kind, std::uint32_t flows) {
            list.push_back({family->name + " " + name_of_case, *family, kind, flows});
        };
        add("by the ring", Kind::ring, usual);
        add("new flow", Kind::fresh, 0);
        add("dropped (flags)", Kind::dropped, usual);
        add("VIP, no service", Kind::no_service, usual);
        add("not for a VIP", Kind::other, usual);
    }
    return list;
}

Bytes opening_of(const Case& measured, std::uint8_t flags, std::uint32_t sequence) {
    const Address& to = measured.kind == Kind::other ? measured.family.other : measured.family.vip;
    const std::uint16_t port =
        measured.kind == Kind::no_service ? port_of_nobody : port_of(measured.mode);
    const auto frame = [&](std::size_t payload) -> Bytes {
        // "Don't fragment", as clients that discover the path's MTU have it.
        Frame made = to.is_v4() ? Frame().ipv4({.source = measured.family.client,
                                                .destination = to,
                                                .fragment_word = 0x4000})
                                : Frame().ip(measured.family.client, to);
        return made.tcp({.destination = port, .sequence = sequence, .flags = flags})
            .payload(payload);
    };
    return frame(template_bytes - frame(0).size());
}

Bytes frame_of(const Case& measured) {
    switch (measured.kind) {
        case Kind::fresh:
            return opening_of(measured, syn, 1000);
        case Kind::dropped:
            return opening_of(measured, syn | fin, 1000);
        case Kind::ring:
            return opening_of(measured, rst, 1000);
        case Kind::hit:
        case Kind::no_service:
        case Kind::other:
            break;
    }
    return opening_of(measured, ack, 1001);
}

}  // namespace bascule::bench
