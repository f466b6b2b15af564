// SPDX-License-Identifier: Apache-2.0
#include "node/slot_names.h"

#include "node/slots.h"
#include "node/state.h"

namespace bascule::node {

SlotNames::SlotNames(const model::Config& config, const model::Tables& tables) {
    const Slots slots(tables);
    for (const auto& service : config.services) {
        const auto key = key_of(service);
        if (const auto slot = slots.service(key)) services_.emplace(*slot, &service);
        for (const auto& backend : service.backends)
            if (const auto slot = slots.backend(key, key_of(backend)))
                backends_.emplace(*slot, Backend{&service, &backend});
    }
}

const model::ServiceConfig* SlotNames::service(std::uint16_t slot) const {
    const auto found = services_.find(slot);
    return found == services_.end() ? nullptr : found->second;
}

SlotNames::Backend SlotNames::backend(std::uint16_t slot) const {
    const auto found = backends_.find(slot);
    return found == backends_.end() ? Backend{} : found->second;
}

std::string SlotNames::backend_name(std::uint16_t slot) const {
    const auto [service, backend] = this->backend(slot);
    return backend == nullptr ? std::string() : service->name + "/" + backend->name;
}

}  // namespace bascule::node
