// SPDX-License-Identifier: Apache-2.0
// Ways to backends: routes, neighbours, room. One finding a cause, however many backends share it.
// Pure; any thread.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

#include "node/doctor_looks.h"
#include "node/tunnel_room.h"

namespace bascule::node {

namespace {

constexpr std::size_t most_named = 3;

// What is found of several backends alike.
struct Cause {
    std::string code;
    std::string what;  // behind their names
    Examination::Words words;

    auto operator<=>(const Cause&) const = default;
};

std::string some(const std::vector<std::string>& names) {
    const auto told = static_cast<long>(std::min(names.size(), most_named));
    std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + told, ", "));
    if (names.size() > most_named) text += fmt::format(" and {} more", names.size() - most_named);
    return text;
}

std::optional<Cause> no_way(const WayLook& way) {
    const std::string address = way.address.to_string();
    const Examination::Words words{{"address", address}};
    if (way.here) return Cause{"backend-is-here", address + " is this host's own address", {}};
    if (!way.routed)
        return Cause{"backend-no-route", fmt::format("{}: {}", address, way.reason), words};
    if (!way.resolved)
        return Cause{"backend-silent", fmt::format("{}: {}", address, way.reason), words};
    if (way.forward == model::Forward::l2 && way.behind_gateway)
        return Cause{"backend-behind-gateway", address + " is behind a gateway", {}};
    return std::nullopt;
}

std::optional<Cause> no_room(const WayLook& way) {
    const unsigned overhead = tunnel_overhead(way.forward, way.address);
    const auto cause = [&](const char* code, unsigned payload, const char* says) {
        return Cause{code,
                     fmt::format("{} bytes fit the way by {}, {} of them for the tunnel; {} {}",
                                 way.mtu, way.interface, overhead, says, payload),
                     {{"interface", way.interface}, {"mtu", std::to_string(payload + overhead)}}};
    };
    const unsigned least = least_payload(way.vip_v4);
    if (overhead > 0 && way.mtu < overhead + least)
        return cause("way-too-small", least, "the smallest packet has");
    if (way.arrival > way.mtu - std::min(overhead, way.mtu))
        return cause("way-narrow", way.arrival, "clients' packets may have");
    return std::nullopt;
}

std::optional<Cause> cause_of(const WayLook& way) {
    if (auto cause = no_way(way)) return cause;
    if (!way.tunnel_source)
        return Cause{
            "tunnel-no-source",
            fmt::format("no address of this host for the tunnel to {}", way.address.to_string()),
            {{"family", way.address.is_v4() ? "v4" : "v6"}}};
    return no_room(way);
}

}  // namespace

void judge_ways(const std::vector<WayLook>& ways, Examination& examination) {
    std::vector<Cause> order;
    std::map<Cause, std::vector<std::string>> backends;
    bool tunnels = false, segments = false;
    for (const WayLook& way : ways) {
        if (way.forward == model::Forward::local) continue;
        for (const char* code :
             {"backend-is-here", "backend-no-route", "backend-silent", "way-narrow"})
            examination.look(code);
        (way.forward == model::Forward::l2 ? segments : tunnels) = true;
        const auto cause = cause_of(way);
        if (!cause) continue;
        if (!backends.contains(*cause)) order.push_back(*cause);
        backends[*cause].push_back(way.backend);
    }
    if (segments) examination.look("backend-behind-gateway");
    for (const char* code : {"tunnel-no-source", "way-too-small"})
        if (tunnels) examination.look(code);
    for (const Cause& cause : order)
        examination.found(cause.code, fmt::format("{}: {}", some(backends[cause]), cause.what),
                          cause.words);
    if (!segments) examination.spare("backend-behind-gateway", "no backend of l2");
    if (!tunnels) {
        examination.spare("tunnel-no-source", "no tunnel");
        examination.spare("way-too-small", "no tunnel");
    }
    if (!segments && !tunnels)
        examination.spare_group("Ways to backends", "no backend but on this host");
}

}  // namespace bascule::node
