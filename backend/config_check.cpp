// SPDX-License-Identifier: Apache-2.0
// What no key of the configuration can tell alone: references, duplicates, limits. Pure.
#include <map>
#include <tuple>

#include "backend/bpf/layout.h"
#include "backend/config_draft.h"

namespace bascule::backend {
namespace {

using model::Diagnostics;
using model::Place;

// Reports the second of two equal things, with the place of the first.
template <typename Key>
class Firsts {
public:
    void add(const Key& key, Place place, const std::string& what, Diagnostics& diagnostics) {
        const auto [first, is_new] = places_.emplace(key, place);
        if (!is_new)
            diagnostics.add(place, what + " already at " + diagnostics.to_string(first->second));
    }

private:
    std::map<Key, Place> places_;
};

void check_address(const VipDraft& vip, Diagnostics& diagnostics) {
    const Address& address = *vip.address.value;
    if (address.is_unspecified() || address.is_loopback() || address.is_multicast() ||
        address.is_link_local())
        diagnostics.add(vip.address.place, "address: " + address.to_string() +
                                               " cannot be a VIP: clients have to reach it");
}

// A port of the server can stand for one port of the VIP only: what leaves it could not be told.
void check_ports(const VipDraft& vip, Diagnostics& diagnostics) {
    Firsts<std::tuple<std::string_view, std::int64_t>> servers;
    for (const PortDraft& port : vip.ports)
        if (port.server.value && port.protocol.value)
            servers.add({*port.protocol.value, *port.server.value}, port.server.place,
                        "server: " + std::string(*port.protocol.value) + " port " +
                            std::to_string(*port.server.value) + " of this VIP is told",
                        diagnostics);
}

void check_tunnels(const Draft& draft, const VipDraft& vip, Diagnostics& diagnostics) {
    if (!vip.modes.value || !vip.modes.value->tunnel()) return;
    if (draft.balancers.empty())
        diagnostics.add(vip.modes.place, std::string("forward: ") +
                                             (vip.modes.value->ipip ? "\"ipip\"" : "\"gue\"") +
                                             " needs the addresses that the tunnels come from: set "
                                             "'balancers' in [server]");
    for (const auto& balancer : draft.balancers)
        if (balancer.value && vip.address.value && balancer.value->is_single() &&
            balancer.value->address == *vip.address.value)
            diagnostics.add(balancer.place, "balancers: " + balancer.value->to_string() +
                                                " is a VIP, which no tunnel comes from");
}

template <typename T>
void check_count(const std::vector<T>& all, std::size_t most, const std::string& what,
                 Diagnostics& diagnostics) {
    if (all.size() > most)
        diagnostics.add(all[most].place,
                        "more than " + std::to_string(most) + " " + what + " are not supported");
}

}  // namespace

void check_draft(const Draft& draft, bool whole, Diagnostics& diagnostics) {
    Firsts<std::string> interfaces;
    for (const auto& interface : draft.interfaces)
        if (interface.value)
            interfaces.add(*interface.value, interface.place,
                           "interfaces: '" + *interface.value + "' is named", diagnostics);
    Firsts<Address> vips;
    std::size_t ports = 0;
    for (const VipDraft& vip : draft.vips) {
        if (vip.address.value) {
            check_address(vip, diagnostics);
            vips.add(*vip.address.value, vip.address.place,
                     "address: the VIP " + vip.address.value->to_string() + " is there",
                     diagnostics);
        }
        check_ports(vip, diagnostics);
        if (whole) check_tunnels(draft, vip, diagnostics);
        ports += vip.ports.size();
        if (ports > BBE_MAX_PORTS && ports - vip.ports.size() <= BBE_MAX_PORTS)
            diagnostics.add(vip.place, "more than " + std::to_string(BBE_MAX_PORTS) +
                                           " [[vip.port]] are not supported");
    }
    check_count(draft.vips, BBE_MAX_VIPS, "[[vip]]", diagnostics);
    check_count(draft.balancers, BBE_MAX_BALANCERS, "balancers", diagnostics);
}

}  // namespace bascule::backend
