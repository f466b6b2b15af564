// SPDX-License-Identifier: Apache-2.0
#include "node/metric_schema.h"

#include <map>

namespace bascule::node {

namespace {

using enum MetricType;
using Labels = std::string_view[];

constexpr Labels by_service = {"service", "vip", "protocol", "port"};
constexpr Labels by_backend = {"service", "vip", "protocol", "port", "backend"};
constexpr Labels by_backend_state = {"service", "vip", "protocol", "port", "backend", "state"};
constexpr Labels by_backend_reason = {"service", "vip", "protocol", "port", "backend", "reason"};
constexpr Labels by_reason = {"reason"};
constexpr Labels by_event = {"event"};
constexpr Labels by_state = {"state"};
constexpr Labels by_family = {"family"};
constexpr Labels by_vip = {"vip"};
constexpr Labels by_peer = {"peer"};
constexpr Labels by_peer_path = {"peer", "path"};
constexpr Labels by_peer_direction = {"peer", "direction"};
constexpr Labels by_outcome = {"outcome"};
constexpr Labels by_hash = {"hash"};
constexpr Labels by_interface_mode = {"interface", "mode"};
constexpr Labels by_version = {"version"};
constexpr Labels by_code = {"code"};

constexpr MetricSchema service_families[] = {
    {"bascule_service_up", gauge, by_service,
     "1 while new flows have a backend to go to; 0: none takes any, or fewer can serve than "
     "`quorum`"},
    {"bascule_service_packets_total", counter, by_service, "Clients' packets sent on to backends"},
    {"bascule_service_bytes_total", counter, by_service,
     "Their bytes, from the Ethernet header on, as they came"},
    {"bascule_service_new_sessions_total", counter, by_service, "Flows that began"},
};

constexpr MetricSchema backend_families[] = {
    {"bascule_backend_up", gauge, by_backend, "1 while it takes new flows"},
    {"bascule_backend_state", gauge, by_backend_state,
     "1 for the state that it is in, 0 for all others: `up`, `down` (its checks fail), `checking` "
     "(no check has ended yet), `drained`, `disabled`, `zero` (weight 0), `standby` (a backup "
     "while "
     "others serve), `unresolved` (it cannot be reached)"},
    {"bascule_backend_weight", gauge, by_backend,
     "Its weight as it counts now: by file, operator and checks"},
    {"bascule_backend_sessions", gauge, by_backend,
     "Sessions that it has (established and closing), as last counted, about every two seconds"},
    {"bascule_backend_packets_total", counter, by_backend, "Clients' packets sent on to it"},
    {"bascule_backend_bytes_total", counter, by_backend, "Their bytes"},
    {"bascule_backend_new_sessions_total", counter, by_backend, "Flows that began at it"},
    {"bascule_backend_check_duration_seconds", histogram, by_backend,
     "How long its checks took, those that failed included"},
    {"bascule_backend_check_failures_total", counter, by_backend_reason,
     "Checks of it that failed, by kind: `refused`, `unreachable`, `timed_out` and so on; a kind "
     "is "
     "there from its first time on"},
};

constexpr MetricSchema traffic_families[] = {
    {"bascule_drops_total", counter, by_reason,
     "Packets dropped, by the reasons of `bascule show drops`"},
    {"bascule_dataplane_events_total", counter, by_event,
     "What else the data plane counts, by the names of `bascule show drops`"},
};

constexpr MetricSchema session_families[] = {
    {"bascule_sessions", gauge, by_state,
     "Sessions by state: `embryonic`, `established`, `closing`, `adopted` (begun elsewhere, and "
     "not "
     "proven here yet); as last counted, about every two seconds"},
    {"bascule_sessions_from_peers",
     gauge,
     {},
     "Of these: brought by a peer, without a packet here since"},
    {"bascule_session_table_entries", gauge, by_family,
     "Places of the session table that are taken; `family` is `ipv4` or `ipv6`"},
    {"bascule_session_table_capacity", gauge, by_family, "Sessions that fit"},
    {"bascule_sessions_expired_total",
     counter,
     {},
     "Entries freed since nothing came for the idle limit"},
    {"bascule_session_deltas_lost_total",
     counter,
     {},
     "Changes of sessions that were not read in time; peers are then compared anew"},
};

constexpr MetricSchema cluster_families[] = {
    {"bascule_node_role", gauge, by_vip, "1: this node holds the VIP; 0: it does not"},
    {"bascule_vip_survives", gauge, by_vip,
     "1: if who holds the VIP died now another node would take it, and its sessions are in step; "
     "only with `[cluster]`"},
    {"bascule_failovers_total",
     counter,
     {},
     "Times that this node took a VIP since it joined the cluster; only with `[cluster]`"},
    {"bascule_garp_sent_total",
     counter,
     {},
     "Frames that announced VIPs of this node, gratuitous ARP and neighbour advertisements; only "
     "with `[cluster]`"},
    {"bascule_peer_up", gauge, by_peer, "1 while the other node is heard; a suspect one still is"},
    {"bascule_peer_rtt_seconds", gauge, by_peer_path,
     "Round trip of heartbeats, smoothed; `path` is the peer's address. Not there before it is "
     "measured"},
    {"bascule_peer_clock_skew_seconds", gauge, by_peer,
     "The peer's wall clock less this node's. Not there before it is known"},
    {"bascule_wire_frames_total", counter, by_outcome,
     "Heartbeats as frames on the links of VIPs, by which nodes ask each other that no path joins: "
     "`sent`, `failed` (could not be sent), `received`, `unopened` (of these: of no peer), "
     "`dropped` (more than were read); only with `[cluster]`. What comes by a link that no VIP is "
     "on is not counted"},
    {"bascule_sync_in_step", gauge, by_peer,
     "1 while what either of the two knows of sessions, the other knows as well"},
    {"bascule_sync_lag_seconds", gauge, by_peer,
     "How old the last changes were when the peer had taken them, or how old those are that it has "
     "yet to take. Not there before the first"},
    {"bascule_sync_deltas_total", counter, by_peer_direction,
     "Changes of sessions told to the peer (`sent`) and by it (`received`)"},
    {"bascule_sync_resyncs_total", counter, by_peer, "Comparisons of all sessions that were begun"},
    {"bascule_sync_gaps_total", counter, by_peer,
     "Times that changes were lost, which led to a comparison"},
    {"bascule_sync_no_room_total", counter, by_peer,
     "Sessions of the peer that the table had no place for"},
    {"bascule_sync_messages_dropped_total",
     counter,
     {},
     "Messages about operators' words that found no room on their way to a peer; they come again"},
};

constexpr MetricSchema node_families[] = {
    {"bascule_build_info", gauge, by_version, "Always 1: the release that runs"},
    {"bascule_config_info", gauge, by_hash, "Always 1: the configuration that runs"},
    {"bascule_config_last_reload_successful",
     gauge,
     {},
     "0: the last reload was refused or failed, and what ran before still does; 1 also before the "
     "first"},
    {"bascule_xdp_attached", gauge, by_interface_mode,
     "1: the interface carries the program, in the mode `native` or `generic`; 0 with the mode "
     "`none`: it should, and does not"},
    {"bascule_vips_restored_total", counter, {}, "VIPs set again after a stranger took them away"},
    {"bascule_programs_restored_total",
     counter,
     {},
     "XDP programs put back after a stranger took them off"},
    {"bascule_netlink_overruns_total",
     counter,
     {},
     "Times that events of the kernel were lost, and all was read anew"},
    {"bascule_hook_runs_total", counter, {}, "Times that the hook has run"},
    {"bascule_hook_failures_total", counter, {}, "Of these: it failed"},
    {"bascule_hook_dropped_total",
     counter,
     {},
     "Changes that no hook was run for, since too many waited"},
};

constexpr MetricSchema http_families[] = {
    {"bascule_http_connections", gauge, {}, "Connections to this server"},
    {"bascule_http_answers_total", counter, by_code, "Answers by status"},
    {"bascule_http_connections_refused_total", counter, by_reason,
     "Connections closed at once: `full` (too many at a time) or `vip` (by way of a VIP)"},
    {"bascule_http_connections_slow_total",
     counter,
     {},
     "Connections closed since they took too long, idle ones included"},
};

// Named as by every other program: https://prometheus.io/docs/instrumenting/writing_clientlibs/
constexpr MetricSchema process_families[] = {
    {"process_cpu_seconds_total", counter, {}, "Processor time of `basculed`"},
    {"process_resident_memory_bytes",
     gauge,
     {},
     "Memory of it that is in use, the session tables included as far as it has touched them"},
    {"process_open_fds", gauge, {}, "File descriptors that it has open"},
    {"process_max_fds", gauge, {}, "And how many it may have"},
    {"process_start_time_seconds", gauge, {}, "When it was started, in seconds since 1970"},
};

constexpr MetricGroup groups[] = {
    {"Services", service_families}, {"Backends", backend_families}, {"Packets", traffic_families},
    {"Sessions", session_families}, {"Cluster", cluster_families},  {"Node", node_families},
    {"This server", http_families}, {"Process", process_families},
};

}  // namespace

std::span<const MetricGroup> metric_schema() {
    return groups;
}

const MetricSchema* find_metric(std::string_view name) {
    static const auto index = [] {
        std::map<std::string_view, const MetricSchema*> all;
        for (const MetricGroup& group : groups)
            for (const MetricSchema& family : group.families)
                all.emplace(family.name, &family);
        return all;
    }();
    const auto found = index.find(name);
    return found == index.end() ? nullptr : found->second;
}

}  // namespace bascule::node
