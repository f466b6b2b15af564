// SPDX-License-Identifier: Apache-2.0
// A node that is well, as `bascule doctor` sees it, for tests to make ill in one thing.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "node/doctor_looks.h"

namespace bascule::node {

inline std::set<std::string> codes_found(const Examination& examination) {
    std::set<std::string> codes;
    for (const DoctorFinding& finding : examination.findings())
        codes.insert(std::string(finding.entry->code));
    return codes;
}

inline DoctorFinding finding_of(const Examination& examination, std::string_view code) {
    for (const DoctorFinding& finding : examination.findings())
        if (finding.entry->code == code) return finding;
    ADD_FAILURE() << "not found: " << code;
    return {};
}

inline DoctorCheck::Result result_of(const Examination& examination, std::string_view code) {
    for (const DoctorCheck& check : examination.checks())
        if (check.entry->code == code) return check.result;
    ADD_FAILURE() << "no such check: " << code;
    return {};
}

using Codes = std::set<std::string>;

// "lb1" with a configuration, a key file and a state directory, as its daemon sees it.
inline NodeLook good_node() {
    NodeLook look;
    look.daemon = NodeLook::Daemon::runs;
    look.main_file = "/etc/bascule/bascule.toml";
    look.config_runs = true;
    NodeLook::KeyFile key;
    key.path = "/etc/bascule/cluster.key";
    key.mode = 0100600;
    look.key = key;
    look.state_dir = "/var/lib/bascule";
    look.state_space = StateSpace{std::uint64_t{1} << 30, 100'000};
    return look;
}

inline KernelLook good_kernel() {
    KernelLook look;
    look.release = "6.1.0-28-amd64";
    look.bpffs = BpffsLook{"/sys/fs/bpf/bascule", "/sys/fs/bpf", true};
    look.jit_enable = 1;
    look.jit_harden = 0;
    look.clock_synchronised = true;
    return look;
}

inline InterfaceLook good_interface(const std::string& name = "eth0") {
    InterfaceLook look;
    look.name = name;
    look.of_node = true;
    Link link;
    link.name = name;
    link.ifindex = 2;
    link.up = link.carrier = link.ethernet = true;
    link.mtu = 1500;
    look.link = link;
    dataplane::XdpSeen seen;
    seen.program = 71;
    seen.ours = true;
    look.xdp = seen;
    look.driver = "ixgbe";
    look.joins = false;
    look.channels = Channels{4, 8, true};
    look.ring = Ring{512, 4096, 1'000'000, 3};
    look.interrupts = std::vector<Interrupt>{{24, 50'000, {0}}, {25, 40'000, {1}}, {26, 3, {0}}};
    look.strict = false;
    return look;
}

inline InterfacesLook good_interfaces() {
    InterfacesLook look;
    look.by_daemon = true;
    look.cpus = 4;
    look.interfaces.push_back(good_interface());
    VipLook vip;
    vip.address = Address::v4({10, 9, 0, 100});
    vip.interface = "eth0";
    vip.other = std::optional<Mac>();
    look.vips.push_back(vip);
    return look;
}

inline WayLook good_way(model::Forward forward = model::Forward::l2) {
    WayLook way;
    way.backend = "web/web1";
    way.address = Address::v4({10, 9, 0, 21});
    way.forward = forward;
    way.interface = "eth0";
    way.mtu = forward == model::Forward::l2 ? 1500 : 1600;
    way.arrival = 1500;
    return way;
}

inline PeerLook good_peer() {
    PeerLook peer;
    peer.name = "lb2";
    peer.skew = std::chrono::milliseconds(3);
    peer.paths = {{"10.9.0.12:7400"}, {"[fd00:9:1::12]:7400"}};
    return peer;
}

inline ClusterLook good_cluster() {
    ClusterLook look;
    look.configured = true;
    look.own = {{"10.9.0.11:7400", true}, {"[fd00:9:1::11]:7400", true}};
    look.paths = 2;
    look.peers.push_back(good_peer());
    look.priority = "SCHED_FIFO 20";
    look.state_dir = "/var/lib/bascule";
    return look;
}

}  // namespace bascule::node
