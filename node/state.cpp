// SPDX-License-Identifier: Apache-2.0
#include "node/state.h"

#include <algorithm>
#include <set>

#include "node/reach.h"
#include "node/slots.h"

namespace bascule::node {

using health::Health;

namespace {

bool is_checked(const model::ServiceConfig& service) {
    return service.health.type != model::ProbeType::none;
}

// Rounded up: what has a weight keeps one.
std::uint32_t share(std::uint32_t weight, std::uint32_t percent) {
    return static_cast<std::uint32_t>((std::uint64_t{weight} * percent + 99) / 100);
}

// What the checks say of it, as a condition; `up` where they do not object.
BackendCondition condition_of(Health health) {
    if (health == Health::down) return BackendCondition::down;
    return health == Health::checking ? BackendCondition::checking : BackendCondition::up;
}

bool is_unjudged(const BackendView& view) {
    const bool drained = view.word != nullptr && view.word->drained;
    return !drained && view.health != Health::down &&
           (view.condition == BackendCondition::unknown ||
            view.condition == BackendCondition::checking);
}

bool sessions_stay(BackendCondition condition) {
    return condition != BackendCondition::disabled && condition != BackendCondition::unresolved &&
           condition != BackendCondition::down;
}

}  // namespace

model::ServiceKey key_of(const model::ServiceConfig& service) {
    return {service.vip, service.ports, service.protocol};
}

model::BackendKey key_of(const model::BackendConfig& backend) {
    return {backend.address, backend.port};
}

State::State(model::Config config, OperatorWords words)
    : config_(std::move(config)), words_(std::move(words)) {
    keep_health();
}

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
    keep_health();
}

// That of the backends of this configuration, and no other.
void State::keep_health() {
    std::map<BackendName, Believed> kept;
    for (const auto& service : config_.services)
        for (const auto& backend : service.backends) {
            BackendName name(service.name, backend.name);
            const auto known = health_.find(name);
            // To those who begin to check it, it has served well until then.
            if (!is_checked(service))
                kept[std::move(name)] = {key_of(backend), {Health::up, 100, {}}};
            else if (known != health_.end() && known->second.key == key_of(backend))
                kept[std::move(name)] = std::move(known->second);
        }
    health_ = std::move(kept);
}

void State::set_neighbour(const NeighbourState& neighbour) {
    neighbours_[neighbour.address] = neighbour;
}

void State::set_held(const Address& vip, bool held) {
    held_[vip] = held;
}

void State::set_health(const BackendName& backend, const model::BackendKey& key,
                       const HealthWord& word) {
    health_[backend] = {key, word};
}

HealthWord State::health_of(const model::ServiceConfig& service,
                            const model::BackendConfig& backend) const {
    if (!is_checked(service)) return {Health::unchecked, 100, {}};
    const Believed* known = believed(service, backend);
    return known != nullptr ? known->word : HealthWord{Health::checking, 100, {}};
}

const State::Believed* State::believed(const model::ServiceConfig& service,
                                       const model::BackendConfig& backend) const {
    const auto known = health_.find({service.name, backend.name});
    if (known == health_.end() || known->second.key != key_of(backend)) return nullptr;
    return &known->second;
}

void State::assume(const model::Tables& tables) {
    for (const auto& [id, vip] : tables.vips)
        held_.try_emplace(vip.address, vip.held);
    assume_neighbours(tables);
    assume_health(tables);
}

// A backend that is not up was found down, unless something else explains it.
void State::assume_health(const model::Tables& tables) {
    const Slots slots(tables);
    for (const auto& service : config_.services)
        for (const auto& backend : service.backends) {
            const auto slot = slots.backend(key_of(service), key_of(backend));
            if (!slot || !is_checked(service)) continue;
            const BackendName name(service.name, backend.name);
            const model::TableBackend& stands = tables.backends.at(*slot);
            const OperatorWord* word = words_.find(name);
            const bool explained = !stands.next_hop || (word != nullptr && word->disabled);
            if (!stands.up && explained) continue;
            const HealthWord believed{stands.up ? Health::up : Health::down, 100,
                                      stands.up ? "" : "an earlier process found it down"};
            health_.try_emplace(name, Believed{key_of(backend), believed});
        }
}

void State::presume() {
    const HealthWord unjudged{Health::checking, 100, {}};
    for (const auto& service : config_.services)
        for (const auto& backend : service.backends)
            if (is_checked(service))
                health_.try_emplace({service.name, backend.name},
                                    Believed{key_of(backend), unjudged, true});
}

void State::assume_neighbours(const model::Tables& tables) {
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
    HealthWord health = health_of(service, backend);
    view.health = health.health;
    const Believed* known = believed(service, backend);
    const bool presumed = is_checked(service) && known != nullptr && known->presumed;
    const BackendCondition checked = presumed ? BackendCondition::up : condition_of(health.health);
    view.weight = view.word != nullptr && view.word->weight ? *view.word->weight : backend.weight;
    view.weight = share(view.weight, health.weight_percent);
    if (disabled || drained || checked == BackendCondition::checking) view.weight = 0;
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
    } else if (checked != BackendCondition::up) {
        view.condition = checked;
        view.reason = std::move(health.reason);
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

ServiceView State::view(const model::NodeConfig& node, const model::ServiceConfig& service) const {
    ServiceView view;
    for (const auto& backend : service.backends) {
        const BackendView seen = own_view(node, service, backend);
        view.able += seen.takes_flows();
        view.unjudged += is_unjudged(seen);
    }
    view.below_quorum = view.able < service.quorum;
    return view;
}

bool State::is_held(const Address& vip) const {
    const auto held = held_.find(vip);
    return held != held_.end() && held->second;
}

bool State::wants_vip(const Address& vip, const model::Config& config) const {
    const bool is_here = is_held(vip);
    return std::none_of(config.services.begin(), config.services.end(), [&](const auto& service) {
        if (!service.give_up_vip || service.vip != vip) return false;
        const ServiceView seen = view(config.node, service);
        const bool may_meet_it = seen.able + seen.unjudged >= service.quorum;
        return seen.below_quorum && !(is_here && may_meet_it);
    });
}

model::Desired State::desired(const model::Config& config) const {
    model::Desired desired;
    for (const auto& vip : config.vips)
        desired.vips.push_back({vip.address, is_held(vip.address)});
    for (const auto& service : config.services) {
        model::DesiredService wanted;
        wanted.key = key_of(service);
        wanted.options = {service.limits,   service.affinity,  service.unknown,
                          service.on_empty, service.mss_clamp, service.copy_dscp};
        wanted.ring_size = service.ring_size;
        std::uint32_t able = 0;
        for (const auto& backend : service.backends) {
            const BackendView seen = own_view(config.node, service, backend);
            able += seen.takes_flows();
            wanted.backends.push_back({key_of(backend), seen.weight, sessions_stay(seen.condition),
                                       backend.backup, seen.next_hop, seen.delivery});
        }
        if (able < service.quorum)
            for (auto& backend : wanted.backends)
                backend.weight = 0;
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
