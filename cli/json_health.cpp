// SPDX-License-Identifier: Apache-2.0
#include "cli/json_health.h"

#include <cstdint>

#include "cli/names.h"

namespace bascule::cli {

namespace {

Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

// Seconds with three decimals: a double holds them exactly enough to be printed as they are.
Json seconds(std::int64_t milliseconds) {
    return static_cast<double>(milliseconds) / 1000;
}

Json moment(std::int64_t unix_milliseconds) {
    return unix_milliseconds == 0 ? Json() : seconds(unix_milliseconds);
}

Json last_of(const control::Health& health) {
    if (health.last_unix_milliseconds() == 0) return {};
    return {{"ok", health.last_ok()},
            {"failure", text_or_null(health.last_failure())},
            {"words", health.last_words()},
            {"time", moment(health.last_unix_milliseconds())},
            {"took", static_cast<double>(health.last_microseconds()) / 1'000'000}};
}

Json json_of(const control::HealthChange& change) {
    return {{"time", moment(change.unix_milliseconds())},
            {"to", change.to()},
            {"reason", text_or_null(change.reason())}};
}

Json json_of(const control::Health& health) {
    Json changes = Json::array();
    for (const auto& change : health.changes())
        changes.push_back(json_of(change));
    return {{"id", health.service() + "/" + health.backend()},
            {"service", health.service()},
            {"backend", health.backend()},
            {"health", health.health()},
            {"state", name_of(health.state())},
            {"reason", text_or_null(health.reason())},
            {"since", moment(health.since_unix_milliseconds())},
            {"type", health.type()},
            {"via", text_or_null(health.via())},
            {"to", text_or_null(health.to())},
            {"interval", seconds(health.interval_milliseconds())},
            {"timeout", seconds(health.timeout_milliseconds())},
            {"last", last_of(health)},
            {"warning", text_or_null(health.warning())},
            {"next", moment(health.next_unix_milliseconds())},
            {"against", health.against()},
            {"needed", health.needed()},
            {"held_until", moment(health.held_until_unix_milliseconds())},
            {"weight_percent", health.weight_percent()},
            {"checks", health.checks()},
            {"failures", health.failures()},
            {"changes", std::move(changes)}};
}

}  // namespace

Json json_health(const control::HealthReport& report) {
    Json targets = Json::array();
    for (const auto& target : report.targets())
        targets.push_back(json_of(target));
    return {{"time", moment(report.now_unix_milliseconds())},
            {"matched", report.matched()},
            {"targets", std::move(targets)}};
}

Json json_event(const control::Event& event) {
    return {{"serial", event.serial()},
            {"time", moment(event.unix_milliseconds())},
            {"kind", event.kind()},
            {"subject", event.subject()},
            {"text", event.text()}};
}

Json json_events(const control::Events& events) {
    Json list = Json::array();
    for (const auto& event : events.events())
        list.push_back(json_event(event));
    return {{"last_serial", events.last_serial()},
            {"missed", events.missed()},
            {"events", std::move(list)}};
}

}  // namespace bascule::cli
