// SPDX-License-Identifier: Apache-2.0
#include "node/answers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "control/framing.h"
#include "node/doctor.h"
#include "node/health_answers.h"
#include "node/peer_answers.h"
#include "node/readiness.h"
#include "node/session_filter.h"
#include "node/status.h"
#include "node/trace.h"
#include "node/views.h"
#include "node/vip_answers.h"
#include "node/vip_failover.h"

namespace bascule::node {

namespace {

using control::Failure;
using control::Response;

std::int64_t now_unix() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void fill(control::Counter& counter, const dataplane::Named& named) {
    counter.set_name(named.name);
    counter.set_meaning(named.meaning);
    counter.set_count(named.count);
}

Response failure_of(const BackendSearch& search) {
    Response response = control::failure_response(
        search.matches.empty() ? Failure::FAILURE_NOT_FOUND : Failure::FAILURE_AMBIGUOUS,
        search.problem);
    for (const auto& name : search.candidates)
        response.mutable_failure()->add_details(name);
    return response;
}

// What the operator should know of the service when he has changed a backend of it.
std::string note_of(const State& state, const model::ServiceConfig& service) {
    const ServiceView whole = state.view(service);
    if (whole.below_quorum && whole.able > 0)
        return fmt::format("{} takes no new flows now: {}", service.name, in_words(service, whole));
    if (serving(state, service).serving == 0)
        return fmt::format("no backend of {} takes new flows now", service.name);
    return {};
}

}  // namespace

boost::asio::awaitable<Response> Answers::answer(control::Request request) {
    using control::Request;
    if (!daemon_.running())
        co_return control::failure_response(Failure::FAILURE_BUSY,
                                            "basculed is starting or stopping: ask again");
    switch (request.ask_case()) {
        case Request::kStatus:
            co_return status();
        case Request::kReload:
            co_return co_await reload();
        case Request::kShowServices:
            co_return services();
        case Request::kShowBackends:
            co_return backends(request.show_backends());
        case Request::kShowSessions:
            co_return sessions(request.show_sessions());
        case Request::kShowDrops:
            co_return drops();
        case Request::kShowHealth:
            co_return answer_health(daemon_, request.show_health());
        case Request::kShowPeers: {
            Response response;
            *response.mutable_peers() = make_peers(daemon_);
            co_return response;
        }
        case Request::kShowVips: {
            Response response;
            *response.mutable_vips() = make_vips(daemon_);
            co_return response;
        }
        case Request::kDoctor: {
            Response response;
            *response.mutable_doctor() = co_await examine(daemon_);
            co_return response;
        }
        case Request::kFailover:
            co_return co_await answer_failover(daemon_, request.failover());
        case Request::kEvents:
            co_return co_await events_.answer(request.events());
        case Request::kDrain:
            co_return drain(request.drain());
        case Request::kDisable:
            co_return disable(request.disable());
        case Request::kEnable:
            co_return enable(request.enable());
        case Request::kSetWeight:
            co_return set_weight(request.set_weight());
        case Request::kDetach:
            co_return co_await detach();
        case Request::kTrace:
            co_return answer_trace(daemon_, request.trace());
        case Request::kCaptureStart:
            co_return co_await captures_.start(request.capture_start());
        case Request::kCaptureNext:
            co_return co_await captures_.next(request.capture_next());
        case Request::kCaptureStop:
            co_return captures_.stop(request.capture_stop());
        case Request::ASK_NOT_SET:
            break;
    }
    co_return control::failure_response(Failure::FAILURE_UNSUPPORTED,
                                        "this basculed knows no such request");
}

Response Answers::status() const {
    Response response;
    *response.mutable_status() = make_status(daemon_);
    return response;
}

Response Answers::services() const {
    Response response;
    auto* list = response.mutable_services();
    const Views views(daemon_);
    for (const auto& service : daemon_.state().config().services)
        *list->add_services() = views.service(service);
    return response;
}

Response Answers::backends(const control::ShowBackendsRequest& ask) const {
    Response response;
    auto* list = response.mutable_backends();
    Views views(daemon_);
    bool found = ask.service().empty();
    for (const auto& service : daemon_.state().config().services) {
        if (!ask.service().empty() && service.name != ask.service()) continue;
        found = true;
        views.backends(service, *list);
    }
    if (!found)
        return control::failure_response(Failure::FAILURE_NOT_FOUND,
                                         fmt::format("there is no service '{}'", ask.service()));
    return response;
}

Response Answers::sessions(const control::ShowSessionsRequest& ask) const {
    const Views views(daemon_);
    auto filter = SessionFilter::make(daemon_, views.slots(), ask);
    if (!filter) return control::failure_response(Failure::FAILURE_INVALID, filter.error().text());
    const std::uint32_t limit =
        std::min(ask.limit() ? ask.limit() : control::kDefaultSessions, control::kMostSessions);
    Response response;
    auto* list = response.mutable_sessions();
    std::uint64_t matched = 0;
    daemon_.dataplane().sessions().for_each([&](const dataplane::Session& session) {
        if (!filter->matches(session)) return true;
        if (matched++ < limit) *list->add_sessions() = views.session(session);
        return true;
    });
    list->set_matched(matched);
    return response;
}

Response Answers::drops() const {
    Response response;
    auto* drops = response.mutable_drops();
    for (const auto& named : daemon_.dataplane().drops())
        fill(*drops->add_drops(), named);
    for (const auto& named : daemon_.dataplane().events())
        fill(*drops->add_events(), named);
    return response;
}

Response Answers::drain(const control::BackendRequest& ask) {
    return change(ask.backend(), [](OperatorWord& word) {
        word.drained = true;
        word.disabled = false;
    });
}

Response Answers::disable(const control::BackendRequest& ask) {
    return change(ask.backend(), [](OperatorWord& word) {
        word.drained = false;
        word.disabled = true;
    });
}

Response Answers::enable(const control::BackendRequest& ask) {
    return change(ask.backend(), [](OperatorWord& word) {
        word.drained = false;
        word.disabled = false;
    });
}

Response Answers::set_weight(const control::SetWeightRequest& ask) {
    if (ask.has_weight() && ask.weight() > model::most_weight)
        return control::failure_response(
            Failure::FAILURE_INVALID,
            fmt::format("weight {} is above the highest, {}", ask.weight(), model::most_weight));
    return change(ask.backend(), [&](OperatorWord& word) {
        word.weight.reset();
        if (ask.has_weight()) word.weight = ask.weight();
    });
}

Response Answers::change(const std::string& name, const std::function<void(OperatorWord&)>& edit) {
    const BackendSearch search = find_backend(daemon_.state().config(), name);
    if (search.matches.size() != 1) return failure_of(search);
    const auto [service, backend] = search.matches.front();
    const BackendName full_name{service->name, backend->name};

    const OperatorWord* before = daemon_.state().words().find(full_name);
    OperatorWord word = before ? *before : OperatorWord{};
    edit(word);
    const bool changed = before ? word != *before : !word.says_nothing();
    if (changed) {
        word.unix_seconds = now_unix();
        if (auto said = daemon_.say(full_name, word); !said)
            return control::failure_response(Failure::FAILURE_FAILED, said.error().text());
    }
    Response response;
    auto* answer = response.mutable_backend_changed();
    *answer->mutable_backend() = Views(daemon_).backend(*service, *backend);
    answer->set_changed(changed);
    answer->set_note(note_of(daemon_.state(), *service));
    return response;
}

boost::asio::awaitable<Response> Answers::reload() {
    const ReloadReport report = co_await daemon_.reload();
    if (report.outcome != ReloadReport::Outcome::applied) {
        Failure::Code code = Failure::FAILURE_REFUSED;
        if (report.outcome == ReloadReport::Outcome::busy) code = Failure::FAILURE_BUSY;
        if (report.outcome == ReloadReport::Outcome::failed) code = Failure::FAILURE_FAILED;
        Response response = control::failure_response(code, report.message);
        for (const auto& line : report.details)
            response.mutable_failure()->add_details(line);
        co_return response;
    }
    Response response;
    auto* reloaded = response.mutable_reloaded();
    reloaded->set_changed(!report.changes.empty() || report.writes > 0);
    reloaded->set_writes(static_cast<std::uint32_t>(report.writes));
    for (const auto& line : report.changes)
        reloaded->add_changes(line);
    reloaded->set_config_hash(daemon_.loaded().hash);
    co_return response;
}

boost::asio::awaitable<Response> Answers::detach() {
    const auto code = daemon_.busy() ? Failure::FAILURE_BUSY : Failure::FAILURE_FAILED;
    captures_.end();
    auto detached = co_await daemon_.detach();
    if (!detached) {
        if (!daemon_.running()) end_();
        co_return control::failure_response(code, detached.error().text());
    }
    Response response;
    auto* answer = response.mutable_detached();
    for (const auto& name : detached->interfaces)
        answer->add_interfaces(name);
    for (const auto& vip : detached->vips)
        answer->add_vips(vip);
    end_();
    co_return response;
}

}  // namespace bascule::node
