// SPDX-License-Identifier: Apache-2.0
// The VIPs on lo: put there, taken off, and put back when somebody else takes them off, as a
// network manager that starts anew does.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "backend/companion.h"
#include "dataplane/interface.h"

namespace bascule::backend {
namespace {

bool contains(const std::vector<Address>& all, const Address& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

bool is_there(const std::vector<HostAddress>& there, const Address& address) {
    return std::any_of(there.begin(), there.end(),
                       [&](const HostAddress& one) { return one.address == address; });
}

}  // namespace

Result<void> Companion::put_addresses(const Config& config) {
    auto there = netlink_.addresses();
    if (!there) return failure(std::move(there.error()));
    const auto loopback = dataplane::index_of_interface("lo");
    for (const Vip& vip : config.vips) {
        if (!vip.hold) continue;
        for (const HostAddress& one : *there)
            if (one.address == vip.address && (!loopback || one.ifindex != *loopback))
                spdlog::warn("the VIP {} is on {}, where this host answers ARP and ND for it",
                             vip.address.to_string(),
                             dataplane::name_of_interface(one.ifindex, "another interface"));
        if (is_there(*there, vip.address)) continue;
        if (auto held = hold(vip.address); !held) return held;
    }
    return {};
}

Result<void> Companion::hold(const Address& vip) {
    if (!contains(record_.addresses, vip)) record_.addresses.push_back(vip);
    if (auto saved = save(); !saved) return saved;
    auto added = netlink_.add_to_loopback(vip);
    return added ? Result<void>() : failure(std::move(added.error()));
}

// One that cannot be had takes no other along, and is tried at the next change.
Result<void> Companion::put_back(const Config& config) {
    pace_.begin();  // also when the look fails: it is not due again at once
    auto there = netlink_.addresses();
    if (!there) return failure(std::move(there.error()));
    Result<void> first;
    const auto now = PutBackPace::Clock::now();
    for (const Vip& vip : config.vips) {
        if (!vip.hold || is_there(*there, vip.address) || !pace_.may(vip.address, now)) continue;
        if (auto held = hold(vip.address); !held) {
            if (first) first = std::move(held);
            continue;
        }
        ++put_back_count_;
        spdlog::warn("the VIP {} was taken off this host by somebody else; it is on lo again",
                     vip.address.to_string());
    }
    return first;
}

int Companion::refresh_due() const {
    return pace_.due(PutBackPace::Clock::now());
}

Result<void> Companion::drop_addresses(const std::vector<Address>& kept) {
    Result<void> first;
    const std::vector<Address> all = record_.addresses;
    for (const Address& address : all) {
        if (contains(kept, address)) continue;
        auto removed = netlink_.remove_from_loopback(address);
        if (removed)
            std::erase(record_.addresses, address);
        else if (first)
            first = failure(std::move(removed.error()));
    }
    if (record_.addresses != all) {
        auto saved = save();
        if (first) first = std::move(saved);
    }
    return first;
}

}  // namespace bascule::backend
