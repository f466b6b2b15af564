// SPDX-License-Identifier: Apache-2.0
#include "node/state.h"

#include <algorithm>
#include <set>

#include "node/reach.h"

namespace bascule::node {

model::ServiceKey key_of(const model::ServiceConfig& service) {
    return {service.vip, service.ports, service.protocol};
}

model::BackendKey key_of(const model::BackendConfig& backend) {
    return {backend.address, backend.port};
}

State::State(model::Config config, OperatorWords words)
    : config_(std::move(config)), words_(std::move(words)) {}

void State::set_config(model::Config config) {
    config_ = std::move(config);
    const auto addresses = backend_addresses(config_);
    const std::set<Address> wanted(addresses.begin(), addresses.end());
    std::erase_if(neighbours_, [&](const auto& entry) { return !wanted.contains(entry.first); });
    const auto is_vip = [&](const Address& address) {
        return std::any_of(config_.vips.begin(), config_.vips.end(),
                           [&](const auto& vip) { return vip.address == address; });
    };
    std::erase_if(held_, [&](const auto& entry) { return !is_vip(entry.first); });
}

void State::set_neighbour(const NeighbourState& neighbour) {
    neighbours_[neighbour.address] = neighbour;
}

void State::set_held(const Address& vip, bool held) {
    held_[vip] = held;
}

void State::assume(const model::Tables& tables) {
    for (const auto& [id, vip] : tables.vips)
        held_.try_emplace(vip.address, vip.held);
    const auto addresses = backend_addresses(config_);
    const std::set<Address> wanted(addresses.begin(), addresses.end());
    for (const auto& [slot, backend] : tables.backends) {
        if (!backend.next_hop || !wanted.contains(backend.key.address)) continue;
        NeighbourState& neighbour =
            neighbours_
                .try_emplace(
                    backend.key.address,
                    NeighbourState{backend.key.address, backend.next_hop, {}, {}, false, {}})
                .first->second;
        // With bits of the flow in it, it is the file's, which says it again.
        if (backend.delivery.entropy_bits == 0 && neighbour.source.is_unspecified())
            neighbour.source = backend.delivery.tunnel_source;
    }
}

BackendView State::own_view(const model::NodeConfig& node, const model::ServiceConfig& service,
                            const model::BackendConfig& backend) const {
    BackendView view;
    view.service = &service;
    view.backend = &backend;
    const BackendName name(service.name, backend.name);
    view.word = words_.find(name);
    const bool disabled = view.word != nullptr && view.word->disabled;
    const bool drained = view.word != nullptr && view.word->drained;
    view.weight = view.word != nullptr && view.word->weight ? *view.word->weight : backend.weight;
    if (disabled || drained) view.weight = 0;
    if (drained) view.drained_sessions = drains_.sessions(name);

    const auto neighbour = neighbours_.find(backend.address);
    Reach way = reach(node, service, backend,
                      neighbour == neighbours_.end() ? nullptr : &neighbour->second);
    view.next_hop = way.next_hop;
    view.delivery = way.delivery;
    if (disabled) {
        view.condition = BackendCondition::disabled;
    } else if (!way.known) {
        view.condition = BackendCondition::unknown;
    } else if (!way.next_hop) {
        view.condition = BackendCondition::unresolved;
        view.reason = std::move(way.reason);
    } else if (drained) {
        view.condition = BackendCondition::drained;
    } else if (view.weight == 0) {
        view.condition = BackendCondition::zero_weight;
    }
    return view;
}

BackendView State::view(const model::ServiceConfig& service,
                        const model::BackendConfig& backend) const {
    BackendView view = own_view(config_.node, service, backend);
    if (!backend.backup || view.condition != BackendCondition::up) return view;
    const bool others_serve = std::any_of(
        service.backends.begin(), service.backends.end(), [&](const model::BackendConfig& other) {
            return !other.backup &&
                   own_view(config_.node, service, other).condition == BackendCondition::up;
        });
    if (others_serve) view.condition = BackendCondition::standby;
    return view;
}

model::Desired State::desired(const model::Config& config) const {
    model::Desired desired;
    for (const auto& vip : config.vips) {
        const auto held = held_.find(vip.address);
        desired.vips.push_back({vip.address, held != held_.end() && held->second});
    }
    for (const auto& service : config.services) {
        model::DesiredService wanted;
        wanted.key = key_of(service);
        wanted.options = {service.limits,   service.affinity,  service.unknown,
                          service.on_empty, service.mss_clamp, service.copy_dscp};
        wanted.ring_size = service.ring_size;
        for (const auto& backend : service.backends) {
            BackendView seen = own_view(config.node, service, backend);
            const bool up = seen.condition != BackendCondition::unresolved &&
                            seen.condition != BackendCondition::disabled;
            wanted.backends.push_back(
                {key_of(backend), seen.weight, up, backend.backup, seen.next_hop, seen.delivery});
        }
        desired.services.push_back(std::move(wanted));
    }
    return desired;
}

std::vector<Address> State::backend_addresses(const model::Config& config) {
    std::set<Address> addresses;
    for (const auto& service : config.services)
        if (service.forward != model::Forward::local)
            for (const auto& backend : service.backends)
                addresses.insert(backend.address);
    return {addresses.begin(), addresses.end()};
}

}  // namespace bascule::node
