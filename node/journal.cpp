// SPDX-License-Identifier: Apache-2.0
#define SD_JOURNAL_SUPPRESS_LOCATION  // of this file, which says nothing
#include "node/journal.h"

#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "base/log.h"

namespace bascule::node {

namespace {

using Kind = Event::Kind;

// As syslog(3) counts.
int priority_of(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::critical:
            return 2;
        case spdlog::level::err:
            return 3;
        case spdlog::level::warn:
            return 4;
        case spdlog::level::info:
            return 6;
        default:
            return 7;
    }
}

// "web/web1", as the hook is told it.
void add_backend(const std::string& subject, std::vector<std::string>& fields) {
    const auto slash = subject.find('/');
    fields.push_back("BASCULE_SERVICE=" + subject.substr(0, slash));
    if (slash != std::string::npos)
        fields.push_back("BASCULE_BACKEND=" + subject.substr(slash + 1));
}

void add_subject(const Event& event, std::vector<std::string>& fields) {
    switch (event.kind) {
        case Kind::backend_up:
        case Kind::backend_down:
        case Kind::backend_held:
        case Kind::operator_word:
            add_backend(event.subject, fields);
            break;
        case Kind::service_up:
        case Kind::service_down:
            fields.push_back("BASCULE_SERVICE=" + event.subject);
            break;
        case Kind::vip_given_up:
        case Kind::vip_taken_back:
        case Kind::vip_taken:
        case Kind::vip_released:
        case Kind::vip_failed:
        case Kind::vip_conflict:
            fields.push_back("BASCULE_VIP=" + event.subject);
            break;
        case Kind::peer_alive:
        case Kind::peer_dead:
        case Kind::peer_synced:
        case Kind::peer_unsynced:
        case Kind::peer_refused:
        case Kind::path_up:
        case Kind::path_down:  // "lb2 10.9.0.12:7400"
            fields.push_back("BASCULE_PEER=" + event.subject.substr(0, event.subject.find(' ')));
            break;
        default:
            break;
    }
}

}  // namespace

std::vector<std::string> journal_fields(const Event& event, spdlog::level::level_enum level) {
    std::vector<std::string> fields = {
        "MESSAGE=" + in_words(event),       "PRIORITY=" + std::to_string(priority_of(level)),
        "SYSLOG_IDENTIFIER=basculed",       std::string("BASCULE_EVENT=") + name_of(event.kind),
        "BASCULE_SUBJECT=" + event.subject, "BASCULE_TEXT=" + event.text,
    };
    add_subject(event, fields);
    return fields;
}

bool log_to_journal(const Event& event, spdlog::level::level_enum level) {
    if (!stderr_is_journal()) return false;
    auto fields = journal_fields(event, level);
    std::vector<iovec> parts;
    for (auto& field : fields)
        parts.push_back({field.data(), field.size()});
    return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace bascule::node
