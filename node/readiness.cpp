// SPDX-License-Identifier: Apache-2.0
#include "node/readiness.h"

#include <fmt/format.h>

namespace bascule::node {

std::string in_words(const model::ServiceConfig& service, const ServiceView& view) {
    std::string text =
        fmt::format("{} of {} backends can serve", view.able, service.backends.size());
    if (service.quorum > 1) text += fmt::format(", its quorum is {}", service.quorum);
    return text;
}

std::vector<Readiness::Change> Readiness::follow(const State& state) {
    std::vector<Change> changes;
    std::map<std::string, bool> now;
    for (const auto& service : state.config().services) {
        const ServiceView view = state.view(service);
        const bool ready = view.able > 0 && !view.below_quorum;
        now[service.name] = ready;
        const auto known = ready_.find(service.name);
        const bool before = known == ready_.end() || known->second;
        if (ready != before) changes.push_back({service.name, ready, in_words(service, view)});
    }
    ready_ = std::move(now);
    return changes;
}

}  // namespace bascule::node
