// SPDX-License-Identifier: Apache-2.0
#include "node/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "node/probe_path.h"
#include "node/slots.h"

namespace bascule::node {

using health::Destination;
using health::Failure;
using health::Health;
using health::Outcome;
using health::Record;
using health::Target;

namespace {

// Sources that do not serve are looked for anew at most this often: it asks the kernel.
constexpr auto choose_again_after = std::chrono::seconds(1);

// As BPF programs see it, too.
std::int64_t monotonic_nanoseconds() {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool is_checked(const model::ServiceConfig& service) {
    return service.health.type != model::ProbeType::none;
}

Target target_of(const model::ServiceConfig& service, const model::BackendConfig& backend) {
    const model::CheckPoint point = check_point(service, backend);
    Target target;
    target.name = {service.name, backend.name};
    target.health = service.health;
    target.health.via = point.via;
    target.protocol = service.protocol;
    target.vip = service.vip;
    target.vip_port = service.ports.is_single() ? service.ports.first : 0;
    target.backend = point.address;
    target.backend_port = point.port;
    if (point.via == model::Via::vip) {
        target.vip_port = point.port;
        target.backend = backend.address;
        target.backend_port = backend.port != 0 ? backend.port : point.port;
    }
    return target;
}

std::string in_words(std::chrono::seconds time) {
    const auto seconds = time.count();
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

}  // namespace

Checks::Checks(boost::asio::io_context& io, dataplane::Dataplane& dataplane, State& state,
               EventLog& events, OnChange on_change)
    : dataplane_(dataplane),
      state_(state),
      events_(events),
      on_change_(std::move(on_change)),
      checker_(io, hooks()) {}

health::Checker::Hooks Checks::hooks() {
    health::Checker::Hooks hooks;
    hooks.destination = [this](const Target& target) { return destination(target); };
    hooks.explain = [this](const Target& target, const Outcome& outcome) {
        return explain(target, outcome);
    };
    hooks.on_change = [this](const Record& record, bool health_changed) {
        on_change(record, health_changed);
    };
    hooks.initial = [this](const Target& target) {
        const Subject* subject = find(target.name);
        return subject == nullptr ? Health::checking : subject->told;
    };
    return hooks;
}

void Checks::follow() {
    std::map<health::TargetName, Subject> subjects;
    std::vector<Target> targets;
    const auto& services = state_.config().services;
    for (std::size_t s = 0; s < services.size(); s++) {
        if (!is_checked(services[s])) continue;
        for (std::size_t b = 0; b < services[s].backends.size(); b++) {
            const auto& backend = services[s].backends[b];
            targets.push_back(target_of(services[s], backend));
            Subject subject;
            if (const Subject* known = find(targets.back().name)) subject = *known;
            subject.service = s;
            subject.backend = b;
            const Health believed = state_.health(services[s], backend);
            if (believed != subject.told) subject.since.reset();
            subject.told = believed;
            subjects.insert_or_assign(targets.back().name, subject);
        }
    }
    subjects_ = std::move(subjects);
    slots_stand_ = false;
    choose_sources();
    checker_.set_targets(std::move(targets));
    take_weights();
}

// A target that is checked at another address is watched anew, and in full: nobody would ever tell
// State that the slow start or the program's weight of before is over.
void Checks::take_weights() {
    for (const Record* record : checker_.all()) {
        Subject* subject = find(record->target.name);
        if (subject == nullptr || record->health != Health::up ||
            subject->weight_percent == record->weight_percent)
            continue;
        subject->weight_percent = record->weight_percent;
        state_.set_health(record->target.name, key_of(backend_of(*subject)),
                          {record->health, record->weight_percent, {}});
    }
}

bool Checks::all_judged() const {
    const auto records = checker_.all();
    return std::none_of(records.begin(), records.end(),
                        [](const Record* record) { return record->health == Health::checking; });
}

// ---- where a probe goes ----

Checks::Whither Checks::destination(const Target& target) {
    Subject* subject = find(target.name);
    if (subject == nullptr) return std::monostate{};
    subject->probed_at = monotonic_nanoseconds();
    if (target.health.via == model::Via::vip) return by_vip(target, *subject);
    return Destination{target.backend, target.backend_port,
                       target.health.source.value_or(Address{})};
}

Checks::Whither Checks::by_vip(const Target& target, Subject& subject) {
    if (!path_problem_.empty()) return Outcome{Failure::path, path_problem_, {}, {}};
    if (!slots_stand_) find_slots();
    if (!subject.slot) return std::monostate{};
    const model::TableBackend& stands = dataplane_.tables().backends.at(*subject.slot);
    if (!stands.next_hop) {
        const BackendView view = state_.view(service_of(subject), backend_of(subject));
        if (view.condition != BackendCondition::unresolved) return std::monostate{};
        return Outcome{Failure::path, view.reason, {}, {}};
    }
    Destination to;
    to.address = probe_address(state_.config().node, target.vip, *subject.slot, stands.generation);
    to.port = target.vip_port;
    to.source = target.health.source.value_or(sources_[target.vip]);
    if (to.source.is_unspecified()) {
        choose_sources_again();
        return Outcome{Failure::local,
                       fmt::format("no address to probe {} from: this host needs one that is no "
                                   "VIP, or the service a [service.health] source",
                                   target.vip.to_string()),
                       {},
                       {}};
    }
    if (known_sources_.insert(to.source).second) dataplane_.add_probe_source(to.source);
    return to;
}

void Checks::choose_sources() {
    sources_chosen_ = std::chrono::steady_clock::now();
    sources_.clear();
    known_sources_.clear();
    const auto& config = state_.config();
    for (const auto& vip : config.vips)
        if (const auto source = probe_source(config, vip)) sources_[vip.address] = *source;
}

// An address of this host may have gone, or come.
void Checks::choose_sources_again() {
    if (std::chrono::steady_clock::now() - sources_chosen_ >= choose_again_after) choose_sources();
}

void Checks::find_slots() {
    const Slots slots(dataplane_.tables());
    for (auto& [name, subject] : subjects_)
        subject.slot = slots.backend(key_of(service_of(subject)), key_of(backend_of(subject)));
    slots_stand_ = true;
}

// ---- what became of it ----

std::optional<Outcome> Checks::explain(const Target& target, const Outcome& outcome) {
    Subject* subject = find(target.name);
    if (subject == nullptr) return std::nullopt;
    if (outcome.failure == Failure::local) choose_sources_again();
    const Record* record = checker_.find(target.name);
    const bool good_before = record != nullptr && record->last && record->last->ok();
    return subject->explanation.of(note_of(*subject),
                                   {service_of(*subject), target.backend, target.vip_port}, outcome,
                                   good_before, std::chrono::steady_clock::now());
}

// Of the probe that was sent last.
std::optional<dataplane::ProbeNote> Checks::note_of(const Subject& subject) const {
    if (!subject.slot) return std::nullopt;
    const auto stands = dataplane_.tables().backends.find(*subject.slot);
    if (stands == dataplane_.tables().backends.end()) return std::nullopt;
    const dataplane::ProbeNote note = dataplane_.probe_note(*subject.slot);
    if (static_cast<std::int64_t>(note.nanoseconds) < subject.probed_at)
        return dataplane::ProbeNote{};  // of an earlier one: nothing of this one was seen
    if (note.generation != stands->second.generation) return std::nullopt;
    return note;
}

void Checks::on_change(const Record& record, bool health_changed) {
    Subject* subject = find(record.target.name);
    if (subject == nullptr) return;
    state_.set_health(record.target.name, key_of(backend_of(*subject)),
                      {record.health, record.weight_percent, record.reason});
    const bool weight_changed = subject->weight_percent != record.weight_percent;
    subject->weight_percent = record.weight_percent;
    tell(*subject, record);
    if (health_changed || weight_changed) on_change_();
}

void Checks::tell(Subject& subject, const Record& record) {
    const std::string name = record.target.name.first + "/" + record.target.name.second;
    if (record.kept_down && !subject.kept_down && record.held_until)
        events_.add(Event::Kind::backend_held, name,
                    fmt::format("its checks are good again, but it has flapped: held down for {}",
                                in_words(std::chrono::ceil<std::chrono::seconds>(
                                    *record.held_until - std::chrono::system_clock::now()))));
    subject.kept_down = record.kept_down;
    if (record.health == subject.told) return;
    const auto now = std::chrono::system_clock::now();
    if (record.health == Health::down)
        events_.add(Event::Kind::backend_down, name, record.reason);
    else if (record.health == Health::up && subject.told != Health::down)
        events_.add(Event::Kind::backend_up, name, "at its first check");
    else if (record.health == Health::up && subject.since)
        events_.add(Event::Kind::backend_up, name,
                    "again after " +
                        in_words(std::chrono::round<std::chrono::seconds>(now - *subject.since)));
    else if (record.health == Health::up)
        events_.add(Event::Kind::backend_up, name, "again");
    subject.told = record.health;
    subject.since = now;
}

// ---- small ----

Checks::Subject* Checks::find(const health::TargetName& name) {
    const auto found = subjects_.find(name);
    return found == subjects_.end() ? nullptr : &found->second;
}

const model::ServiceConfig& Checks::service_of(const Subject& subject) const {
    return state_.config().services.at(subject.service);
}

const model::BackendConfig& Checks::backend_of(const Subject& subject) const {
    return service_of(subject).backends.at(subject.backend);
}

}  // namespace bascule::node
