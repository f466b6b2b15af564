// SPDX-License-Identifier: Apache-2.0
// What the metrics of a node tell, as values: gathered on the control thread, and made into text on
// any other one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/dataplane.h"
#include "health/durations.h"
#include "health/outcome.h"
#include "node/http_server.h"
#include "node/process_facts.h"
#include "node/session_worker.h"
#include "node/state.h"

namespace bascule::node {

class Daemon;

struct BackendMetrics {
    // Of a backend that is checked.
    struct Checked {
        health::Durations durations;
        std::array<std::uint64_t, health::failure_kinds> failures{};
    };

    std::string name;
    BackendCondition condition = BackendCondition::up;
    std::uint32_t weight = 0;
    std::uint64_t sessions = 0;
    dataplane::Traffic traffic;
    std::optional<Checked> checked;
};

struct ServiceMetrics {
    std::string name;
    std::string vip;
    std::string protocol;
    std::string port;
    bool up = false;
    dataplane::Traffic traffic;
    std::vector<BackendMetrics> backends;
};

struct PeerMetrics {
    struct Path {
        std::string address;
        double rtt = 0;  // seconds
    };
    std::string name;
    bool up = false;
    bool in_step = false;
    std::vector<Path> paths;     // those that were measured
    std::optional<double> skew;  // seconds
    std::optional<double> lag;   // seconds
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t resyncs = 0;
    std::uint64_t gaps = 0;
    std::uint64_t no_room = 0;
};

// Frames on the links of VIPs.
struct WireMetrics {
    std::uint64_t sent = 0;
    std::uint64_t failed = 0;
    std::uint64_t received = 0;
    std::uint64_t unopened = 0;
    std::uint64_t dropped = 0;
};

struct VipMetrics {
    std::string address;
    bool held = false;
    std::optional<bool> survives =
        std::nullopt;  // in a cluster: another node would take it, in step
};

struct InterfaceMetrics {
    std::string name;
    std::string mode;  // "native" | "generic" | "none"
};

struct HookMetrics {
    std::uint64_t runs = 0;
    std::uint64_t failures = 0;
    std::uint64_t dropped = 0;
};

struct MetricFacts {
    std::vector<ServiceMetrics> services;
    std::vector<dataplane::Named> drops;
    std::vector<dataplane::Named> events;
    SessionReport sessions;
    std::array<std::uint64_t, 2> capacity{};  // IPv4, IPv6
    std::vector<VipMetrics> vips;
    std::vector<PeerMetrics> peers;
    std::optional<std::uint64_t> sync_dropped;  // with a cluster
    std::optional<WireMetrics> wire;            // the same
    std::vector<InterfaceMetrics> interfaces;
    std::string version;
    std::string config_hash;
    bool last_reload_successful = true;
    std::uint64_t vips_restored = 0;
    std::uint64_t programs_restored = 0;
    std::optional<std::uint64_t> vips_taken;      // with a cluster
    std::optional<std::uint64_t> vips_announced;  // frames; with a cluster
    std::uint64_t netlink_overruns = 0;
    HookMetrics hook;
    HttpCounters http;
    std::size_t http_connections = 0;
    std::optional<ProcessFacts> process;
};

// Of a daemon that is running(). Without `http`, `http_connections` and `process`, which are not
// its own. Thread: control.
MetricFacts gather_metric_facts(const Daemon& daemon);

}  // namespace bascule::node
