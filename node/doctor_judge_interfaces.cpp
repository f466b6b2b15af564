// SPDX-License-Identifier: Apache-2.0
// Interfaces and VIPs: what hurts XDP, and what it does not see. Pure; any thread.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "node/doctor_looks.h"

namespace bascule::node {

namespace {

constexpr std::size_t most_named = 3;
// Interrupts that came this often carry traffic.
constexpr std::uint64_t busy_interrupts = 1000;

std::string some(const std::vector<std::string>& names) {
    const auto told = static_cast<long>(std::min(names.size(), most_named));
    std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + told, ", "));
    if (names.size() > most_named) text += fmt::format(" and {} more", names.size() - most_named);
    return text;
}

// As sysctl wants it: a dot parts its words.
std::string sysctl_name(std::string interface) {
    std::replace(interface.begin(), interface.end(), '.', '/');
    return interface;
}

void judge_foreign(const InterfaceLook& it, Examination& examination) {
    const dataplane::XdpSeen& seen = *it.xdp;
    const std::string name = seen.name.empty() ? "" : fmt::format("'{}', ", seen.name);
    const std::string detach = seen.link != 0 ? fmt::format("bpftool link detach id {}", seen.link)
                                              : fmt::format("ip link set dev {} {} off", it.name,
                                                            seen.generic ? "xdpgeneric" : "xdp");
    examination.found("xdp-foreign",
                      fmt::format("{} carries an XDP program that is not Bascule's ({}id {})",
                                  it.name, name, seen.program),
                      {{"detach", detach}, {"id", std::to_string(seen.program)}});
}

void judge_xdp(const InterfacesLook& look, const InterfaceLook& it, Examination& examination) {
    const auto codes = {"xdp-foreign", "xdp-missing", "xdp-generic"};
    if (!it.xdp) {
        for (const char* code : codes)
            examination.fail(code, fmt::format("{}: {}", it.name, it.xdp.error().text()));
        return;
    }
    examination.look("xdp-foreign");
    const std::string why = it.xdp_why.empty() ? "" : ": " + it.xdp_why;
    if (it.xdp->program != 0 && !it.xdp->ours) judge_foreign(it, examination);
    if (!look.by_daemon) {
        examination.spare("xdp-missing", "no basculed answers");
    } else {
        examination.look("xdp-missing");
        if (it.xdp->program == 0)
            examination.found("xdp-missing", it.name + " carries no program" + why);
    }
    examination.look("xdp-generic");
    if (it.xdp->ours && it.xdp->generic && !look.generic_meant)
        examination.found(
            "xdp-generic",
            fmt::format("{} ({}) runs the program in generic mode{}", it.name,
                        it.driver.empty() ? "driver not known" : "driver " + it.driver, why));
}

void judge_offloads(const InterfaceLook& it, Examination& examination) {
    const Examination::Words words{{"interface", it.name}};
    if (it.vlans.empty()) {
        examination.spare("vlan-stripped", "no VIP and no way to a backend uses a VLAN");
    } else {
        examination.look("vlan-stripped");
        if (it.strips_tags)
            examination.found(
                "vlan-stripped",
                fmt::format("{} takes VLAN tags off: needed by {}", it.name, some(it.vlans)),
                words);
    }
    if (!it.joins) return examination.fail("lro-on", it.name + " does not tell");
    examination.look("lro-on");
    if (*it.joins) examination.found("lro-on", it.name + " joins what it receives", words);
}

void judge_queues(const InterfaceLook& it, unsigned cpus, Examination& examination) {
    if (cpus == 1) return examination.spare("rx-one-queue", "this host has one CPU");
    // The far end of a veth decides how many of its queues are of use.
    if (!it.link->kind.empty())
        return examination.spare("rx-one-queue", "no hardware: " + it.link->kind);
    if (!it.channels)
        return examination.fail("rx-one-queue",
                                fmt::format("{}: {}", it.name, it.channels.error().text()));
    examination.look("rx-one-queue");
    if (it.channels->now != 1 || it.channels->most < 2) return;
    const std::uint32_t wanted = std::min(it.channels->most, cpus);
    examination.found(
        "rx-one-queue",
        fmt::format("{} receives by 1 queue of {}; this host has {} CPUs", it.name,
                    it.channels->most, cpus),
        {{"interface", it.name},
         {"channels", fmt::format("{} {}", it.channels->combined ? "combined" : "rx", wanted)}});
}

