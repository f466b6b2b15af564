// SPDX-License-Identifier: Apache-2.0
#include "node/routeless.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string>

namespace bascule::node {

namespace {

struct Count {
    std::uint32_t backends = 0;
    std::uint32_t without_route = 0;

    bool none_routed() const { return backends > 0 && without_route == backends; }
};

void add(const State& state, const model::ServiceConfig& service, bool v6, Count& count) {
    if (service.forward == model::Forward::local) return;
    for (const auto& backend : service.backends) {
        if (backend.address.is_v4() == v6) continue;
        const BackendView view = state.view(service, backend);
        if (view.condition == BackendCondition::unknown) continue;
        ++count.backends;
        if (view.condition == BackendCondition::unresolved && view.reason == "no route")
            ++count.without_route;
    }
}

Count count_of(const State& state, bool v6) {
    Count count;
    for (const auto& service : state.config().services)
        add(state, service, v6, count);
    return count;
}

bool is_own(const ifaddrs& each, bool v6, const model::Config& config) {
    if (each.ifa_addr == nullptr || each.ifa_addr->sa_family != (v6 ? AF_INET6 : AF_INET))
        return false;
    Address address;
    if (v6) {
        sockaddr_in6 raw{};
        std::memcpy(&raw, each.ifa_addr, sizeof raw);
        Address::Bytes bytes;
        std::memcpy(bytes.data(), &raw.sin6_addr, bytes.size());
        address = Address(bytes);
    } else {
        sockaddr_in raw{};
        std::memcpy(&raw, each.ifa_addr, sizeof raw);
        address = Address::v4_from_wire(raw.sin_addr.s_addr);
    }
    return !address.is_link_local() && std::ranges::none_of(config.vips, [&](const auto& vip) {
        return vip.address == address;
    });
}

// A VIP is no address that a host lives by, and a link-local one reaches nothing behind a router.
std::vector<std::string> addressless(const model::Config& config, bool v6) {
    std::set<std::string> up;
    std::set<std::string> with;
    ifaddrs* all = nullptr;
    if (::getifaddrs(&all) != 0) return {};
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(all, &::freeifaddrs);
    for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
        if ((each->ifa_flags & IFF_UP) != 0) up.insert(each->ifa_name);
        if (is_own(*each, v6, config)) with.insert(each->ifa_name);
    }
    std::vector<std::string> without;
    std::ranges::copy_if(
        config.node.interfaces, std::back_inserter(without),
        [&](const std::string& name) { return up.contains(name) && !with.contains(name); });
    return without;
}

}  // namespace

bool is_routed(const State& state, const Address& vip) {
    Count count;
    for (const auto& service : state.config().services)
        if (service.vip == vip)
            for (const bool v6 : {false, true})
                add(state, service, v6, count);
    return !count.none_routed();
}

std::vector<FamilyFacts> gather_families(const Daemon& daemon) {
    std::vector<FamilyFacts> families;
    const State& state = daemon.state();
    for (const bool v6 : {false, true}) {
        const Count count = count_of(state, v6);
        FamilyFacts family{v6, count.backends, count.without_route, {}};
        if (count.none_routed()) family.addressless = addressless(state.config(), v6);
        families.push_back(std::move(family));
    }
    return families;
}

}  // namespace bascule::node
