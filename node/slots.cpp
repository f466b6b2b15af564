// SPDX-License-Identifier: Apache-2.0
#include "node/slots.h"

namespace bascule::node {

Slots::Slots(const model::Tables& tables) {
    for (const auto& [slot, service] : tables.services)
        services_.emplace(service.key, slot);
    for (const auto& [slot, backend] : tables.backends)
        backends_.emplace(std::pair(backend.service, backend.key), slot);
}

std::optional<std::uint16_t> Slots::service(const model::ServiceKey& key) const {
    const auto found = services_.find(key);
    if (found == services_.end()) return std::nullopt;
    return found->second;
}

std::optional<std::uint16_t> Slots::backend(const model::ServiceKey& service,
                                            const model::BackendKey& key) const {
    const auto of_service = this->service(service);
    if (!of_service) return std::nullopt;
    const auto found = backends_.find({*of_service, key});
    if (found == backends_.end()) return std::nullopt;
    return found->second;
}

}  // namespace bascule::node
