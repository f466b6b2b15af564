// SPDX-License-Identifier: Apache-2.0
#include "node/views.h"

#include <fmt/format.h>

#include <algorithm>

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

void fill(control::OperatorWord& message, const OperatorWord& word) {
    message.set_drained(word.drained);
    message.set_disabled(word.disabled);
    if (word.weight) message.set_weight(*word.weight);
    message.set_unix_seconds(static_cast<std::uint64_t>(word.unix_seconds));
}

// "10.9.0.1", or with the bits that are each flow's own "10.9.8.0/24".
std::string tunnel_source_of(const model::Delivery& delivery) {
    const int length = delivery.tunnel_source.is_v4() ? 32 : 128;
    std::string text = delivery.tunnel_source.to_string();
    if (delivery.entropy_bits == 0) return text;
    return fmt::format("{}/{}", text, length - delivery.entropy_bits);
}

void fill_forwarding(control::Service& message, const model::ServiceConfig& service) {
    message.set_mode(name_of(service.forward));
    if (service.forward == model::Forward::gue) message.set_gue_port(service.gue_port);
    message.set_copy_dscp(service.copy_dscp);
}

void fill_readiness(control::Service& message, const State& state,
                    const model::ServiceConfig& service) {
    const Serving who = serving(state, service);
    message.set_backends_up(who.serving + who.standby);
    message.set_on_backups(who.on_backups);
    const ServiceView whole = state.view(service);
    message.set_able(whole.able);
    message.set_quorum(service.quorum);
    message.set_below_quorum(whole.below_quorum);
    message.set_check(name_of(service.health.type));
}

std::uint64_t sessions_of(const Daemon& daemon, std::uint16_t backend_slot) {
    const auto& counts = daemon.sessions().pass.by_backend;
    const auto found = counts.find(backend_slot);
    return found == counts.end() ? 0 : found->second;
}

// Of one that takes less than its weight: it has just come back, or its check says so.
std::string lighter(const BackendView& view) {
    const bool by_word = view.word != nullptr && view.word->weight;
    const std::uint32_t whole = by_word ? *view.word->weight : view.backend->weight;
    if (view.weight >= whole) return {};
    return fmt::format("takes {} of its weight of {}, as its checks have it", view.weight, whole);
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

}  // namespace

control::BackendState to_message(BackendCondition condition) {
    switch (condition) {
        case BackendCondition::unresolved:
        case BackendCondition::unknown:
            return control::BACKEND_UNRESOLVED;
        case BackendCondition::down:
            return control::BACKEND_DOWN;
        case BackendCondition::checking:
            return control::BACKEND_CHECKING;
        case BackendCondition::drained:
            return control::BACKEND_DRAINED;
        case BackendCondition::zero_weight:
            return control::BACKEND_ZERO;
        case BackendCondition::disabled:
            return control::BACKEND_DISABLED;
        case BackendCondition::standby:
            return control::BACKEND_STANDBY;
        case BackendCondition::up:
            break;
    }
    return control::BACKEND_UP;
}

std::string reason_of(const BackendView& view) {
    switch (view.condition) {
        case BackendCondition::unresolved:
            return view.reason;
        case BackendCondition::unknown:
            return "its MAC address is being asked for";
        case BackendCondition::down:
            return view.reason.empty() ? "its checks fail" : view.reason;
        case BackendCondition::checking:
            return "its first check has not ended yet";
        case BackendCondition::zero_weight:
            return "weight 0: its sessions stay, new flows go elsewhere";
        case BackendCondition::standby:
            return "a backup: stands by while others serve";
        case BackendCondition::up:
            if (view.backend->backup) return "a backup: serves because no other backend can";
            return lighter(view);
        case BackendCondition::disabled:
        case BackendCondition::drained:
            break;
    }
    return {};
}

Serving serving(const State& state, const model::ServiceConfig& service) {
    Serving found;
    std::uint32_t backups = 0;
    for (const auto& backend : service.backends) {
        const BackendView view = state.view(service, backend);
        found.serving += view.takes_flows();
        backups += view.takes_flows() && backend.backup;
        found.standby += view.condition == BackendCondition::standby;
    }
    found.on_backups = backups > 0 && backups == found.serving &&
                       std::any_of(service.backends.begin(), service.backends.end(),
                                   [](const auto& backend) { return !backend.backup; });
    return found;
}

Views::Views(const Daemon& daemon) : daemon_(daemon), slots_(daemon.dataplane().tables()) {
    for (const auto& service : daemon.state().config().services) {
        const auto slot = slots_.service(key_of(service));
        if (!slot) continue;
        services_.emplace(*slot, &service);
        for (const auto& backend : service.backends)
            if (const auto of_backend = slots_.backend(key_of(service), key_of(backend)))
                backends_.emplace(*of_backend, &backend);
    }
}

Views::Shares Views::shares(const model::ServiceConfig& service) const {
    Shares shares;
    const auto slot = slots_.service(key_of(service));
    const auto& rings = daemon_.dataplane().tables().rings;
    const auto ring = slot ? rings.find(*slot) : rings.end();
    if (ring == rings.end()) return shares;
    for (const auto backend : ring->second)
        ++shares.of[backend];
    shares.ring_size = static_cast<std::uint32_t>(ring->second.size());
    return shares;
}

