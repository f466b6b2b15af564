// SPDX-License-Identifier: Apache-2.0
#include "node/event_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "node/journal.h"

namespace bascule::node {

namespace {

using Kind = Event::Kind;

spdlog::level::level_enum level_of(Kind kind) {
    switch (kind) {
        case Kind::backend_down:
        case Kind::backend_held:
        case Kind::service_down:
        case Kind::vip_given_up:
        case Kind::peer_dead:
        case Kind::peer_unsynced:
        case Kind::peer_refused:
        case Kind::path_down:
        case Kind::vip_conflict:
        case Kind::witness_lost:
        case Kind::program_fought:
            return spdlog::level::warn;
        case Kind::reload_refused:
        case Kind::vip_failed:
            return spdlog::level::err;
        default:
            return spdlog::level::info;
    }
}

}  // namespace

const char* name_of(Kind kind) {
    switch (kind) {
        case Kind::backend_up:
            return "backend_up";
        case Kind::backend_down:
            return "backend_down";
        case Kind::backend_held:
            return "backend_held";
        case Kind::service_up:
            return "service_up";
        case Kind::service_down:
            return "service_down";
        case Kind::vip_given_up:
            return "vip_given_up";
        case Kind::vip_taken_back:
            return "vip_taken_back";
        case Kind::vip_taken:
            return "vip_taken";
        case Kind::vip_released:
            return "vip_released";
        case Kind::vip_failed:
            return "vip_failed";
        case Kind::vip_conflict:
            return "vip_conflict";
        case Kind::witness_lost:
            return "witness_lost";
        case Kind::witness_back:
            return "witness_back";
        case Kind::program_fought:
            return "program_fought";
        case Kind::operator_word:
            return "operator_word";
        case Kind::reload:
            return "reload";
        case Kind::reload_refused:
            return "reload_refused";
        case Kind::peer_alive:
            return "peer_alive";
        case Kind::peer_dead:
            return "peer_dead";
        case Kind::peer_synced:
            return "peer_synced";
        case Kind::peer_unsynced:
            return "peer_unsynced";
        case Kind::peer_refused:
            return "peer_refused";
        case Kind::path_up:
            return "path_up";
        case Kind::path_down:
            return "path_down";
        case Kind::started:
            break;
    }
    return "started";
}

std::string in_words(const Event& event) {
    const auto say = [&](const char* format) {
        return fmt::format(fmt::runtime(format), event.subject, event.text);
    };
    switch (event.kind) {
        case Kind::backend_up:
            return say("backend {} is up {}");
        case Kind::backend_down:
            return say("backend {} is down: {}");
        case Kind::backend_held:
            return say("backend {} stays down: {}");
        case Kind::service_up:
            return say("service {} takes new flows: {}");
        case Kind::service_down:
            return say("service {} takes no new flows: {}");
        case Kind::vip_given_up:
            return say("VIP {} is given up: {}");
        case Kind::vip_taken_back:
            return say("VIP {} is taken: {}");
        case Kind::vip_taken:
            return say("VIP {} is held here: {}");
        case Kind::vip_released:
            return say("VIP {} is not held here any more: {}");
        case Kind::vip_failed:
            return say("VIP {} cannot be held: {}");
        case Kind::vip_conflict:
            return say("VIP {} is claimed by another: {}");
        case Kind::witness_lost:
            return say("no witness answers: {}{}");
        case Kind::witness_back:
            return say("a witness answers: {}{}");
        case Kind::program_fought:
            return say("{}: the program is taken off {}");
        case Kind::operator_word:
            return say("backend {}, by the operator: {}");
        case Kind::reload:
        case Kind::reload_refused:
            return say("reload{}: {}");
        case Kind::peer_alive:
            return say("peer {} is alive: {}");
        case Kind::peer_dead:
            return say("peer {} is dead: {}");
        case Kind::peer_synced:
            return say("peer {} is in step: {}");
        case Kind::peer_unsynced:
            return say("peer {} is not in step: {}");
        case Kind::peer_refused:
            return say("peer refused, {}: {}");
        case Kind::path_up:
            return say("path to {} is up: {}");
        case Kind::path_down:
            return say("path to {} is down: {}");
        case Kind::started:
            break;
    }
    return event.text;
}

void EventLog::add(Kind kind, std::string subject, std::string text) {
    Event event{++last_serial_, std::chrono::system_clock::now(), kind, std::move(subject),
                std::move(text)};
    const auto level = level_of(kind);
    if (spdlog::should_log(level) && !log_to_journal(event, level))
        spdlog::log(level, "{}", in_words(event));
    events_.push_back(event);
    if (events_.size() > most) events_.pop_front();
    if (listener_) listener_(event);
}

std::vector<Event> EventLog::since(std::uint64_t after, std::size_t limit) const {
    const auto first = std::upper_bound(
        events_.begin(), events_.end(), after,
        [](std::uint64_t serial, const Event& event) { return serial < event.serial; });
    const auto count =
        std::min<std::size_t>(limit, static_cast<std::size_t>(events_.end() - first));
    return {first, first + static_cast<std::ptrdiff_t>(count)};
}

std::uint64_t EventLog::first_kept() const {
    return events_.empty() ? last_serial_ + 1 : events_.front().serial;
}

}  // namespace bascule::node
