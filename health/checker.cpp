// SPDX-License-Identifier: Apache-2.0
#include "health/checker.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "health/watch.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;

constexpr auto apart = 1ms;  // first probes, where the interval has room for it

bool same_backend(const Target& one, const Target& other) {
    return one.backend == other.backend && one.backend_port == other.backend_port &&
           one.protocol == other.protocol;
}

}  // namespace

struct Checker::Impl {
    std::shared_ptr<WatchShared> shared;
    std::map<TargetName, std::unique_ptr<Watch>> watches;
    std::minstd_rand random{std::random_device()()};

    // When the `index`-th of `count` new targets is probed first: each has its share of the span,
    // and is somewhere in it, so that two nodes do not check in step.
    Clock::time_point first(Clock::time_point now, Clock::duration interval, std::size_t index,
                            std::size_t count) {
        const auto all = static_cast<std::int64_t>(count);
        const auto span = std::min<Clock::duration>(interval, apart * all);
        const auto share = span / all;
        const auto within = std::uniform_int_distribution<Clock::rep>(0, share.count())(random);
        return now + span * static_cast<std::int64_t>(index) / all + Clock::duration(within);
    }
};

Checker::Checker(boost::asio::io_context& io, Hooks hooks, MakeProbe make)
    : impl_(std::make_unique<Impl>()) {
    impl_->shared = std::make_shared<WatchShared>(
        WatchShared{io, std::move(hooks), std::move(make), make_resources(io)});
}

Checker::~Checker() = default;

void Checker::set_targets(std::vector<Target> targets) {
    std::map<TargetName, std::unique_ptr<Watch>> before = std::move(impl_->watches);
    impl_->watches.clear();
    std::vector<Target*> fresh;
    for (Target& target : targets) {
        const auto old = before.find(target.name);
        const bool stays =
            old != before.end() && same_backend(old->second->record().target, target);
        // A place at once, so that of two of the same name the second is seen.
        const auto [place, first] = impl_->watches.try_emplace(target.name);
        if (!first) continue;
        if (!stays) {
            fresh.push_back(&target);
            continue;
        }
        place->second = std::move(old->second);
        before.erase(old);
        place->second->set_target(std::move(target));
    }
    before.clear();
    const auto now = Clock::now();
    for (std::size_t i = 0; i < fresh.size(); ++i) {
        Target& target = *fresh[i];
        const auto place = impl_->watches.find(target.name);
        const auto first = impl_->first(now, target.health.interval, i, fresh.size());
        place->second = std::make_unique<Watch>(impl_->shared, std::move(target), first);
    }
}

const Record* Checker::find(const TargetName& name) const {
    const auto found = impl_->watches.find(name);
    return found == impl_->watches.end() ? nullptr : &found->second->record();
}

std::vector<const Record*> Checker::all() const {
    std::vector<const Record*> records;
    records.reserve(impl_->watches.size());
    for (const auto& [name, watch] : impl_->watches)
        records.push_back(&watch->record());
    return records;
}

bool Checker::all_judged() const {
    return impl_->shared->unjudged == 0;
}

}  // namespace bascule::health
