// SPDX-License-Identifier: Apache-2.0
// Stands in for the daemon: answers every request with the same made-up data, so that the command
// can be seen and tested without an engine. It knows no rules; those are the daemon's own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "canned_health.h"
#include "canned_peers.h"
#include "canned_vips.h"
#include "control/framing.h"

namespace bascule::control {

inline void add_counter(Counter& counter, const char* name, const char* meaning,
                        std::uint64_t count) {
    counter.set_name(name);
    counter.set_meaning(meaning);
    counter.set_count(count);
}

inline Backend canned_backend(const std::string& service, int number, std::uint64_t scale) {
    Backend backend;
    backend.set_service(service);
    backend.set_name("web" + std::to_string(number));
    backend.set_address("10.9.0.2" + std::to_string(number));
    backend.set_port(80);
    backend.set_state(BACKEND_UP);
    backend.set_weight(100);
    backend.set_file_weight(100);
    backend.set_mac("02:00:00:00:00:2" + std::to_string(number));
    backend.set_interface("eth0");
    backend.set_mode("l2");
    backend.set_mtu(1500);
    backend.set_source_mac("02:00:00:00:00:11");
    backend.set_sessions(1234 * scale);
    backend.set_ring_slots(21845);
    backend.set_ring_size(65537);
    backend.mutable_traffic()->set_packets(123'456'789 * scale);
    backend.mutable_traffic()->set_bytes(98'765'432'100 * scale);
    backend.mutable_traffic()->set_new_sessions(345'678 * scale);
    return backend;
}

inline Backend canned_drained() {
    Backend backend = canned_backend("web", 2, 1);
    backend.set_state(BACKEND_DRAINED);
    backend.set_weight(0);
    backend.set_ring_slots(0);
    backend.mutable_word()->set_drained(true);
    return backend;
}

inline void fill_status(Status& status, bool degraded) {
    status.set_version("0.1.0");
    status.set_node("lb1");
    status.set_pid(812);
    status.set_uptime_seconds(273'600);
    status.set_adopted(true);
    status.set_bpffs("/sys/fs/bpf/bascule");
    status.add_config_files("/etc/bascule/bascule.toml");
    status.add_config_files("/etc/bascule/conf.d/10-web.toml");
    status.set_config_hash("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
    auto& reload = *status.mutable_last_reload();
    reload.set_unix_seconds(1'700'000'000);
    reload.set_ok(!degraded);
    auto& eth0 = *status.add_interfaces();
    eth0.set_name("eth0");
    eth0.set_attached(true);
    eth0.set_mode(Interface::MODE_NATIVE);
    eth0.set_driver("virtio_net");
    eth0.set_mac("02:00:00:00:00:11");
    eth0.set_link_up(true);
    eth0.set_mtu(1500);
    eth0.set_adopted(true);
    fill_vips(status, degraded);
    status.set_services(3);
    status.set_backends(12);
    status.set_backends_up(degraded ? 10 : 12);
    auto& counts = *status.mutable_sessions();
    counts.set_established(123'456);
    counts.set_closing(789);
    counts.set_embryonic(1011);
    counts.set_adopted(12);
    counts.set_capacity_v4(1'000'000);
    counts.set_capacity_v6(1'000'000);
    counts.set_used_v4(120'000);
    counts.set_used_v6(5268);
    status.set_deltas_read(9'876'543);
    fill_peers(*status.mutable_peers(), degraded);
    add_counter(*status.add_counters(), "expired", "sessions ended for idleness", 4'567'890);
    auto& notice = *status.add_notices();
    notice.set_what("far: packets over 1480 bytes do not fit the tunnel");
    notice.set_mend("mss_clamp = 1440");
    add_counter(*status.add_counters(), "duplicates", "copies of one session removed", 0);
    if (!degraded) return;
    status.set_services_without_backend(1);
    status.set_operator_words(1);
    reload.set_message("2 errors, nothing was applied");
    reload.add_details(
        "/etc/bascule/bascule.toml:14:9: unknown key 'wieght', did you mean 'weight'?");
    reload.add_details("/etc/bascule/conf.d/10-web.toml:3:1: service 'web' is there already");
    auto& eth1 = *status.add_interfaces();
    eth1.set_name("eth1");
    eth1.set_warning("a foreign XDP program is attached: id 42, name xdp_filter");
    auto& first = *status.add_degradations();
    first.set_what("VIP 2001:db8:1234:5678:9abc:def0:1234:5678 is held by another host");
    first.set_mend("take it off the host 52:54:00:12:34:56, then: bascule reload");
    status.add_degradations()->set_what("eth1: no XDP program is attached");
}

inline Backend canned_disabled() {
    Backend backend = canned_drained();
    backend.set_state(BACKEND_DISABLED);
    backend.mutable_word()->set_drained(false);
    backend.mutable_word()->set_disabled(true);
    return backend;
}

// By a tunnel, out of a VLAN, through a gateway, to another port.
inline Backend canned_tunnelled(const std::string& name, BackendState state, bool backup) {
    Backend backend = canned_backend("tunnel", 5, 1);
    backend.set_name(name);
    backend.set_state(state);
    backend.set_backup(backup);
    backend.set_mode("ipip");
    backend.set_port(8080);
    backend.set_rewritten_port(8080);
    backend.set_vlan(100);
    backend.set_via("10.9.0.254");
    backend.set_tunnel_source("10.9.8.0/24");
    backend.set_mtu(1400);
    return backend;
}

inline void fill_backends(Backends& backends) {
    *backends.add_backends() = canned_backend("web", 1, 1);
    *backends.add_backends() = canned_drained();
    Backend& unresolved = *backends.add_backends() = canned_backend("web", 3, 0);
    unresolved.set_state(BACKEND_UNRESOLVED);
    unresolved.set_reason("no MAC address for 10.9.0.23 on eth0: the host does not answer ARP");
    unresolved.clear_mac();
    Backend& weighted = *backends.add_backends() =
        canned_backend("a-service-with-a-long-name", 1, 9);
    weighted.set_address("2001:db8:1234:5678:9abc:def0:1234:5678");
    weighted.set_weight(50);
    weighted.mutable_word()->set_weight(50);
    Backend& empty = *backends.add_backends() = canned_drained();
    empty.set_name("idle");
    empty.set_sessions(0);
    empty.set_drained_sessions(0);
    *backends.add_backends() = canned_tunnelled("far", BACKEND_UP, false);
    Backend& standby = *backends.add_backends() = canned_tunnelled("spare", BACKEND_STANDBY, true);
    standby.set_reason("a backup: serves when no other backend of tunnel takes flows");
    standby.set_ring_slots(0);
    Backend& down = *backends.add_backends() = canned_backend("health", 4, 1);
    down.set_state(BACKEND_DOWN);
    down.set_health("down");
    down.set_reason(bounced);
    down.set_ring_slots(0);
    Backend& checking = *backends.add_backends() = canned_backend("health", 5, 0);
    checking.set_state(BACKEND_CHECKING);
    checking.set_health("checking");
    checking.set_reason("its first check has not ended yet");
}

inline void fill_services(Services& services) {
    for (int i = 0; i < 3; ++i) {
        auto& service = *services.add_services();
        service.set_name(i == 0 ? "web" : i == 1 ? "dns" : "a-service-with-a-long-name");
        service.set_vip(i == 2 ? "2001:db8:1234:5678:9abc:def0:1234:5678" : "10.9.0.100");
        if (i != 2) service.set_port(i == 1 ? 53 : 80);
        service.set_ports(i == 0 ? "80" : i == 1 ? "53" : "8000-8099");
        service.set_protocol(i == 1 ? PROTOCOL_UDP : PROTOCOL_TCP);
        service.set_backends(4);
        service.set_backends_up(i == 0 ? 4 : i == 1 ? 0 : 3);
        service.set_sessions(i == 1 ? 0 : 1'234'567);
        service.set_check(i == 1 ? "none" : "http");
        service.set_quorum(i == 2 ? 2 : 1);
        service.set_able(i == 2 ? 1 : 4);
        service.set_below_quorum(i == 2);
        service.set_mode(i == 2 ? "gue" : "l2");
        if (i == 2) service.set_gue_port(6080);
        service.set_ring_size(65537);
        service.set_affinity("flow");
        service.set_unknown("rehash");
        service.set_on_empty(i == 2 ? "reset" : "drop");
        if (i == 2) service.set_mss_clamp(1400);
        service.mutable_traffic()->set_packets(i == 1 ? 0 : 12'345'678'901);
        service.mutable_traffic()->set_bytes(i == 1 ? 512 : 9'876'543'210'123);
        service.mutable_traffic()->set_new_sessions(45'678);
    }
}

inline void fill_sessions(Sessions& sessions, const ShowSessionsRequest& filter) {
    sessions.set_matched(12'345);
    for (int i = 0; i < 3; ++i) {
        auto& session = *sessions.add_sessions();
        session.set_source(i == 1 ? "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff" : "192.0.2.7");
        session.set_source_port(54321);
        session.set_vip("10.9.0.100");
        session.set_port(80);
        session.set_protocol(PROTOCOL_TCP);
        session.set_service(filter.service().empty() ? "web" : filter.service());
        if (i != 2) session.set_backend("web1");
        session.set_state(filter.state() != SESSION_ANY ? filter.state() : SESSION_ESTABLISHED);
        session.set_idle_seconds(i * 4000);
        session.set_from_peer(i == 1);
    }
}

inline void fill_drops(Drops& drops) {
    add_counter(*drops.add_drops(), "ip_header", "IP header is broken", 0);
    add_counter(*drops.add_drops(), "no_backend", "no backend of the service can take a new flow",
                12'345'678);
    add_counter(*drops.add_events(), "vip_no_service", "for a VIP but for no service", 42);
    add_counter(*drops.add_events(), "claim_lost", "lost every race for a way", 0);
}

// Drain of "none" is refused as unknown, of "web1" as ambiguous; all else is "web/web2".
inline void fill_drain(Response& response, const std::string& backend) {
    if (backend == "none") {
        response = failure_response(Failure::FAILURE_NOT_FOUND, "no backend 'none'");
    } else if (backend == "web1") {
        response = failure_response(Failure::FAILURE_AMBIGUOUS, "'web1' is in several services");
        response.mutable_failure()->add_details("web/web1");
        response.mutable_failure()->add_details("api/web1");
    } else {
        *response.mutable_backend_changed()->mutable_backend() = canned_drained();
        response.mutable_backend_changed()->set_changed(true);
    }
}

// "down" fails its checks, "new" has none yet.
inline void fill_enable(BackendChanged& change, const std::string& backend) {
    *change.mutable_backend() = canned_backend("web", 2, 1);
    if (backend == "down") {
        change.mutable_backend()->set_state(BACKEND_DOWN);
        change.mutable_backend()->set_reason("connection refused by 10.9.0.22 (RST)");
    } else if (backend == "new") {
        change.mutable_backend()->set_state(BACKEND_CHECKING);
        change.mutable_backend()->set_reason("its first check has not ended yet");
    }
}

inline Response canned_response(const Request& request, bool degraded) {
    Response response;
    switch (request.ask_case()) {
        case Request::kStatus:
            fill_status(*response.mutable_status(), degraded);
            break;
        case Request::kReload:
            if (degraded) {
                response = failure_response(Failure::FAILURE_REFUSED, "1 error, nothing applied");
                // A file may hold anything: a letter that is no UTF-8, an escape sequence.
                response.mutable_failure()->add_details("b.toml:1:2: unknown key 'caf\xe9\x1b[2J'");
            } else {
                response.mutable_reloaded()->set_changed(true);
                response.mutable_reloaded()->set_writes(7);
                response.mutable_reloaded()->add_changes("service web: backend web4 added");
            }
            break;
        case Request::kShowServices:
            fill_services(*response.mutable_services());
            break;
        case Request::kShowBackends:
            fill_backends(*response.mutable_backends());
            break;
        case Request::kShowSessions:
            fill_sessions(*response.mutable_sessions(), request.show_sessions());
            break;
        case Request::kShowDrops:
            fill_drops(*response.mutable_drops());
            break;
        case Request::kShowHealth:
            fill_health(*response.mutable_health(), request.show_health());
            break;
        case Request::kShowPeers:
            fill_peers(*response.mutable_peers(), degraded);
            break;
        case Request::kShowVips:
            fill_vip_answer(*response.mutable_vips(), degraded);
            break;
        case Request::kFailover:
            fill_failover(*response.mutable_failed_over(), request.failover().vip(), degraded);
            break;
        case Request::kEvents:
            fill_events(*response.mutable_events());
            break;
        case Request::kDrain:
            fill_drain(response, request.drain().backend());
            break;
        case Request::kDisable:
            *response.mutable_backend_changed()->mutable_backend() = canned_disabled();
            response.mutable_backend_changed()->set_changed(true);
            break;
        case Request::kEnable:
            fill_enable(*response.mutable_backend_changed(), request.enable().backend());
            break;
        case Request::kSetWeight: {
            auto& backend = *response.mutable_backend_changed()->mutable_backend();
            backend = canned_backend("web", 1, 1);
            response.mutable_backend_changed()->set_changed(true);
            if (!request.set_weight().has_weight()) break;
            backend.set_weight(request.set_weight().weight());
            backend.mutable_word()->set_weight(request.set_weight().weight());
            break;
        }
        case Request::kDetach:
            response.mutable_detached()->add_interfaces("eth0");
            response.mutable_detached()->add_vips("10.9.0.100");
            break;
        default:
            break;
    }
    return response;
}

}  // namespace bascule::control
