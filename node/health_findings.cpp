// SPDX-License-Identifier: Apache-2.0
#include "node/health_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace bascule::node {

namespace {

constexpr std::size_t most_services = 3;
constexpr std::size_t most_groups = 3;  // of backends: down, and unreachable
constexpr std::size_t most_warnings = 3;
constexpr std::size_t most_named = 3;

Finding problem(std::string what, std::string mend = {}) {
    return {Finding::Level::problem, std::move(what), std::move(mend)};
}

Finding notice(std::string what, std::string mend = {}) {
    return {Finding::Level::notice, std::move(what), std::move(mend)};
}

std::string span(std::uint64_t seconds) {
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m", seconds / 60);
    if (seconds < 86400) return fmt::format("{}h", seconds / 3600);
    return fmt::format("{}d", seconds / 86400);
}

// "a, b, c and 4 more"
std::string some(const std::vector<std::string>& names) {
    const std::size_t told = std::min(names.size(), most_named);
    std::string text =
        fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<long>(told), ", "));
    if (names.size() > told) text += fmt::format(" and {} more", names.size() - told);
    return text;
}

// "2 down, 1 cannot be reached"
std::string causes(const ServiceFacts& service) {
    std::vector<std::string> parts;
    const auto add = [&](std::uint32_t count, const char* what) {
        if (count > 0) parts.push_back(fmt::format("{} {}", count, what));
    };
    add(service.down, service.down == 1 ? "down by its checks" : "down by their checks");
    add(service.unreachable, "cannot be reached");
    add(service.checking, "not checked yet");
    add(service.by_operator, "taken out by the operator or weight 0");
    return fmt::format("{}", fmt::join(parts, ", "));
}

// Without backends there is nothing to be below.
Finding idle_service(const ServiceFacts& service) {
    std::string what = fmt::format("service {}: ", service.name);
    if (service.able > 0)
        what += fmt::format("{} of {} backends can serve, its quorum is {}: it takes no new flows",
                            service.able, service.backends, service.quorum);
    else
        what += "no backend takes new flows";
    const std::string why = causes(service);
    if (!why.empty()) what += " (" + why + ")";
    if (!service.given_up_vip.empty())
        what += fmt::format("; VIP {} is given up", service.given_up_vip);
    return problem(std::move(what), service.down > 0
                                        ? "bascule show health " + service.name
                                        : "bascule show backends --service " + service.name);
}

void find_services(const std::vector<ServiceFacts>& services, std::vector<Finding>& found) {
    std::size_t idle = 0;
    for (const ServiceFacts& service : services)
        if (!service.takes_flows() && ++idle <= most_services)
            found.push_back(idle_service(service));
    if (idle > most_services)
        found.push_back(
            problem(idle - most_services == 1
                        ? std::string("1 more service takes no new flows")
                        : fmt::format("{} more services take no new flows", idle - most_services),
                    "bascule show services"));
    std::vector<std::string> on_backups;
    for (const ServiceFacts& service : services)
        if (service.on_backups && service.takes_flows()) on_backups.push_back(service.name);
    if (on_backups.size() == 1)
        found.push_back(problem(fmt::format("service {}: only backups serve", on_backups[0]),
                                "bascule show backends --service " + on_backups[0]));
    else if (!on_backups.empty())
        found.push_back(problem(
            fmt::format("{} services: only backups serve: {}", on_backups.size(), some(on_backups)),
            "bascule show services"));
}

// Reasons that differ in addresses and numbers alone are one.
std::string kind_of(const BackendFacts& backend) {
    std::string kind = backend.reason;
    for (auto at = kind.find(backend.address); !backend.address.empty() && at != std::string::npos;
         at = kind.find(backend.address, at))
        kind.erase(at, backend.address.size());
    std::erase_if(kind, [](char c) { return c >= '0' && c <= '9'; });
    return kind;
}

// Backends of a service that fail alike; in the order of the first ones.
using Group = std::vector<const BackendFacts*>;

std::vector<Group> grouped(const std::vector<BackendFacts>& backends, bool down) {
    std::map<std::pair<std::string, std::string>, std::size_t> places;
    std::vector<Group> groups;
    for (const BackendFacts& backend : backends) {
        if (backend.down != down || backend.drained) continue;
        const auto [place, is_new] =
            places.try_emplace({backend.service, kind_of(backend)}, groups.size());
        if (is_new) groups.emplace_back();
        groups[place->second].push_back(&backend);
    }
    return groups;
}

