// SPDX-License-Identifier: Apache-2.0
#include "node/health_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "control/framing.h"
#include "node/views.h"

namespace bascule::node {

namespace {

using control::Failure;
using control::Response;
using SystemTime = std::chrono::system_clock::time_point;

// Room is left for what a frame holds besides.
constexpr std::size_t most_bytes = control::kMostAnswerBytes - (std::size_t{64} << 10);

// 0: there is none.
std::int64_t unix_milliseconds(SystemTime when) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
}

void fill_last(control::Health& message, const health::Record& record) {
    if (!record.last) return;
    message.set_last_ok(record.last->ok());
    if (!record.last->ok()) message.set_last_failure(name_of(record.last->failure));
    message.set_last_words(record.last->words);
    message.set_warning(record.last->warning);
    message.set_last_unix_milliseconds(unix_milliseconds(record.last_at));
    message.set_last_microseconds(static_cast<std::uint64_t>(record.last_duration.count()));
}

void fill_record(control::Health& message, const health::Record& record, bool with_changes) {
    message.set_health(name_of(record.health));
    message.set_reason(record.reason);
    message.set_since_unix_milliseconds(unix_milliseconds(record.since));
    fill_last(message, record);
    message.set_next_unix_milliseconds(unix_milliseconds(record.next_at));
    message.set_against(record.against);
    message.set_needed(record.needed);
    if (record.held_until)
        message.set_held_until_unix_milliseconds(unix_milliseconds(*record.held_until));
    message.set_checks(record.checks);
    message.set_failures(record.failures);
    message.set_weight_percent(record.weight_percent);
    if (!with_changes) return;
    for (const auto& change : record.changes) {
        auto* one = message.add_changes();
        one->set_unix_milliseconds(unix_milliseconds(change.when));
        one->set_to(name_of(change.to));
        one->set_reason(change.reason);
    }
}

using Chosen = std::vector<std::pair<const model::ServiceConfig*, const model::BackendConfig*>>;

void add_all(Chosen& chosen, const model::ServiceConfig& service) {
    for (const auto& backend : service.backends)
        chosen.emplace_back(&service, &backend);
}

// A name that is a service's means the service.
Chosen choose(const model::Config& config, const std::string& name, Response& refusal) {
    Chosen chosen;
    for (const auto& service : config.services)
        if (name.empty() || service.name == name) add_all(chosen, service);
    if (name.empty() || !chosen.empty()) return chosen;
    BackendSearch search = find_backend(config, name);
    if (search.matches.size() == 1) return search.matches;
    const bool none = search.matches.empty();
    refusal = control::failure_response(
        none ? Failure::FAILURE_NOT_FOUND : Failure::FAILURE_AMBIGUOUS,
        none ? fmt::format("there is no backend and no service '{}'", name) : search.problem);
    for (auto& candidate : search.candidates)
        refusal.mutable_failure()->add_details(std::move(candidate));
    return {};
}

}  // namespace

std::string probed(const model::ServiceConfig& service, const model::BackendConfig& backend) {
    const auto& check = service.health;
    if (check.type == model::ProbeType::none) return {};
    if (check.type == model::ProbeType::exec)
        return check.program.command.empty() ? "" : check.program.command.front();
    const model::CheckPoint point = check_point(service, backend);
    std::string address = point.address.to_string();
    if (check.type == model::ProbeType::icmp || point.port == 0) return address;
    return point.address.is_v4() ? fmt::format("{}:{}", address, point.port)
                                 : fmt::format("[{}]:{}", address, point.port);
}

control::Health health_message(const BackendView& view, const health::Record* record,
                               bool with_changes) {
    const auto& check = view.service->health;
    control::Health message;
    message.set_service(view.service->name);
    message.set_backend(view.backend->name);
    message.set_type(name_of(check.type));
    message.set_to(probed(*view.service, *view.backend));
    message.set_state(to_message(view.condition));
    message.set_health(name_of(view.health));
    message.set_weight_percent(100);
    if (check.type == model::ProbeType::none) return message;
    if (check.type != model::ProbeType::icmp && check.type != model::ProbeType::exec)
        message.set_via(name_of(check_point(*view.service, *view.backend).via));
    message.set_interval_milliseconds(static_cast<std::uint32_t>(check.interval.count()));
    message.set_timeout_milliseconds(static_cast<std::uint32_t>(check.timeout.count()));
    if (record != nullptr) fill_record(message, *record, with_changes);
    return message;
}

Response answer_health(const Daemon& daemon, const control::ShowHealthRequest& ask) {
    Response response;
    const State& state = daemon.state();
    const Chosen chosen = choose(state.config(), ask.backend(), response);
    if (response.has_failure()) return response;
    auto& report = *response.mutable_health();
    report.set_now_unix_milliseconds(unix_milliseconds(std::chrono::system_clock::now()));
    report.set_matched(static_cast<std::uint32_t>(chosen.size()));
    const auto& checker = daemon.checks().checker();
    const bool with_changes = ask.history() || (!ask.backend().empty() && chosen.size() == 1);
    std::size_t bytes = 0;
    for (const auto& [service, backend] : chosen) {
        auto message = health_message(state.view(*service, *backend),
                                      checker.find({service->name, backend->name}), with_changes);
        bytes += message.ByteSizeLong() + 8;
        if (bytes > most_bytes) break;
        *report.add_targets() = std::move(message);
    }
    return response;
}

}  // namespace bascule::node
