// SPDX-License-Identifier: Apache-2.0
#include "node/health_facts.h"

#include <chrono>

#include "node/views.h"

namespace bascule::node {

namespace {

using Clock = std::chrono::system_clock;

// 0 of what is over.
std::uint64_t seconds_between(Clock::time_point from, Clock::time_point to) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
    return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds);
}

class Gathering {
public:
    explicit Gathering(const Daemon& daemon)
        : state_(daemon.state()), checker_(daemon.checks().checker()), now_(Clock::now()) {}

    void service(const model::ServiceConfig& service) {
        ServiceFacts facts;
        facts.name = service.name;
        facts.backends = static_cast<std::uint32_t>(service.backends.size());
        facts.quorum = service.quorum;
        const ServiceView whole = state_.view(service);
        facts.able = whole.able;
        facts.below_quorum = whole.below_quorum;
        if (!state_.wants_vip(service.vip)) facts.given_up_vip = service.vip.to_string();
        for (const auto& backend : service.backends)
            this->backend(facts, state_.view(service, backend));
        facts.on_backups = serving(state_, service).on_backups;
        facts_.services.push_back(std::move(facts));
    }

    HealthFacts take() { return std::move(facts_); }

private:
    void backend(ServiceFacts& service, const BackendView& view) {
        const health::Record* record = checker_.find({view.service->name, view.backend->name});
        if (record != nullptr && record->last && !record->last->warning.empty())
            facts_.warnings.push_back(
                {view.service->name + "/" + view.backend->name, record->last->warning});
        facts_.path_wanted |=
            record != nullptr && check_point(*view.service, *view.backend).via == model::Via::vip;
        switch (view.condition) {
            case BackendCondition::down:
                ++service.down;
                return add_idle(view, record);
            case BackendCondition::unresolved:
            case BackendCondition::unknown:
                ++service.unreachable;
                return add_idle(view, nullptr);
            case BackendCondition::checking:
                ++service.checking;
                return;
            case BackendCondition::disabled:
            case BackendCondition::drained:
            case BackendCondition::zero_weight:
                ++service.by_operator;
                return;
            case BackendCondition::standby:
            case BackendCondition::up:
                ++service.serving;
                return;
        }
    }

    void add_idle(const BackendView& view, const health::Record* record) {
        BackendFacts facts;
        facts.service = view.service->name;
        facts.name = view.backend->name;
        facts.address = view.backend->address.to_string();
        facts.reason = reason_of(view);
        facts.down = view.condition == BackendCondition::down;
        facts.drained = view.word != nullptr && view.word->drained;
        if (record != nullptr) {
            facts.for_seconds = seconds_between(record->since, now_);
            if (record->held_until) facts.held_seconds = seconds_between(now_, *record->held_until);
        }
        facts_.backends.push_back(std::move(facts));
    }

    const State& state_;
    const health::Checker& checker_;
    Clock::time_point now_;
    HealthFacts facts_;
};

}  // namespace

HealthFacts gather_health_facts(const Daemon& daemon) {
    Gathering gathering(daemon);
    for (const auto& service : daemon.state().config().services)
        gathering.service(service);
    HealthFacts facts = gathering.take();
    facts.path_problem = daemon.checks().path_problem();
    facts.hook_failures = daemon.hook().failures();
    facts.hook_dropped = daemon.hook().dropped();
    return facts;
}

HealthCounts count(const HealthFacts& facts) {
    HealthCounts counts;
    for (const ServiceFacts& service : facts.services) {
        counts.backends += service.backends;
        counts.serving += service.serving;
        counts.down += service.down;
        counts.checking += service.checking;
        counts.idle_services += !service.takes_flows();
    }
    return counts;
}

}  // namespace bascule::node
