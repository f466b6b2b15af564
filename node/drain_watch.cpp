// SPDX-License-Identifier: Apache-2.0
#include "node/drain_watch.h"

#include <utility>

namespace bascule::node {

void DrainWatch::follow(const model::Config& config, const OperatorWords& words, Time now) {
    std::map<BackendName, Drain> drains;
    if (words.size() == 0) {
        drains_.clear();
        return;
    }
    for (const auto& service : config.services)
        for (const auto& backend : service.backends) {
            const BackendName name(service.name, backend.name);
            const OperatorWord* word = words.find(name);
            if (word == nullptr || !word->drained) continue;
            const auto known = drains_.find(name);
            drains.emplace(name, known == drains_.end() ? Drain{now, {}, false} : known->second);
        }
    drains_ = std::move(drains);
}

std::vector<BackendName> DrainWatch::count(
    Time began, const std::function<std::uint64_t(const BackendName&)>& sessions) {
    std::vector<BackendName> ended;
    for (auto& [name, drain] : drains_) {
        if (began < drain.since) continue;
        drain.sessions = sessions(name);
        if (*drain.sessions != 0 || std::exchange(drain.told, true)) continue;
        ended.push_back(name);
    }
    return ended;
}

std::optional<std::uint64_t> DrainWatch::sessions(const BackendName& backend) const {
    const auto found = drains_.find(backend);
    if (found == drains_.end()) return std::nullopt;
    return found->second.sessions;
}

}  // namespace bascule::node