std::string verdict_of(const BackendFacts& backend) {
    if (!backend.down) return "";
    std::string text = " is down";
    if (backend.for_seconds > 0) text += " for " + span(backend.for_seconds);
    if (backend.held_seconds > 0)
        text += fmt::format(" and held down for {} more, as it has flapped",
                            span(backend.held_seconds));
    return text;
}

std::string in_words(const Group& group) {
    const BackendFacts& first = *group.front();
    if (group.size() == 1)
        return fmt::format("backend {}/{} ({}){}: {}", first.service, first.name, first.address,
                           verdict_of(first), first.reason);
    std::vector<std::string> names;
    for (const BackendFacts* backend : group)
        names.push_back(backend->name);
    return fmt::format("service {}: {} backends {} ({}); {} ({}){}: {}", first.service,
                       group.size(), first.down ? "are down" : "take no flows", some(names),
                       first.name, first.address, verdict_of(first), first.reason);
}

void find_backends(const std::vector<BackendFacts>& backends, bool down,
                   const std::set<std::string>& idle, std::vector<Finding>& found) {
    auto groups = grouped(backends, down);
    // Those whose service has nobody else come first.
    std::stable_partition(groups.begin(), groups.end(),
                          [&](const Group& group) { return idle.contains(group[0]->service); });
    std::size_t untold = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (i < most_groups)
            found.push_back(problem(in_words(groups[i])));
        else
            untold += groups[i].size();
    }
    if (untold == 0) return;
    const bool one = untold == 1;
    const char* what = !down ? "cannot be reached"
                       : one ? "is down by its checks"
                             : "are down by their checks";
    found.push_back(
        problem(fmt::format("{} more {} {}", untold, one ? "backend" : "backends", what),
                down ? "bascule show health" : "bascule show backends"));
}

void find_drained(const std::vector<BackendFacts>& backends, std::vector<Finding>& found) {
    std::vector<std::string> names;
    for (const BackendFacts& backend : backends)
        if (backend.drained && backend.down) names.push_back(backend.service + "/" + backend.name);
    if (names.empty()) return;
    found.push_back(notice("drained by the operator, and down by the checks: " + some(names)));
}

void find_warnings(const std::vector<WarningFacts>& warnings, std::vector<Finding>& found) {
    std::map<std::string, std::vector<std::string>> backends;
    for (const WarningFacts& one : warnings)
        backends[one.warning].push_back(one.backend);
    std::size_t told = 0;
    for (const auto& [warning, names] : backends) {
        if (told++ == most_warnings) break;
        found.push_back(notice(fmt::format("{}: {}", some(names), warning)));
    }
    if (backends.size() > most_warnings)
        found.push_back(
            notice(fmt::format("{} more warnings of checks", backends.size() - most_warnings),
                   "bascule show health"));
}

void find_hook(const HealthFacts& facts, std::vector<Finding>& found) {
    if (facts.hook_failures > 0)
        found.push_back(
            notice(facts.hook_failures == 1
                       ? std::string("the hook has failed once")
                       : fmt::format("the hook has failed {} times", facts.hook_failures),
                   "journalctl -u basculed says why"));
    if (facts.hook_dropped > 0)
        found.push_back(
            notice(fmt::format("{} not told to the hook: it is too slow for them",
                               facts.hook_dropped == 1
                                   ? std::string("1 change was")
                                   : fmt::format("{} changes were", facts.hook_dropped)),
                   "bascule events"));
}

}  // namespace

std::vector<Finding> health_findings(const HealthFacts& facts) {
    std::vector<Finding> found;
    find_services(facts.services, found);
    if (facts.path_wanted && !facts.path_problem.empty())
        found.push_back(problem("checks by a VIP cannot be sent: " + facts.path_problem,
                                "until then, [service.health] via = \"address\" checks the "
                                "servers' own addresses"));
    std::set<std::string> idle;
    for (const ServiceFacts& service : facts.services)
        if (!service.takes_flows()) idle.insert(service.name);
    find_backends(facts.backends, true, idle, found);
    find_backends(facts.backends, false, idle, found);
    find_drained(facts.backends, found);
    find_warnings(facts.warnings, found);
    find_hook(facts, found);
    return found;
}

}  // namespace bascule::node
