// SPDX-License-Identifier: Apache-2.0
// Made-up health and events, for what stands in for the daemon.
#pragma once

#include <cstdint>
#include <string>

#include "control/control.pb.h"

namespace bascule::control {

inline constexpr std::int64_t canned_now = 1'700'000'000'000;
inline constexpr const char* bounced =
    "the probe came back: the server has no VIP on its loopback and forwards";

inline Health canned_health(const std::string& service, const std::string& backend,
                            const std::string& health) {
    Health target;
    target.set_service(service);
    target.set_backend(backend);
    target.set_type("http");
    target.set_via("vip");
    target.set_to("10.9.0.100:80");
    target.set_health(health);
    target.set_state(health == "down" ? BACKEND_DOWN : BACKEND_UP);
    target.set_since_unix_milliseconds(canned_now - 273'600'000);
    target.set_last_ok(true);
    target.set_last_words("200 OK");
    target.set_last_unix_milliseconds(canned_now - 400);
    target.set_last_microseconds(1234);
    target.set_next_unix_milliseconds(canned_now + 600);
    target.set_needed(3);
    target.set_checks(273'600);
    target.set_failures(12);
    target.set_weight_percent(100);
    target.set_interval_milliseconds(1000);
    target.set_timeout_milliseconds(500);
    return target;
}

inline Health canned_bounced() {
    Health target = canned_health("web", "web2", "down");
    target.set_since_unix_milliseconds(canned_now - 252'000);
    target.set_reason(bounced);
    target.set_last_ok(false);
    target.set_last_failure("timed_out");
    target.set_last_words(bounced);
    return target;
}

// With the longest words that a daemon gives.
inline Health canned_flapping() {
    Health target =
        canned_health("a-service-with-a-long-name", "a-backend-with-a-long-name-too", "down");
    target.set_type("https");
    target.set_to("[2001:db8:1234:5678:9abc:def0:1234:5678]:8443");
    target.set_reason("HTTP 500 \"" + std::string(60, 'x') + " \x1b[2J " + std::string(60, 'y') +
                      "\" where 200 to 399 is wanted, and the rest of its words fill the line");
    target.set_against(1);
    target.set_needed(2);
    target.set_held_until_unix_milliseconds(canned_now + 20'000);
    target.set_last_words(std::string(190, 'z'));
    return target;
}

inline void fill_health(HealthReport& report, const ShowHealthRequest& ask) {
    report.set_now_unix_milliseconds(canned_now);
    if (ask.backend() == "web/web2") {
        report.set_matched(1);
        Health& target = *report.add_targets() = canned_bounced();
        for (int i = 0; i < 20; ++i) {
            auto& change = *target.add_changes();
            change.set_unix_milliseconds(canned_now - 20'000'000 + i * 1'000'000);
            change.set_to(i % 2 == 0 ? "up" : "down");
            if (i % 2 == 1) change.set_reason(bounced);
        }
        return;
    }
    *report.add_targets() = canned_health("web", "web1", "up");
    *report.add_targets() = canned_bounced();
    Health& doubtful = *report.add_targets() = canned_health("web", "web3", "up");
    doubtful.set_against(2);
    doubtful.set_reason("connected, no answer within 500ms");
    doubtful.set_last_ok(false);
    doubtful.set_last_failure("timed_out");
    doubtful.set_last_words(doubtful.reason());
    doubtful.set_next_unix_milliseconds(canned_now - 5);
    Health& expiring = *report.add_targets() = canned_health("tls", "web1", "up");
    expiring.set_type("https");
    expiring.set_warning("certificate expires in 9 days");
    expiring.set_state(BACKEND_DRAINED);
    expiring.set_weight_percent(40);
    Health fresh;
    fresh.set_service("dns");
    fresh.set_backend("ns1");
    fresh.set_type("dns");
    fresh.set_via("address");
    fresh.set_health("checking");
    fresh.set_state(BACKEND_CHECKING);
    fresh.set_weight_percent(100);
    *report.add_targets() = fresh;
    *report.add_targets() = canned_flapping();
    Health unchecked;
    unchecked.set_service("plain");
    unchecked.set_backend("web1");
    unchecked.set_type("none");
    unchecked.set_health("unchecked");
    unchecked.set_state(BACKEND_UP);
    unchecked.set_weight_percent(100);
    *report.add_targets() = unchecked;
    report.set_matched(static_cast<std::uint32_t>(report.targets_size()));
}

inline Event canned_event(std::uint64_t serial, const std::string& kind, const std::string& subject,
                          const std::string& text) {
    Event event;
    event.set_serial(serial);
    event.set_unix_milliseconds(canned_now + static_cast<std::int64_t>(serial) * 1000);
    event.set_kind(kind);
    event.set_subject(subject);
    event.set_text(text);
    return event;
}

inline void fill_events(Events& events) {
    *events.add_events() = canned_event(1, "started", "lb1", "basculed 0.1.0");
    *events.add_events() = canned_event(2, "backend_down", "web/web2", bounced);
    *events.add_events() = canned_event(3, "vip_given_up", "2001:db8:1234:5678:9abc:def0:1234:5678",
                                        "service web: 1 of 3 backends can serve, its quorum is 2");
    *events.add_events() = canned_event(4, "reload", "", "2 changes\x1b[2J");
    events.set_last_serial(4);
    events.set_began_unix_milliseconds(canned_now);
}

// As the daemon tells of a night when much has failed.
inline void fill_bad_night(Status& status) {
    const auto add = [&](const char* what, const char* mend) {
        auto& one = *status.add_degradations();
        one.set_what(what);
        one.set_mend(mend);
    };
    status.set_backends_down(7);
    status.set_backends_checking(1);
    add("service web: no backend takes new flows (3 down by their checks); VIP 10.9.0.100 is given "
        "up",
        "bascule show health web");
    add("backend web/web2 (10.9.0.22) is down for 4m: the probe came back: the server has no VIP "
        "on its loopback and forwards",
        "");
    add("service web: 2 backends are down (web1, web3); web1 (10.9.0.21) is down for 4m: "
        "connection "
        "refused by 10.9.0.21 (RST)",
        "");
}

}  // namespace bascule::control
