// SPDX-License-Identifier: Apache-2.0
#include "node/state.h"

#include <set>

namespace bascule::node {

model::ServiceKey key_of(const model::ServiceConfig& service) {
    return {service.vip, service.port, service.protocol};
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
}

void State::set_next_hop(const Address& backend, std::optional<model::NextHop> next_hop,
                         std::string reason) {
    neighbours_[backend] = {next_hop, std::move(reason)};
}

void State::assume_next_hops(const model::Tables& tables) {
    const auto addresses = backend_addresses(config_);
    const std::set<Address> wanted(addresses.begin(), addresses.end());
    for (const auto& [slot, backend] : tables.backends)
        if (backend.next_hop && wanted.contains(backend.key.address))
            neighbours_.try_emplace(backend.key.address, Neighbour{backend.next_hop, {}});
}

BackendView State::view(const model::ServiceConfig& service,
                        const model::BackendConfig& backend) const {
    BackendView view{&service, &backend, BackendCondition::up, {}, backend.weight, nullptr, {}};
    view.word = words_.find({service.name, backend.name});
    if (view.word && view.word->weight) view.weight = *view.word->weight;
    const bool drained = view.word && view.word->drained;
    if (drained) view.weight = 0;

    const auto neighbour = neighbours_.find(backend.address);
    if (neighbour != neighbours_.end()) view.next_hop = neighbour->second.next_hop;
    if (neighbour == neighbours_.end()) {
        view.condition = BackendCondition::unknown;
    } else if (!view.next_hop) {
        view.condition = BackendCondition::unresolved;
        view.reason = neighbour->second.reason;
    } else if (drained) {
        view.condition = BackendCondition::drained;
    } else if (view.weight == 0) {
        view.condition = BackendCondition::zero_weight;
    }
    return view;
}

model::Desired State::desired(const model::Config& config) const {
    model::Desired desired;
    for (const auto& vip : config.vips)
        desired.vips.push_back(vip.address);
    for (const auto& service : config.services) {
        model::DesiredService wanted{key_of(service), service.limits,    service.affinity,
                                     service.unknown, service.ring_size, {}};
        for (const auto& backend : service.backends) {
            const BackendView seen = view(service, backend);
            wanted.backends.push_back({key_of(backend), seen.weight,
                                       seen.condition != BackendCondition::unresolved,
                                       seen.next_hop});
        }
        desired.services.push_back(std::move(wanted));
    }
    return desired;
}

std::vector<Address> State::backend_addresses(const model::Config& config) {
    std::set<Address> addresses;
    for (const auto& service : config.services)
        for (const auto& backend : service.backends)
            addresses.insert(backend.address);
    return {addresses.begin(), addresses.end()};
}

}  // namespace bascule::node
