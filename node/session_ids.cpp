// SPDX-License-Identifier: Apache-2.0
#include "node/session_ids.h"

#include <algorithm>

namespace bascule::node {

namespace {

template <typename Value>
const Value* at(const std::vector<Value>& by_slot, std::size_t slot) {
    return slot < by_slot.size() && by_slot[slot].id != 0 ? &by_slot[slot] : nullptr;
}

template <typename Value>
void set_at(std::vector<Value>& by_slot, std::size_t slot, const Value& value) {
    if (by_slot.size() <= slot) by_slot.resize(slot + 1);
    by_slot[slot] = value;
}

}  // namespace

bool SessionIds::Service::fits(const sync::Flow& flow) const {
    return flow.source.is_v4() == key.vip.is_v4() && flow.destination_port >= key.ports.first &&
           flow.destination_port <= key.ports.last;
}

SessionIds::SessionIds(const model::Tables& tables) {
    for (const auto& [slot, service] : tables.services)
        add(Service{sync::service_id(service.key), slot,
                    static_cast<std::uint32_t>(service.options.limits.established.count()),
                    service.key});
    for (const auto& [slot, backend] : tables.backends) {
        const auto service = tables.services.find(backend.service);
        if (service == tables.services.end()) continue;
        add(Target{sync::target_id(service->second.key, backend.key), backend.service, slot,
                   backend.generation});
    }
}

SessionIds SessionIds::without_retired(const model::Plan& plan) const {
    std::vector<std::uint16_t> services;
    std::vector<std::uint16_t> backends;
    for (const model::Write& write : plan.writes) {
        if (const auto* service = std::get_if<model::ClearService>(&write))
            services.push_back(service->slot);
        if (const auto* backend = std::get_if<model::ClearBackend>(&write))
            backends.push_back(backend->slot);
    }
    const auto has = [](const auto& slots, std::uint16_t slot) {
        return std::find(slots.begin(), slots.end(), slot) != slots.end();
    };
    SessionIds left;
    for (const Service& service : services_)
        if (service.id != 0 && !has(services, service.slot)) left.add(service);
    for (const Target& target : targets_)
        if (target.id != 0 && !has(backends, target.backend) && !has(services, target.service))
            left.add(target);
    return left;
}

void SessionIds::add(const Service& service) {
    if (service.id == 0 || !service_slots_.emplace(service.id, service.slot).second) return;
    set_at(services_, service.slot, service);
}

void SessionIds::add(const Target& target) {
    if (target.id == 0 || !backend_slots_.emplace(target.id, target.backend).second) return;
    set_at(targets_, target.backend, target);
}

const SessionIds::Service* SessionIds::service(std::uint16_t slot) const {
    return at(services_, slot);
}

const SessionIds::Service* SessionIds::service_by_id(sync::ServiceId id) const {
    const auto found = service_slots_.find(id);
    return found == service_slots_.end() ? nullptr : service(found->second);
}

const SessionIds::Target* SessionIds::target(std::uint16_t service, std::uint16_t backend,
                                             std::uint8_t generation) const {
    const Target* found = at(targets_, backend);
    const bool same =
        found != nullptr && found->service == service && found->generation == generation;
    return same ? found : nullptr;
}

const SessionIds::Target* SessionIds::target_by_id(sync::ServiceId service,
                                                   sync::TargetId id) const {
    const auto found = backend_slots_.find(id);
    const Service* of = service_by_id(service);
    if (found == backend_slots_.end() || of == nullptr) return nullptr;
    const Target* target = at(targets_, found->second);
    return target != nullptr && target->service == of->slot ? target : nullptr;
}

std::vector<sync::TargetId> SessionIds::targets() const {
    std::vector<sync::TargetId> ids;
    for (const Target& target : targets_)
        if (target.id != 0 && service(target.service) != nullptr) ids.push_back(target.id);
    std::sort(ids.begin(), ids.end());
    return ids;
}

bool changes_ids(const model::Plan& plan) {
    return std::any_of(plan.writes.begin(), plan.writes.end(), [](const model::Write& write) {
        if (const auto* backend = std::get_if<model::SetBackend>(&write)) return backend->fresh;
        return std::holds_alternative<model::SetService>(write) ||
               std::holds_alternative<model::ClearBackend>(write) ||
               std::holds_alternative<model::ClearService>(write);
    });
}

bool retires_ids(const model::Plan& plan) {
    return std::any_of(plan.writes.begin(), plan.writes.end(), [](const model::Write& write) {
        return std::holds_alternative<model::ClearBackend>(write) ||
               std::holds_alternative<model::ClearService>(write);
    });
}

}  // namespace bascule::node
