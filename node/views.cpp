// SPDX-License-Identifier: Apache-2.0
#include "node/views.h"

#include <fmt/format.h>

namespace bascule::node {

namespace {

constexpr std::size_t most_candidates = 20;

control::Protocol to_message(model::Protocol protocol) {
    return protocol == model::Protocol::udp ? control::PROTOCOL_UDP : control::PROTOCOL_TCP;
}

void fill(control::Traffic& message, const dataplane::Traffic& traffic) {
    message.set_packets(traffic.packets);
    message.set_bytes(traffic.bytes);
    message.set_new_sessions(traffic.new_sessions);
}

std::uint64_t sessions_of(const Daemon& daemon, std::uint16_t backend_slot) {
    const auto& counts = daemon.sessions().pass.by_backend;
    const auto found = counts.find(backend_slot);
    return found == counts.end() ? 0 : found->second;
}

control::BackendState to_message(BackendCondition condition) {
    switch (condition) {
        case BackendCondition::unresolved:
        case BackendCondition::unknown:
            return control::BACKEND_UNRESOLVED;
        case BackendCondition::drained:
            return control::BACKEND_DRAINED;
        case BackendCondition::zero_weight:
            return control::BACKEND_ZERO;
        case BackendCondition::up:
            break;
    }
    return control::BACKEND_UP;
}

control::SessionState to_message(bsc_state state) {
    switch (state) {
        case BSC_EMBRYONIC:
            return control::SESSION_EMBRYONIC;
        case BSC_ADOPTED:
            return control::SESSION_ADOPTED;
        case BSC_CLOSING:
            return control::SESSION_CLOSING;
        default:
            return control::SESSION_ESTABLISHED;
    }
}

// The configuration's name of what stands in a service slot; nullptr when it is gone from there.
const model::ServiceConfig* config_of(const Daemon& daemon, std::uint16_t slot) {
    const auto& services = daemon.dataplane().tables().services;
    const auto found = services.find(slot);
    if (found == services.end()) return nullptr;
    for (const auto& service : daemon.state().config().services)
        if (key_of(service) == found->second.key) return &service;
    return nullptr;
}

std::string backend_name(const Daemon& daemon, const model::ServiceConfig& service,
                         const dataplane::Session& session) {
    const auto& backends = daemon.dataplane().tables().backends;
    const auto found = backends.find(session.backend);
    if (found == backends.end() || found->second.generation != session.generation) return {};
    for (const auto& backend : service.backends)
        if (key_of(backend) == found->second.key) return backend.name;
    return {};
}

}  // namespace

std::string reason_of(const BackendView& view) {
    switch (view.condition) {
        case BackendCondition::unresolved:
            return view.reason;
        case BackendCondition::unknown:
            return "its MAC address is being asked for";
        case BackendCondition::zero_weight:
            return "weight 0: its sessions stay, new flows go elsewhere";
        case BackendCondition::drained:
        case BackendCondition::up:
            break;
    }
    return {};
}

RingShares::RingShares(const Daemon& daemon, const model::ServiceConfig& service) {
    const auto slot = service_slot(daemon, service);
    const auto& rings = daemon.dataplane().tables().rings;
    const auto ring = slot ? rings.find(*slot) : rings.end();
    if (ring == rings.end()) return;
    for (const auto backend : ring->second) ++slots_[backend];
    size_ = static_cast<std::uint32_t>(ring->second.size());
}

std::uint32_t RingShares::of(std::uint16_t backend_slot) const {
    const auto found = slots_.find(backend_slot);
    return found == slots_.end() ? 0 : found->second;
}

std::optional<std::uint16_t> service_slot(const Daemon& daemon,
                                          const model::ServiceConfig& service) {
    for (const auto& [slot, entry] : daemon.dataplane().tables().services)
        if (entry.key == key_of(service)) return slot;
    return std::nullopt;
}

std::uint16_t backend_slot(const Daemon& daemon, const model::ServiceConfig& service,
                           const model::BackendConfig& backend) {
    const auto of_service = service_slot(daemon, service);
    if (!of_service) return 0;
    for (const auto& [slot, entry] : daemon.dataplane().tables().backends)
        if (entry.service == *of_service && entry.key == key_of(backend)) return slot;
    return 0;
}

std::uint32_t backends_taking_flows(const Daemon& daemon, const model::ServiceConfig& service) {
    std::uint32_t count = 0;
    for (const auto& backend : service.backends)
        count += daemon.state().view(service, backend).takes_flows();
    return count;
}

control::Service service_message(const Daemon& daemon, const model::ServiceConfig& service) {
    control::Service message;
    message.set_name(service.name);
    message.set_vip(service.vip.to_string());
    message.set_port(service.port);
    message.set_protocol(to_message(service.protocol));
    message.set_backends(static_cast<std::uint32_t>(service.backends.size()));
    message.set_backends_up(backends_taking_flows(daemon, service));
    message.set_mode("l2");
    message.set_ring_size(service.ring_size);
    message.set_affinity(service.affinity == model::Affinity::source ? "source" : "flow");
    message.set_unknown(service.unknown == model::Unknown::drop ? "drop" : "rehash");
    if (const auto slot = service_slot(daemon, service))
        fill(*message.mutable_traffic(), daemon.dataplane().service_traffic(*slot));
    std::uint64_t sessions = 0;
    for (const auto& backend : service.backends)
        sessions += sessions_of(daemon, backend_slot(daemon, service, backend));
    message.set_sessions(sessions);
    return message;
}

control::Backend backend_message(const Daemon& daemon, const model::ServiceConfig& service,
                                 const model::BackendConfig& backend, const RingShares& shares) {
    const BackendView view = daemon.state().view(service, backend);
    const std::uint16_t slot = backend_slot(daemon, service, backend);
    control::Backend message;
    message.set_service(service.name);
    message.set_name(backend.name);
    message.set_address(backend.address.to_string());
    message.set_port(backend.port);
    message.set_state(to_message(view.condition));
    message.set_reason(reason_of(view));
    message.set_weight(view.weight);
    message.set_file_weight(backend.weight);
    if (view.word) {
        auto* word = message.mutable_word();
        word->set_drained(view.word->drained);
        if (view.word->weight) word->set_weight(*view.word->weight);
        word->set_unix_seconds(static_cast<std::uint64_t>(view.word->unix_seconds));
    }
    if (view.next_hop) {
        message.set_mac(view.next_hop->mac.to_string());
        message.set_interface(interface_name(view.next_hop->ifindex));
    }
    message.set_ring_size(shares.size());
    if (slot != 0) {
        message.set_ring_slots(shares.of(slot));
        message.set_sessions(sessions_of(daemon, slot));
        fill(*message.mutable_traffic(), daemon.dataplane().backend_traffic(slot));
    }
    return message;
}

control::Session session_message(const Daemon& daemon, const dataplane::Session& session) {
    control::Session message;
    message.set_source(session.key.source.to_string());
    message.set_source_port(session.key.source_port);
    message.set_port(session.key.destination_port);
    message.set_state(to_message(session.state));
    message.set_from_peer(session.from_peer);
    message.set_idle_seconds(session.idle);
    if (const auto* service = config_of(daemon, session.key.service)) {
        message.set_vip(service->vip.to_string());
        message.set_protocol(to_message(service->protocol));
        message.set_service(service->name);
        message.set_backend(backend_name(daemon, *service, session));
    }
    return message;
}

BackendSearch find_backend(const model::Config& config, const std::string& name) {
    BackendSearch search;
    const auto slash = name.find('/');
    const std::string service_name = slash == std::string::npos ? "" : name.substr(0, slash);
    const std::string backend_name = slash == std::string::npos ? name : name.substr(slash + 1);
    std::vector<std::string> all;
    for (const auto& service : config.services) {
        for (const auto& backend : service.backends) {
            const std::string full = service.name + "/" + backend.name;
            const bool match = backend.name == backend_name &&
                               (slash == std::string::npos || service.name == service_name);
            if (match) search.matches.emplace_back(&service, &backend);
            auto& list = match ? search.candidates : all;
            if (list.size() < most_candidates) list.push_back(full);
        }
    }
    if (search.matches.empty()) {
        search.candidates = std::move(all);
        search.problem = fmt::format("there is no backend '{}'", name);
    } else if (search.matches.size() > 1) {
        search.problem =
            fmt::format("{} services have a backend '{}': say which, as service/backend",
                        search.matches.size(), name);
    }
    return search;
}

}  // namespace bascule::node