// One frame in ten thousand, and the odd one of a start is none of these.
void judge_ring(const InterfaceLook& it, Examination& examination) {
    constexpr std::uint64_t most_missed = 100;
    constexpr std::uint64_t one_in = 10'000;
    if (!it.ring)
        return examination.fail("rx-overrun",
                                fmt::format("{}: {}", it.name, it.ring.error().text()));
    const Ring& ring = *it.ring;
    if (ring.most == 0) return examination.spare("rx-overrun", "no interface with a receive ring");
    examination.look("rx-overrun");
    if (ring.missed < most_missed || ring.missed * one_in < ring.received) return;
    if (ring.now >= ring.most) return;
    examination.found("rx-overrun",
                      fmt::format("{} has missed {} frames beside {}; its ring has {} places of {}",
                                  it.name, ring.missed, ring.received, ring.now, ring.most),
                      {{"interface", it.name}, {"most", std::to_string(ring.most)}});
}

void judge_interrupts(const InterfaceLook& it, unsigned cpus, Examination& examination) {
    if (cpus == 1) return examination.spare("irq-one-cpu", "this host has one CPU");
    if (!it.interrupts)
        return examination.fail("irq-one-cpu",
                                fmt::format("{}: {}", it.name, it.interrupts.error().text()));
    std::vector<unsigned> busy;
    std::set<unsigned> serving;
    for (const Interrupt& interrupt : *it.interrupts) {
        if (interrupt.count < busy_interrupts) continue;
        busy.push_back(interrupt.number);
        serving.insert(interrupt.cpus.begin(), interrupt.cpus.end());
    }
    if (busy.size() < 2)
        return examination.spare("irq-one-cpu", "no interface with several busy interrupts");
    examination.look("irq-one-cpu");
    if (serving.size() != 1) return;
    examination.found("irq-one-cpu",
                      fmt::format("all {} busy interrupts of {} are served by CPU {}", busy.size(),
                                  it.name, *serving.begin()),
                      {{"spread", fmt::format("i=0; for q in {}; do echo $((i++ % {})) > "
                                              "/proc/irq/$q/smp_affinity_list; done",
                                              fmt::join(busy, " "), cpus)}});
}

void judge_filter(const InterfaceLook& it, Examination& examination) {
    if (it.strict_hurts.empty())
        return examination.spare("rp-filter",
                                 "nobody is answered by another interface than he comes by");
    if (!it.strict)
        return examination.fail("rp-filter",
                                fmt::format("{}: {}", it.name, it.strict.error().text()));
    examination.look("rp-filter");
    if (*it.strict)
        examination.found("rp-filter",
                          fmt::format("{} has a strict reverse path filter, which drops {}",
                                      it.name, some(it.strict_hurts)),
                          {{"sysctl", sysctl_name(it.name)}});
}

void judge_interface(const InterfacesLook& look, const InterfaceLook& it,
                     Examination& examination) {
    examination.look("link-missing");
    if (!it.link) return examination.found("link-missing", it.link.error().text());
    examination.look("link-down");
    if (!it.link->carrier)
        examination.found("link-down",
                          it.name + (it.link->up ? ": the far end is not there" : " is down"),
                          {{"interface", it.name}});
    if (it.of_node) judge_xdp(look, it, examination);
    judge_filter(it, examination);
    // What a VLAN interface or a bond says of itself is not the NIC's.
    if (!it.of_node && it.link->bond == 0) return;
    judge_offloads(it, examination);
    judge_queues(it, look.cpus, examination);
    judge_ring(it, examination);
    judge_interrupts(it, look.cpus, examination);
}

void judge_vip(const VipLook& vip, Examination& examination) {
    if (!vip.spared.empty()) return examination.spare("vip-claimed", vip.spared);
    if (!vip.other) return examination.fail("vip-claimed", vip.other.error().text());
    examination.look("vip-claimed");
    if (*vip.other)
        examination.found("vip-claimed",
                          fmt::format("{} on {} is answered for by {}", vip.address.to_string(),
                                      vip.interface, (*vip.other)->to_string()));
}

}  // namespace

void judge_interfaces(const InterfacesLook& look, Examination& examination) {
    for (const InterfaceLook& it : look.interfaces)
        judge_interface(look, it, examination);
    for (const VipLook& vip : look.vips)
        judge_vip(vip, examination);
}

}  // namespace bascule::node
