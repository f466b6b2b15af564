// SPDX-License-Identifier: Apache-2.0
#include "node/bridge.h"

#include <algorithm>

namespace bascule::node {

namespace {

const model::ServiceConfig* find_same(const model::Config& config,
                                      const model::ServiceConfig& service) {
    const auto same =
        std::find_if(config.services.begin(), config.services.end(), [&](const auto& one) {
            return one.name == service.name && key_of(one) == key_of(service) &&
                   one.forward == service.forward && one.gue_port == service.gue_port;
        });
    return same == config.services.end() ? nullptr : &*same;
}

bool stands_in(const model::ServiceConfig& service, const model::BackendConfig& backend) {
    return std::any_of(service.backends.begin(), service.backends.end(), [&](const auto& one) {
        return one.name == backend.name || key_of(one) == key_of(backend);
    });
}

bool serves(const ServiceView& view) {
    return view.able > 0 && !view.below_quorum;
}

}  // namespace

std::optional<model::Config> bridge(const State& state, const model::Config& next) {
    model::Config over = next;
    bool needed = false;
    for (auto& service : over.services) {
        const model::ServiceConfig* earlier = find_same(state.config(), service);
        if (earlier == nullptr || !serves(state.view(*earlier)) ||
            serves(state.view(next.node, service)))
            continue;
        const bool unjudged =
            std::any_of(service.backends.begin(), service.backends.end(), [&](const auto& backend) {
                return state.health(service, backend) == health::Health::checking;
            });
        if (!unjudged) continue;
        for (const auto& backend : earlier->backends)
            if (!stands_in(service, backend)) {
                service.backends.push_back(backend);
                needed = true;
            }
    }
    if (!needed) return std::nullopt;
    return over;
}

}  // namespace bascule::node
