// SPDX-License-Identifier: Apache-2.0
#include "expected.h"

namespace bascule::node::testing {

using health::Health;

void Expected::tell(const Fact& fact) {
    if (const auto* verdict = std::get_if<Verdict>(&fact))
        health_[verdict->backend] = {verdict->key, verdict->word};
    if (const auto* word = std::get_if<Word>(&fact)) words_[word->backend] = word->word;
    if (const auto* way = std::get_if<Way>(&fact)) ways_[way->neighbour.address] = way->neighbour;
    if (const auto* held = std::get_if<Held>(&fact)) held_[held->vip] = held->held;
    if (const auto* edit = std::get_if<Edit>(&fact)) {
        config_ = edit->config;
        believe();
    }
}

// An edit forgets what it takes away, and a backend that was not checked was well.
void Expected::believe() {
    std::set<BackendName> named;
    std::set<Address> addresses;
    for (const auto& service : config_.services)
        for (const auto& backend : service.backends) {
            const BackendName name(service.name, backend.name);
            const model::BackendKey key{backend.address, backend.port};
            addresses.insert(backend.address);
            if (service.health.type == model::ProbeType::none)
                health_[name] = {key, {Health::up, 100, {}}};
            if (health_.contains(name) && health_.at(name).key == key) named.insert(name);
        }
    std::erase_if(health_, [&](const auto& entry) { return !named.contains(entry.first); });
    std::erase_if(ways_, [&](const auto& entry) { return !addresses.contains(entry.first); });
}

ExpectedBackend Expected::backend(const model::ServiceConfig& service,
                                  const model::BackendConfig& config) const {
    const BackendName name(service.name, config.name);
    const auto word = words_.contains(name) ? words_.at(name) : OperatorWord{};
    Health health = Health::checking;
    std::uint32_t percent = 100;
    const auto known = health_.find(name);
    if (known != health_.end() && known->second.key.address == config.address) {
        health = known->second.word.health;
        percent = known->second.word.weight_percent;
    }
    if (service.health.type == model::ProbeType::none) {
        health = Health::up;
        percent = 100;
    }
    const auto way = ways_.find(config.address);
    const bool found = way != ways_.end() && way->second.next_hop.has_value();
    const bool lost = way != ways_.end() && !found;

    ExpectedBackend expected;
    expected.resolved = found;
    expected.up = !word.disabled && !lost && (way == ways_.end() || health != Health::down);
    const std::uint32_t whole = word.weight.value_or(config.weight);
    const bool serves = found && health == Health::up && !word.disabled && !word.drained;
    if (serves) expected.weight = whole * percent / 100 + (whole * percent % 100 != 0 ? 1 : 0);
    return expected;
}

ExpectedService Expected::service(const model::ServiceConfig& config) const {
    ExpectedService expected;
    std::uint32_t able = 0;
    bool first_choice = false;
    for (const auto& one : config.backends) {
        const ExpectedBackend known = backend(config, one);
        expected.backends.emplace(model::BackendKey{one.address, one.port}, known);
        able += known.weight > 0 ? 1 : 0;
        first_choice = first_choice || (known.weight > 0 && !one.backup);
    }
    for (const auto& one : config.backends) {
        auto& known = expected.backends.at({one.address, one.port});
        if (able < config.quorum || (one.backup && first_choice)) known.weight = 0;
    }
    return expected;
}

std::map<model::ServiceKey, ExpectedService> Expected::services() const {
    std::map<model::ServiceKey, ExpectedService> all;
    for (const auto& config : config_.services)
        all.emplace(model::ServiceKey{config.vip, config.ports, config.protocol}, service(config));
    return all;
}

std::map<Address, bool> Expected::vips() const {
    std::map<Address, bool> all;
    for (const auto& vip : config_.vips)
        all[vip.address] = held_.contains(vip.address) && held_.at(vip.address);
    return all;
}

}  // namespace bascule::node::testing
