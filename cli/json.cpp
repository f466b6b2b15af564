// SPDX-License-Identifier: Apache-2.0
#include "cli/json.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include "cli/json_health.h"
#include "cli/json_peers.h"
#include "cli/json_vips.h"
#include "cli/names.h"
#include "cli/trace.h"

namespace bascule::cli {

namespace {

template <typename Texts>
Json texts(const Texts& from) {
    Json list = Json::array();
    for (const auto& text : from)
        list.push_back(text);
    return list;
}

// An empty text says that it is not known.
Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

// So does a 0 of what is never 0.
Json number_or_null(std::uint32_t number) {
    return number == 0 ? Json() : Json(number);
}

Json json_of(const control::Counter& counter) {
    return {{"name", counter.name()}, {"meaning", counter.meaning()}, {"count", counter.count()}};
}

Json json_of(const control::Traffic& traffic) {
    return {{"packets", traffic.packets()},
            {"bytes", traffic.bytes()},
            {"new_sessions", traffic.new_sessions()}};
}

Json json_of(const control::ReloadOutcome& outcome) {
    return {{"time", outcome.unix_seconds()},
            {"ok", outcome.ok()},
            {"message", outcome.message()},
            {"details", texts(outcome.details())}};
}

Json json_of(const control::Interface& interface) {
    bool attached = interface.attached();
    return {{"name", interface.name()},
            {"ifindex", interface.ifindex()},
            {"attached", attached},
            {"mode", attached ? Json(name_of(interface.mode())) : Json()},
            {"adopted", interface.adopted()},
            {"driver", text_or_null(interface.driver())},
            {"warning", text_or_null(interface.warning())},
            {"mac", text_or_null(interface.mac())},
            {"link_up", interface.link_up()},
            {"mtu", interface.mtu()}};
}

Json json_of(const control::SessionCounts& counts) {
    return {{"embryonic", counts.embryonic()},     {"adopted", counts.adopted()},
            {"closing", counts.closing()},         {"established", counts.established()},
            {"from_peer", counts.from_peer()},     {"expired", counts.expired()},
            {"capacity_v4", counts.capacity_v4()}, {"capacity_v6", counts.capacity_v6()},
            {"used_v4", counts.used_v4()},         {"used_v6", counts.used_v6()}};
}

Json json_of(const control::Degradation& degradation) {
    return {{"what", degradation.what()}, {"mend", text_or_null(degradation.mend())}};
}

Json json_of(const control::Service& service) {
    bool tunnel = service.mode() == "ipip" || service.mode() == "gue";
    return {{"name", service.name()},
            {"vip", service.vip()},
            {"port", number_or_null(service.port())},
            {"ports", service.ports()},
            {"protocol", name_of(service.protocol())},
            {"mode", service.mode()},
            {"gue_port", number_or_null(service.gue_port())},
            {"copy_dscp", tunnel ? Json(service.copy_dscp()) : Json()},
            {"affinity", service.affinity()},
            {"unknown", service.unknown()},
            {"on_empty", service.on_empty()},
            {"mss_clamp", number_or_null(service.mss_clamp())},
            {"ring_size", service.ring_size()},
            {"backends", service.backends()},
            {"backends_up", service.backends_up()},
            {"on_backups", service.on_backups()},
            {"check", text_or_null(service.check())},
            {"able", service.able()},
            {"quorum", service.quorum()},
            {"below_quorum", service.below_quorum()},
            {"sessions", service.sessions()},
            {"traffic", json_of(service.traffic())}};
}

Json json_of(const control::OperatorWord& word) {
    return {{"drained", word.drained()},
            {"disabled", word.disabled()},
            {"weight", word.has_weight() ? Json(word.weight()) : Json()},
            {"node", text_or_null(word.node())},
            {"time", word.unix_seconds() > 0 ? Json(word.unix_seconds()) : Json()}};
}

Json json_of(const control::Backend& backend) {
    return {{"id", full_name(backend)},
            {"service", backend.service()},
            {"name", backend.name()},
            {"address", backend.address()},
            {"port", number_or_null(backend.port())},
            {"mode", text_or_null(backend.mode())},
            {"rewritten_port", number_or_null(backend.rewritten_port())},
            {"backup", backend.backup()},
            {"state", name_of(backend.state())},
            {"reason", text_or_null(backend.reason())},
            {"health", text_or_null(backend.health())},
            {"weight", backend.weight()},
            {"file_weight", backend.file_weight()},
            {"operator", backend.has_word() ? json_of(backend.word()) : Json()},
            {"mac", text_or_null(backend.mac())},
            {"interface", text_or_null(backend.interface())},
            {"vlan", number_or_null(backend.vlan())},
            {"via", text_or_null(backend.via())},
            {"source_mac", text_or_null(backend.source_mac())},
            {"mtu", number_or_null(backend.mtu())},
            {"tunnel_source", text_or_null(backend.tunnel_source())},
            {"sessions", backend.sessions()},
            {"drained_sessions",
             backend.has_drained_sessions() ? Json(backend.drained_sessions()) : Json()},
            {"ring_slots", backend.ring_slots()},
            {"ring_size", backend.ring_size()},
            {"traffic", json_of(backend.traffic())}};
}

Json json_of(const control::Session& session) {
    return {{"source", session.source()},
            {"source_port", session.source_port()},
            {"vip", session.vip()},
            {"port", session.port()},
            {"protocol", name_of(session.protocol())},
            {"service", session.service()},
            {"backend", text_or_null(session.backend())},
            {"state", name_of(session.state())},
            {"origin", session.from_peer() ? "peer" : "here"},
            {"idle_seconds", session.idle_seconds()}};
}

template <typename Items>
Json list_of(const Items& items) {
    Json list = Json::array();
    for (const auto& item : items)
        list.push_back(json_of(item));
    return list;
}

void fill(Json& document, const control::Status& status) {
    document["degraded"] = is_degraded(status);
    document["degradations"] = list_of(status.degradations());
    document["notices"] = list_of(status.notices());
    document["version"] = status.version();
    document["node"] = status.node();
    document["pid"] = status.pid();
    document["uptime_seconds"] = status.uptime_seconds();
    document["adopted"] = status.adopted();
    document["bpffs"] = status.bpffs();
    document["config"] = {
        {"files", texts(status.config_files())},
        {"hash", status.config_hash()},
        {"last_reload", status.has_last_reload() ? json_of(status.last_reload()) : Json()}};
    document["cluster"] = status.has_peers() ? json_peers(status.peers()) : Json();
    document["interfaces"] = list_of(status.interfaces());
    document["vips"] = Json::array();
    for (const auto& vip : status.vips())
        document["vips"].push_back(json_vip(vip));
    document["witnesses"] = Json::array();
    for (const auto& witness : status.witnesses())
        document["witnesses"].push_back(json_witness(witness));
    document["survival"] = status.has_peers() ? json_survival(survival_of(status)) : Json();
    document["services"] = {{"total", status.services()},
                            {"without_backend", status.services_without_backend()}};
    document["backends"] = {{"total", status.backends()},
                            {"up", status.backends_up()},
                            {"down", status.backends_down()},
                            {"checking", status.backends_checking()},
                            {"operator_words", status.operator_words()}};
    document["sessions"] = json_of(status.sessions());
    document["deltas"] = {{"read", status.deltas_read()}, {"lost", status.deltas_lost()}};
    document["counters"] = list_of(status.counters());
}

void fill(Json& document, const control::Reloaded& reloaded) {
    document["changed"] = reloaded.changed();
    document["writes"] = reloaded.writes();
    document["changes"] = texts(reloaded.changes());
    document["warnings"] = texts(reloaded.warnings());
    document["hash"] = reloaded.config_hash();
}

void fill(Json& document, const control::Failure& failure) {
    document["error"] = {{"code", name_of(failure.code())},
                         {"message", failure.message()},
                         {"details", texts(failure.details())}};
}

// Takes ":<number>" from the front of `text`.
std::optional<std::uint32_t> take_number(std::string_view& text) {
    std::uint32_t number = 0;
    if (!text.starts_with(':')) return std::nullopt;
    auto [end, code] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
    if (code != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

// "file:line:column: message"; the file's name may hold colons itself.
std::optional<Json> json_of_diagnostic(std::string_view text) {
    for (std::size_t at = text.find(':'); at != std::string_view::npos;
         at = text.find(':', at + 1)) {
        std::string_view rest = text.substr(at);
        auto line = take_number(rest);
        auto column = line ? take_number(rest) : std::nullopt;
        if (!column || !rest.starts_with(": ")) continue;
        return Json{{"file", text.substr(0, at)},
                    {"line", *line},
                    {"column", *column},
                    {"message", rest.substr(2)}};
    }
    return std::nullopt;
}

}  // namespace

Json json_head(std::string_view command, bool ok) {
    return {{"schema", kSchema}, {"command", command}, {"ok", ok}};
}

Json to_json(std::string_view command, const control::Response& response) {
    Json document = json_head(command, !response.has_failure());
    switch (response.result_case()) {
        case control::Response::kFailure:
            fill(document, response.failure());
            break;
        case control::Response::kStatus:
            fill(document, response.status());
            break;
        case control::Response::kReloaded:
            fill(document, response.reloaded());
            break;
        case control::Response::kServices:
            document["services"] = list_of(response.services().services());
            break;
        case control::Response::kBackends:
            document["backends"] = list_of(response.backends().backends());
            break;
        case control::Response::kSessions:
            document["matched"] = response.sessions().matched();
            document["sessions"] = list_of(response.sessions().sessions());
            break;
        case control::Response::kDrops:
            document["drops"] = list_of(response.drops().drops());
            document["events"] = list_of(response.drops().events());
            break;
        case control::Response::kBackendChanged:
            document["changed"] = response.backend_changed().changed();
            document["note"] = text_or_null(response.backend_changed().note());
            document["backend"] = json_of(response.backend_changed().backend());
            break;
        case control::Response::kDetached:
            document["interfaces"] = texts(response.detached().interfaces());
            document["vips"] = texts(response.detached().vips());
            break;
        case control::Response::kHealth:
            document.update(json_health(response.health()));
            break;
        case control::Response::kPeers:
            document.update(json_peers(response.peers()));
            break;
        case control::Response::kVips:
            document.update(json_vips(response.vips()));
            break;
        case control::Response::kFailedOver:
            document["ok"] = response.failed_over().failed().empty();
            document.update(json_failover(response.failed_over()));
            break;
        case control::Response::kTraced:
            document.update(json_trace(response.traced()));
            break;
        case control::Response::kDoctor:
        case control::Response::kEvents:  // the commands of these names, which show them themselves
        case control::Response::kCaptureStarted:
        case control::Response::kCaptureBatch:
        case control::Response::kCaptureStopped:
            break;  // capture's own, which shows packets
        case control::Response::RESULT_NOT_SET:
            return json_failure(command, "failed", "the daemon's answer is empty");
    }
    return document;
}

Json json_failure(std::string_view command, std::string_view code, std::string_view message) {
    Json document = json_head(command, false);
    document["error"] = {{"code", code}, {"message", message}, {"details", Json::array()}};
    return document;
}

Json json_check(std::string_view file, bool valid, const std::vector<std::string>& lines) {
    Json document = json_head("check", valid);
    document["file"] = file;
    document["errors"] = Json::array();
    document["output"] = Json::array();
    for (const auto& line : lines) {
        if (auto diagnostic = json_of_diagnostic(line)) {
            document["errors"].push_back(*std::move(diagnostic));
        } else {
            document["output"].push_back(line);
        }
    }
    return document;
}

std::string to_text(const Json& document) {
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bascule::cli
