// SPDX-License-Identifier: Apache-2.0
#include "node/doctor_catalogue.h"

#include <array>

namespace bascule::node {

namespace {

using enum Severity;

constexpr DoctorEntry node_entries[] = {
    {"daemon-down", problem, "whether basculed runs",
     "Nobody minds this node. If an engine was left in the kernel it forwards on as it was, with "
     "no "
     "checks and no VIP taken over; else nothing is balanced here.",
     "systemctl restart basculed", "If it does not stay up: journalctl -u basculed -n 50"},
    {"daemon-silent", problem, "whether basculed answers",
     "A basculed is there and does not answer in time: it hangs, or is still starting or stopping.",
     "systemctl restart basculed",
     "Sessions and programs stay where they are over a restart. Look before: journalctl -u "
     "basculed "
     "-n 50"},
    {"config-invalid", problem, "the configuration's files",
     "basculed would not start with these files, and a reload of them is refused. A daemon that "
     "runs goes on with what it has read before.",
     "", "Mend the place that is named, then: bascule check {file}"},
    {"config-unread", warning, "whether the files are what runs",
     "The files on disk are not what basculed runs by: they were edited and not applied, so the "
     "next start would surprise.",
     "bascule check {file} && bascule reload", ""},
    {"key-missing", problem, "the cluster's key file: there",
     "Without the key file basculed does not start: it is what the nodes know each other by.", "",
     "On the first node of the cluster: bascule keygen {file}; on the others copy the file from "
     "there, mode 0600"},
    {"key-open", problem, "the cluster's key file: mode",
     "Others than its owner may read or change the key file, so basculed does not start. Whoever "
     "reads it can pose as a node.",
     "chmod 600 {file}", "When somebody may have read it, rotate the key: bascule keygen --rotate"},
    {"key-owner", problem, "the cluster's key file: owner",
     "The key file belongs to somebody who could exchange it, so basculed does not start.",
     "chown root: {file}", ""},
    {"key-damaged", problem, "the cluster's key file: content",
     "The key file cannot be read as one, so basculed does not start.", "",
     "Copy it anew from a node that works, mode 0600"},
    {"state-unwritable", problem, "the state directory: writable",
     "What has to outlive a restart cannot be kept: the operator's words, the ring's secret, the "
     "numbers by which the nodes settle who holds a VIP.",
     "install -d -m 0700 {directory}",
     "On a file system that is read-only, mend that first: mount"},
    {"state-full", problem, "the state directory: space",
     "There is no room left for what has to outlive a restart; the next operator's word is "
     "refused.",
     "", "Make room where {directory} is: df -h {directory}; df -i {directory}"},
};

constexpr DoctorEntry kernel_entries[] = {
    {"kernel-old", problem, "the kernel's version",
     "Bascule needs Linux 6.1 or newer; on an older one its programs do not load.", "",
     "apt install linux-image-amd64, and reboot"},
    {"bpf-refused", problem, "whether bpf() may be called",
     "The kernel does not let basculed use BPF, so no program can be loaded. In a container or a "
     "virtual system it is most often a filter for system calls.",
     "",
     "Run it as root or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; for systemd-nspawn: "
     "--capability=all --system-call-filter=\"bpf perf_event_open\""},
    {"bpffs-missing", problem, "the file system for BPF",
     "What keeps the engine alive while basculed restarts has to be on a bpffs, and there is none "
     "where it is looked for.",
     "mount -t bpf bpf {mount}", ""},
    {"bpf-jit-off", problem, "net.core.bpf_jit_enable",
     "The kernel interprets BPF instead of compiling it: each packet costs ten times as much.",
     "sysctl -w net.core.bpf_jit_enable=1", ""},
    {"bpf-jit-hardened", note, "net.core.bpf_jit_harden",
     "The kernel hides the constants in all BPF programs, root's too, which costs some time for "
     "each "
     "packet. 1 hardens those of other users alone.",
     "sysctl -w net.core.bpf_jit_harden=1", ""},
    {"clock-unsynchronised", note, "whether the clock is synchronised",
     "Nobody keeps this host's clock right. No traffic depends on it, but times in logs, events "
     "and "
     "captures cannot be compared with those of other hosts.",
     "timedatectl set-ntp true", ""},
};

constexpr DoctorEntry interface_entries[] = {
    {"link-missing", problem, "interfaces of the configuration: there",
     "The configuration names an interface that this host does not have.", "",
     "Its name, in [node] interfaces or at the VIP; which there are: ip -br link"},
    {"link-down", problem, "interfaces of the configuration: up",
     "Nothing arrives by an interface that is down, or whose cable leads nowhere.",
     "ip link set {interface} up", "If it stays down: cable, switch port, and ethtool {interface}"},
    {"xdp-foreign", problem, "XDP programs of others",
     "Somebody else's XDP program is on the interface. An interface has one; basculed never takes "
     "a "
     "stranger's off, and does not start while it is there.",
     "{detach!}",
     "Look whose it is first: bpftool prog show id {id}. Then: systemctl restart "
     "basculed"},
    {"xdp-missing", problem, "the XDP program on each interface",
     "basculed runs, and this interface carries no program of it: clients' packets that come in by "
     "it are not balanced.",
     "systemctl restart basculed", ""},
    {"xdp-generic", warning, "the mode of XDP",
     "The program runs in generic mode, behind the driver: it works, and takes several times the "
     "time for each packet.",
     "",
     "Where a driver could do better and says why not (MTU, LRO, queues), mend that, then: bascule "
     "detach; systemctl start basculed. If it is meant: xdp_mode = \"generic\" in [node], bascule "
     "reload"},
    {"vlan-stripped", problem, "VLAN tags before XDP",
     "The NIC takes VLAN tags off before XDP sees the frames, so what XDP sends back leaves "
     "untagged, into another network.",
     "ethtool -K {interface} rxvlan off", "Make it last: the same in the interface's set-up"},
    {"lro-on", problem, "large receive offload",
     "The NIC joins packets before XDP sees them (LRO). Joined packets cannot be sent on; most "
     "drivers refuse native XDP so.",
     "ethtool -K {interface} lro off", "Make it last: the same in the interface's set-up"},
    {"rx-one-queue", warning, "receive queues",
     "All packets of the interface go through one receive queue, thus through one CPU, and the NIC "
     "could spread them.",
     "ethtool -L {interface} {channels!}", ""},
    {"rx-overrun", warning, "frames that found the receive ring full",
     "The NIC has thrown frames away since it came up, for want of room in its receive ring, and "
     "the "
     "ring could be larger.",
     "ethtool -G {interface} rx {most}",
     "It interrupts the link for a moment. Make it last: the "
     "same in the interface's set-up"},
    {"irq-one-cpu", warning, "interrupts of the receive queues",
     "The interrupts of all queues are served by one CPU: the queues do not help.", "{spread!}",
     "Or let a daemon do it: apt install irqbalance"},
    {"rp-filter", warning, "strict reverse path filters (rp_filter)",
     "This interface drops packets whose sender this host would answer by another interface: for "
     "`forward = \"local\"` these are clients' packets, on a path of the cluster the peers'.",
     "sysctl -w net.ipv4.conf.{sysctl}.rp_filter=2", "Make it last: a file in /etc/sysctl.d"},
    {"vip-claimed", problem, "other hosts that say that they have a VIP",
     "Another host on the link answers for the VIP: some clients reach that one. Most often it is "
     "a "
     "real server whose VIP is not kept silent.",
     "",
     "On that host: bascule-backend does it; by hand sysctl -w net.ipv4.conf.all.arp_ignore=1 "
     "net.ipv4.conf.all.arp_announce=2, and an IPv6 VIP on lo as a /128"},
};

constexpr DoctorEntry way_entries[] = {
    {"backend-is-here", problem, "backends that are this host itself",
     "The address of a backend is this host's own: nothing can be forwarded to it.", "",
     "forward = \"local\" in the service delivers to this host"},
    {"backend-no-route", problem, "routes to backends",
     "No route of this host leads to the backend, or none that frames can be sent by: it gets no "
     "traffic.",
     "", "Look at: ip route get {address}"},
    {"backend-silent", problem, "ARP and neighbour discovery of backends",
     "The backend, or the gateway that leads to it, does not answer ARP or neighbour discovery: it "
     "gets no traffic. It is switched off, or in another network or VLAN.",
     "", "Look at: ping -c 3 {address}; ip neigh show {address}"},
    {"backend-behind-gateway", problem, "l2 backends on the same segment",
     "`forward = \"l2\"` only rewrites the MAC address, so the backend has to be on a link of this "
     "host. This one is behind a gateway, and gets no traffic.",
     "", "forward = \"ipip\" or \"gue\" in the service, with bascule-backend on the server"},
    {"tunnel-no-source", problem, "source addresses of tunnels",
     "This host has no address to send the tunnel's packets from, so the backend gets no traffic.",
     "", "tunnel_source_{family} in [node], or an address for the interface: ip addr add"},
    {"way-too-small", problem, "room for a tunnel's header",
     "With the tunnel's header not even the smallest packet that has to pass fits the way to the "
     "backend: it gets no traffic.",
     "ip link set {interface} mtu {mtu}", "The switches in between have to carry it, too"},
    {"way-narrow", note, "the MTU of the ways to backends",
     "Clients' largest packets do not fit the way to the backend. They are told (\"too big\") and "
     "send smaller ones, which costs each of them a round trip. TCP never meets it where "
     "bascule-backend runs on the servers.",
     "ip link set {interface} mtu {mtu}",
     "The switches in between and the servers have to carry it, too"},
};

constexpr DoctorEntry cluster_entries[] = {
    {"own-address-missing", problem, "this node's addresses in the cluster",
     "An address that [[cluster.node]] gives this node is on none of its interfaces: that path is "
     "dead.",
     "", "ip addr add, or the address in [[cluster.node]]; which there are: ip -br addr"},
    {"path-closed", problem, "this node's end of each path",
     "Heartbeats cannot be sent or heard at one of this node's own addresses.", "",
     "Who else listens there: ss -lunp"},
    {"wire-closed", warning, "the links of VIPs, on which peers are asked",
     "No packet socket can be had. When every path between two nodes fails they cannot ask each "
     "other on the link of a VIP, and both hold it.",
     "", "basculed needs CAP_NET_RAW and AF_PACKET: systemctl cat basculed"},
    {"peer-silent", problem, "whether peers are heard",
     "Nothing is heard of another node on any path: this one is alone, and what it does not have "
     "in "
     "its tables is lost if it dies.",
     "",
     "Is basculed running there? Else the network, or a filter for UDP: ping {address}; nft list "
     "ruleset"},
    {"peer-incompatible", problem, "releases of peers",
     "Another node runs a release that this one is too old for: they hear each other and share no "
     "sessions.",
     "", "Upgrade this node: apt install bascule"},
    {"path-down", problem, "paths to peers",
     "Nothing is heard of a peer on one of the paths. The cluster lives on the others; when they "
     "fail too, both nodes hold the VIPs.",
     "", "Cable, interface, or a filter for UDP: ping {address}; nft list ruleset"},
    {"path-one-way", problem, "paths that carry one way only",
     "A peer is heard on a path and does not hear this node there.", "",
     "A filter for UDP on the way there, or the peer refuses what comes: bascule doctor there"},
    {"heartbeats-refused", problem, "heartbeats that are refused",
     "Datagrams from a peer's address cannot be opened: the nodes do not have the same key, "
     "cluster's name or list of nodes.",
     "", "Copy configuration and key file from one node to all, then on each: bascule reload"},
    {"peer-config", problem, "peers' configuration",
     "A peer runs another configuration. After a takeover clients would meet other services or "
     "other backends.",
     "", "Copy the files from one node to all, then on each: bascule check && bascule reload"},
    {"peer-ring", problem, "peers' choice of backends",
     "A peer would choose other backends for the same new flows, so a flow that changes the node "
     "may change its server.",
     "", "Compare on both: bascule show backends. Ring secrets differ if key files do"},
    {"sessions-behind", problem, "sessions in step with peers",
     "Sessions of this node and of a peer that lives are not the same: connections would break in "
     "a "
     "takeover.",
     "", "Why, and how far it is: bascule show peers"},
    {"clock-skew", warning, "clocks of peers",
     "A peer's clock is more than a second off this one's. No traffic depends on it; times in the "
     "logs of the two cannot be compared.",
     "timedatectl set-ntp true", "On both nodes"},
    {"witness-silent", problem, "witnesses",
     "No witness answers this node. In a split it gives its VIPs up to a peer that still sees one.",
     "", "ping -c 3 {address}; is it the right address in [cluster] witness?"},
    {"witness-none", note, "what settles a split",
     "The nodes hear each other by one path, and there is no witness: when that path fails, both "
     "hold the VIPs.",
     "",
     "A second address for each [[cluster.node]], or witness = [\"address of the gateway\"] in "
     "[cluster]"},
    {"heartbeat-priority", warning, "the priority of the heartbeats",
     "The thread that sends heartbeats has no real-time priority: on a busy host it may come so "
     "late "
     "that peers hold this node for dead.",
     "", "systemctl status bascule-helper.socket bascule-helper; systemctl restart basculed"},
    {"state-problem", problem, "what the cluster keeps on disk",
     "What the nodes settle among themselves cannot be kept on this disk, so a restart forgets it.",
     "", "df -h {directory}; journalctl -u basculed -n 50"},
};

constexpr std::array groups = {
    DoctorGroup{"The node", node_entries},
    DoctorGroup{"The kernel", kernel_entries},
    DoctorGroup{"Interfaces and VIPs", interface_entries},
    DoctorGroup{"Ways to backends", way_entries},
    DoctorGroup{"The cluster", cluster_entries},
};

}  // namespace

std::string_view name_of(Severity severity) {
    switch (severity) {
        case warning:
            return "warning";
        case note:
            return "note";
        case problem:
            break;
    }
    return "problem";
}

std::span<const DoctorGroup> doctor_catalogue() {
    return groups;
}

const DoctorEntry* find_entry(std::string_view code) {
    for (const DoctorGroup& group : groups)
        for (const DoctorEntry& entry : group.entries)
            if (entry.code == code) return &entry;
    return nullptr;
}

}  // namespace bascule::node
