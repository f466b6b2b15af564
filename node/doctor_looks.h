// SPDX-License-Identifier: Apache-2.0
// What `bascule doctor` looks at, as values: each is gathered by a doctor_look_….cpp and judged by
// a doctor_judge_….cpp. An error in a Result says why it could not be looked at.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "dataplane/interface.h"
#include "model/config.h"
#include "node/examination.h"
#include "node/links.h"

namespace bascule::node {

// ---- the node ----

struct StateSpace {
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;  // that can be made yet
};

struct NodeLook {
    enum class Daemon { runs, silent, absent, hidden };  // hidden: not allowed to ask it
    Daemon daemon = Daemon::absent;
    std::string why;           // none runs or answers: "no daemon answers on …"
    bool engine_left = false;  // there are pins
    std::string main_file;
    std::vector<std::string> config_errors;  // with their places
    std::optional<bool> config_runs;         // the files are what runs; none: nothing runs

    struct KeyFile {
        std::string path;
        bool missing = false;
        mode_t mode = 0;
        uid_t owner = 0;
        Result<void> readable;  // as a key file, by who looks
    };
    std::optional<KeyFile> key;  // none: no cluster
    uid_t self = 0;              // who looks

    std::string state_dir;
    Result<void> state_writable;
    Result<StateSpace> state_space;
};
void judge_node(const NodeLook& look, Examination& examination);

// ---- the kernel ----

struct BpffsLook {
    std::string path;   // that is configured
    std::string mount;  // the last part of it that is there
    bool is_bpffs = false;
};

struct KernelLook {
    std::string release;  // "6.1.0-28-amd64"
    Result<void> bpf;
    Result<BpffsLook> bpffs;
    Result<long> jit_enable;
    Result<long> jit_harden;
    Result<bool> clock_synchronised;
};
void judge_kernel(const KernelLook& look, Examination& examination);

// ---- interfaces ----

// Receive queues, as ethtool -l has them.
struct Channels {
    std::uint32_t now = 0;
    std::uint32_t most = 0;
    bool combined = true;  // with sending; else those of receiving alone

    bool operator==(const Channels&) const = default;
};

// The receive ring, in frames, and what became of it since the interface came up.
struct Ring {
    std::uint32_t now = 0;
    std::uint32_t most = 0;
    std::uint64_t received = 0;
    std::uint64_t missed = 0;  // for want of room

    bool operator==(const Ring&) const = default;
};

struct Interrupt {
    unsigned number = 0;
    std::uint64_t count = 0;  // since the machine started
    std::set<unsigned> cpus;  // that serve it
};

struct InterfaceLook {
    std::string name;
    bool of_node = false;  // carries the program; else it has VIPs, or is a part of a bond
    Result<Link> link;
    // The rest only where there is a link.
    Result<dataplane::XdpSeen> xdp;  // of_node
    std::string xdp_why;             // what the daemon knows of a generic or missing program
    std::string driver;
    bool strips_tags = false;
    std::vector<std::string> vlans;  // what needs the tags: "eth0.100 (VIP 10.9.0.100)"
    std::optional<bool> joins;       // LRO; none: it does not tell
    Result<Channels> channels;
    Result<Ring> ring;
    Result<std::vector<Interrupt>> interrupts;  // of its queues; none: no hardware
    Result<bool> strict;                        // rp_filter of IPv4
    std::vector<std::string> strict_hurts;      // whose packets it would drop
};

struct VipLook {
    Address address;
    std::string interface;
    Result<std::optional<Mac>> other;  // that answers for it
    std::string spared;                // why nobody was asked; empty: he was
};

struct InterfacesLook {
    bool by_daemon = false;
    bool generic_meant = false;
    unsigned cpus = 1;
    std::vector<InterfaceLook> interfaces;
    std::vector<VipLook> vips;
};
void judge_interfaces(const InterfacesLook& look, Examination& examination);

// ---- ways to backends ----

struct WayLook {
    std::string backend;  // "web/web1"
    Address address;
    model::Forward forward = model::Forward::l2;
    bool vip_v4 = true;
    bool here = false;  // this host's own address
    bool routed = true;
    bool resolved = true;  // the MAC address of the next hop is known
    std::string reason;    // why not routed, or not resolved
    bool behind_gateway = false;
    bool tunnel_source = true;  // there is one, or it needs none
    std::string interface;      // that it leaves by; meaningful when resolved
    std::uint32_t mtu = 0;      // of the way, bytes
    std::uint32_t arrival = 0;  // the largest that clients' packets may have, bytes
};
void judge_ways(const std::vector<WayLook>& ways, Examination& examination);

// ---- the cluster ----

struct PathLook {
    std::string address;  // of the peer
    bool down = false;
    bool one_way = false;
};
struct PeerLook {
    std::string name;
    bool silent = false;  // dead, or not heard since the start
    bool incompatible = false;
    bool other_config = false;
    bool other_ring = false;
    std::string behind;  // why sessions are not in step; empty: they are
    std::optional<std::chrono::nanoseconds> skew;
    std::vector<PathLook> paths;
};
struct ClusterLook {
    bool configured = false;
    Result<void> known;  // the error: why nothing is known but what the file says
    std::vector<std::pair<std::string, bool>> own;  // own addresses, and whether they are here
    Result<void> own_known;
    std::size_t paths = 1;
    std::vector<std::pair<std::string, std::string>> closed;   // own address, why
    std::vector<std::pair<std::string, std::string>> refused;  // own address, why
    std::string wire_problem;  // why the links of VIPs cannot be listened to; empty: they are
    std::vector<PeerLook> peers;
    std::vector<std::pair<std::string, std::string>> silent_witnesses;  // address, why
    std::size_t witnesses = 0;
    std::string priority;  // of heartbeats: "SCHED_FIFO 20", or why not
    std::vector<std::string> state_problems;
    std::string state_dir;
};
void judge_cluster(const ClusterLook& look, Examination& examination);

}  // namespace bascule::node
