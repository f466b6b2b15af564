// SPDX-License-Identifier: Apache-2.0
// One function a group of families. A new family is a line in metric_schema.cpp and one here.
#include "node/metrics.h"

#include <array>
#include <string_view>

#include "node/metric_text.h"

namespace bascule::node {

namespace {

using Values = MetricText::Values;

Values labels_of(const ServiceMetrics& service) {
    return {service.name, service.vip, service.protocol, service.port};
}

// With one more of its own where the family has one.
Values labels_of(const ServiceMetrics& service, const BackendMetrics& backend,
                 std::string_view more = {}) {
    Values values = labels_of(service);
    values.push_back(backend.name);
    if (!more.empty()) values.emplace_back(more);
    return values;
}

// `value_of(service)` of every service.
template <typename ValueOf>
void of_services(MetricText& text, const MetricFacts& facts, const char* family, ValueOf value_of) {
    text.family(family);
    for (const auto& service : facts.services)
        text.add(labels_of(service), value_of(service));
}

// `value_of(backend)` of every backend.
template <typename ValueOf>
void of_backends(MetricText& text, const MetricFacts& facts, const char* family, ValueOf value_of) {
    text.family(family);
    for (const auto& service : facts.services)
        for (const auto& backend : service.backends)
            text.add(labels_of(service, backend), value_of(backend));
}

void add_services(MetricText& text, const MetricFacts& facts) {
    of_services(text, facts, "bascule_service_up", [](const auto& s) { return s.up; });
    of_services(text, facts, "bascule_service_packets_total",
                [](const auto& s) { return s.traffic.packets; });
    of_services(text, facts, "bascule_service_bytes_total",
                [](const auto& s) { return s.traffic.bytes; });
    of_services(text, facts, "bascule_service_new_sessions_total",
                [](const auto& s) { return s.traffic.new_sessions; });
}

void add_backends(MetricText& text, const MetricFacts& facts) {
    of_backends(text, facts, "bascule_backend_up",
                [](const auto& b) { return b.condition == BackendCondition::up; });
    of_backends(text, facts, "bascule_backend_weight",
                [](const auto& b) { return static_cast<double>(b.weight); });
    of_backends(text, facts, "bascule_backend_sessions", [](const auto& b) { return b.sessions; });
    of_backends(text, facts, "bascule_backend_packets_total",
                [](const auto& b) { return b.traffic.packets; });
    of_backends(text, facts, "bascule_backend_bytes_total",
                [](const auto& b) { return b.traffic.bytes; });
    of_backends(text, facts, "bascule_backend_new_sessions_total",
                [](const auto& b) { return b.traffic.new_sessions; });
}

std::string_view state_name(BackendCondition condition) {
    switch (condition) {
        case BackendCondition::disabled:
            return "disabled";
        case BackendCondition::unresolved:
        case BackendCondition::unknown:
            return "unresolved";
        case BackendCondition::down:
            return "down";
        case BackendCondition::checking:
            return "checking";
        case BackendCondition::drained:
            return "drained";
        case BackendCondition::zero_weight:
            return "zero";
        case BackendCondition::standby:
            return "standby";
        case BackendCondition::up:
            break;
    }
    return "up";
}

void add_backend_states(MetricText& text, const MetricFacts& facts) {
    constexpr std::array states{BackendCondition::up,       BackendCondition::down,
                                BackendCondition::checking, BackendCondition::drained,
                                BackendCondition::disabled, BackendCondition::zero_weight,
                                BackendCondition::standby,  BackendCondition::unresolved};
    text.family("bascule_backend_state");
    for (const auto& service : facts.services)
        for (const auto& backend : service.backends) {
            const auto is_in = state_name(backend.condition);
            for (const auto state : states)
                text.add(labels_of(service, backend, state_name(state)),
                         state_name(state) == is_in);
        }
}

void add_checks(MetricText& text, const MetricFacts& facts) {
    text.family("bascule_backend_check_duration_seconds");
    for (const auto& service : facts.services)
        for (const auto& backend : service.backends)
            if (backend.checked) text.add(labels_of(service, backend), backend.checked->durations);
    text.family("bascule_backend_check_failures_total");
    for (const auto& service : facts.services)
        for (const auto& backend : service.backends) {
            if (!backend.checked) continue;
            for (std::size_t kind = 1; kind < health::failure_kinds; ++kind)
                if (const auto count = backend.checked->failures[kind]; count > 0)
                    text.add(labels_of(service, backend,
                                       health::name_of(static_cast<health::Failure>(kind))),
                             count);
        }
}

void add_packets(MetricText& text, const MetricFacts& facts) {
    text.family("bascule_drops_total");
    for (const auto& drop : facts.drops)
        text.add({drop.name}, drop.count);
    text.family("bascule_dataplane_events_total");
    for (const auto& event : facts.events)
        text.add({event.name}, event.count);
}

void add_sessions(MetricText& text, const MetricFacts& facts) {
    const dataplane::SweepReport& pass = facts.sessions.pass;
    text.family("bascule_sessions");
    text.add({"embryonic"}, pass.by_state[BSC_EMBRYONIC]);
    text.add({"adopted"}, pass.by_state[BSC_ADOPTED]);
    text.add({"closing"}, pass.by_state[BSC_CLOSING]);
    text.add({"established"}, pass.by_state[BSC_ESTABLISHED]);
    text.single("bascule_sessions_from_peers", pass.from_peer);
    text.family("bascule_session_table_entries");
    text.add({"ipv4"}, pass.by_family[0]);
    text.add({"ipv6"}, pass.by_family[1]);
    text.family("bascule_session_table_capacity");
    text.add({"ipv4"}, facts.capacity[0]);
    text.add({"ipv6"}, facts.capacity[1]);
    text.single("bascule_sessions_expired_total", facts.sessions.expired);
    text.single("bascule_session_deltas_lost_total", facts.sessions.deltas_lost);
}

// `value_of(peer)` of every peer.
template <typename ValueOf>
void of_peers(MetricText& text, const MetricFacts& facts, const char* family, ValueOf value_of) {
    text.family(family);
    for (const auto& peer : facts.peers)
        text.add({peer.name}, value_of(peer));
}

// The same of those who have it.
void of_some_peers(MetricText& text, const MetricFacts& facts, const char* family,
                   std::optional<double> PeerMetrics::*value) {
    text.family(family);
    for (const auto& peer : facts.peers)
        if (peer.*value) text.add({peer.name}, *(peer.*value));
}

void add_peers(MetricText& text, const MetricFacts& facts) {
    of_peers(text, facts, "bascule_peer_up", [](const auto& p) { return p.up; });
    text.family("bascule_peer_rtt_seconds");
    for (const auto& peer : facts.peers)
        for (const auto& path : peer.paths)
            text.add({peer.name, path.address}, path.rtt);
    of_some_peers(text, facts, "bascule_peer_clock_skew_seconds", &PeerMetrics::skew);
}

void add_wire(MetricText& text, const MetricFacts& facts) {
    if (!facts.wire) return;
    text.family("bascule_wire_frames_total");
    text.add({"sent"}, facts.wire->sent);
    text.add({"failed"}, facts.wire->failed);
    text.add({"received"}, facts.wire->received);
    text.add({"unopened"}, facts.wire->unopened);
    text.add({"dropped"}, facts.wire->dropped);
}

void add_sync(MetricText& text, const MetricFacts& facts) {
    of_peers(text, facts, "bascule_sync_in_step", [](const auto& p) { return p.in_step; });
    of_some_peers(text, facts, "bascule_sync_lag_seconds", &PeerMetrics::lag);
    text.family("bascule_sync_deltas_total");
    for (const auto& peer : facts.peers) {
        text.add({peer.name, "sent"}, peer.sent);
        text.add({peer.name, "received"}, peer.received);
    }
    of_peers(text, facts, "bascule_sync_resyncs_total", [](const auto& p) { return p.resyncs; });
    of_peers(text, facts, "bascule_sync_gaps_total", [](const auto& p) { return p.gaps; });
    of_peers(text, facts, "bascule_sync_no_room_total", [](const auto& p) { return p.no_room; });
    if (facts.sync_dropped) text.single("bascule_sync_messages_dropped_total", *facts.sync_dropped);
}

void add_node(MetricText& text, const MetricFacts& facts) {
    text.family("bascule_node_role");
    for (const auto& vip : facts.vips)
        text.add({vip.address}, vip.held);
    text.family("bascule_vip_survives");
    for (const auto& vip : facts.vips)
        if (vip.survives) text.add({vip.address}, *vip.survives);
    if (facts.vips_taken) text.single("bascule_failovers_total", *facts.vips_taken);
    if (facts.vips_announced) text.single("bascule_garp_sent_total", *facts.vips_announced);
    text.family("bascule_build_info");
    text.add({facts.version}, true);
    text.family("bascule_config_info");
    text.add({facts.config_hash}, true);
    text.single("bascule_config_last_reload_successful", facts.last_reload_successful);
    text.family("bascule_xdp_attached");
    for (const auto& interface : facts.interfaces)
        text.add({interface.name, interface.mode}, interface.mode != "none");
    text.single("bascule_vips_restored_total", facts.vips_restored);
    text.single("bascule_programs_restored_total", facts.programs_restored);
    text.single("bascule_netlink_overruns_total", facts.netlink_overruns);
    text.single("bascule_hook_runs_total", facts.hook.runs);
    text.single("bascule_hook_failures_total", facts.hook.failures);
    text.single("bascule_hook_dropped_total", facts.hook.dropped);
}

void add_http(MetricText& text, const MetricFacts& facts) {
    text.single("bascule_http_connections", static_cast<double>(facts.http_connections));
    text.family("bascule_http_answers_total");
    for (const auto& [status, count] : facts.http.answers)
        text.add({std::to_string(status)}, count);
    text.family("bascule_http_connections_refused_total");
    text.add({"full"}, facts.http.full);
    text.add({"vip"}, facts.http.forbidden);
    text.single("bascule_http_connections_slow_total", facts.http.slow);
}

void add_process(MetricText& text, const MetricFacts& facts) {
    if (!facts.process) return;
    text.single("process_cpu_seconds_total", facts.process->cpu_seconds);
    text.single("process_resident_memory_bytes", facts.process->resident_bytes);
    text.single("process_open_fds", facts.process->open_fds);
    text.single("process_max_fds", facts.process->max_fds);
    text.single("process_start_time_seconds", facts.process->start_time);
}

}  // namespace

std::string metrics_text(const MetricFacts& facts) {
    MetricText text;
    add_services(text, facts);
    add_backends(text, facts);
    add_backend_states(text, facts);
    add_checks(text, facts);
    add_packets(text, facts);
    add_sessions(text, facts);
    add_peers(text, facts);
    add_wire(text, facts);
    add_sync(text, facts);
    add_node(text, facts);
    add_http(text, facts);
    add_process(text, facts);
    return text.take();
}

}  // namespace bascule::node