// A look-up is three system calls, and all backends share a few interfaces.
const std::string& Views::interface_of(const model::NextHop& next_hop) {
    auto& name = interfaces_[next_hop.ifindex];
    if (name.empty()) name = interface_name(next_hop.ifindex);
    return name;
}

// What the backend's packets become, and where they go.
void Views::fill_way(control::Backend& message, const BackendView& view) {
    message.set_mode(name_of(view.delivery.forward));
    message.set_rewritten_port(view.delivery.rewrite_port);
    if (!view.delivery.tunnel_source.is_unspecified())
        message.set_tunnel_source(tunnel_source_of(view.delivery));
    if (!view.next_hop || view.delivery.forward == model::Forward::local) return;
    message.set_mac(view.next_hop->mac.to_string());
    message.set_interface(interface_of(*view.next_hop));
    message.set_vlan(view.next_hop->vlan);
    message.set_mtu(view.next_hop->mtu);
    message.set_source_mac(view.next_hop->source_mac.to_string());
    const auto neighbour = daemon_.neighbours().get(view.backend->address);
    if (neighbour && neighbour->via) message.set_via(neighbour->via->to_string());
}

control::Service Views::service(const model::ServiceConfig& service) const {
    control::Service message;
    message.set_name(service.name);
    message.set_vip(service.vip.to_string());
    message.set_port(service.ports.is_single() ? service.ports.first : 0);
    message.set_ports(service.ports.to_string());
    message.set_protocol(to_message(service.protocol));
    message.set_backends(static_cast<std::uint32_t>(service.backends.size()));
    fill_readiness(message, daemon_.state(), service);
    fill_forwarding(message, service);
    message.set_ring_size(service.ring_size);
    message.set_affinity(service.affinity == model::Affinity::source ? "source" : "flow");
    message.set_unknown(service.unknown == model::Unknown::drop ? "drop" : "rehash");
    message.set_on_empty(service.on_empty == model::OnEmpty::reset ? "reset" : "drop");
    message.set_mss_clamp(service.mss_clamp);
    if (const auto slot = slots_.service(key_of(service)))
        fill(*message.mutable_traffic(), daemon_.dataplane().service_traffic(*slot));
    std::uint64_t sessions = 0;
    for (const auto& backend : service.backends)
        if (const auto slot = slots_.backend(key_of(service), key_of(backend)))
            sessions += sessions_of(daemon_, *slot);
    message.set_sessions(sessions);
    return message;
}

void Views::backends(const model::ServiceConfig& service, control::Backends& list) {
    const Shares of_service = shares(service);
    for (const auto& one : service.backends)
        *list.add_backends() = backend(service, one, of_service);
}

control::Backend Views::backend(const model::ServiceConfig& service,
                                const model::BackendConfig& backend) {
    return this->backend(service, backend, shares(service));
}

control::Backend Views::backend(const model::ServiceConfig& service,
                                const model::BackendConfig& backend, const Shares& shares) {
    const BackendView view = daemon_.state().view(service, backend);
    control::Backend message;
    message.set_service(service.name);
    message.set_name(backend.name);
    message.set_address(backend.address.to_string());
    message.set_port(backend.port);
    message.set_state(to_message(view.condition));
    message.set_reason(reason_of(view));
    message.set_health(name_of(view.health));
    message.set_weight(view.weight);
    message.set_file_weight(backend.weight);
    if (view.word) {
        fill(*message.mutable_word(), *view.word);
        const State& state = daemon_.state();
        std::string said_on = state.words().said_on({service.name, backend.name});
        if (said_on != state.config().node.name)
            message.mutable_word()->set_node(std::move(said_on));
    }
    if (view.drained_sessions) message.set_drained_sessions(*view.drained_sessions);
    message.set_backup(backend.backup);
    fill_way(message, view);
    message.set_ring_size(shares.ring_size);
    if (const auto slot = slots_.backend(key_of(service), key_of(backend))) {
        const auto share = shares.of.find(*slot);
        message.set_ring_slots(share == shares.of.end() ? 0 : share->second);
        message.set_sessions(sessions_of(daemon_, *slot));
        fill(*message.mutable_traffic(), daemon_.dataplane().backend_traffic(*slot));
    }
    return message;
}

control::Session Views::session(const dataplane::Session& session) const {
    control::Session message;
    message.set_source(session.key.source.to_string());
    message.set_source_port(session.key.source_port);
    message.set_port(session.key.destination_port);
    message.set_state(to_message(session.state));
    message.set_from_peer(session.from_peer);
    message.set_idle_seconds(session.idle);
    const auto service = services_.find(session.key.service);
    if (service == services_.end()) return message;
    message.set_vip(service->second->vip.to_string());
    message.set_protocol(to_message(service->second->protocol));
    message.set_service(service->second->name);

    // A session may outlive its backend in a slot that another one has got since.
    const auto& standing = daemon_.dataplane().tables().backends;
    const auto entry = standing.find(session.backend);
    const auto backend = backends_.find(session.backend);
    if (entry != standing.end() && backend != backends_.end() &&
        entry->second.generation == session.generation)
        message.set_backend(backend->second->name);
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
