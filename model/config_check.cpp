// SPDX-License-Identifier: Apache-2.0
#include "model/config_check.h"

#include "bpf/contract.h"
#include "model/config_schema_tables.h"
#include "model/tables.h"

namespace bascule::model {
namespace {

class Checker {
public:
    Checker(const Draft& draft, Diagnostics& diagnostics)
        : draft_(draft), diagnostics_(diagnostics) {
        for (const VipDraft& vip : draft.vips)
            if (vip.address.value) around_.vips.insert(*vip.address.value);
        around_.whole = draft.whole;
        if (draft.probe_network_v4.value)
            around_.probe_networks.push_back(
                {*draft.probe_network_v4.value, 32 - BSC_PROBE_ADDRESS_BITS});
        if (draft.probe_network_v6.value)
            around_.probe_networks.push_back({*draft.probe_network_v6.value, probe_prefix_v6});
    }

    void run() {
        check_interfaces();
        check_tunnel_source(draft_.tunnel_source_v4);
        check_tunnel_source(draft_.tunnel_source_v6);
        check_probe_network(draft_.probe_network_v4, diagnostics_);
        check_probe_network(draft_.probe_network_v6, diagnostics_);
        if (draft_.hook.user.written && draft_.hook.user.value && !draft_.hook.command.written &&
            draft_.whole)
            add(draft_.hook.user.place, "user: there is no 'command' in [hook]");
        check_mss_clamp(draft_.defaults, diagnostics_);
        check_counts();
        check_vips();
        check_listen();
        check_cluster(draft_, around_, diagnostics_);
        check_cluster_vips(draft_, diagnostics_);
        check_ports(draft_, diagnostics_);
        Unique<std::string> names(diagnostics_);
        for (const ServiceDraft& service : draft_.services) {
            if (service.name.value)
                names.add(*service.name.value, service.name.place,
                          "a service named " + quoted(*service.name.value));
            check_service(service, around_, diagnostics_);
        }
    }

private:
    void add(Place place, std::string message) { diagnostics_.add(place, std::move(message)); }

    void check_interfaces() {
        Unique<std::string> names(diagnostics_);
        for (const auto& interface : draft_.interfaces)
            names.add(*interface.value, interface.place, "interface " + quoted(*interface.value));
    }

    void check_tunnel_source(const Placed<TunnelSource>& source) {
        if (!source.value) return;
        const Address& address = source.value->address;
        if (const std::string_view what = unfit(address); !what.empty())
            add(source.place, address.to_string() + " is " + std::string(what) +
                                  " and can be no source of tunnels");
        else if (around_.vips.contains(address))
            add(source.place, address.to_string() + " is a VIP and can be no source of tunnels");
        else if (const std::string why = taken_for_probes(address, around_); !why.empty())
            add(source.place, why);
    }

    // The unspecified address is well: what comes for a VIP by it is turned away.
    void check_listen() {
        if (!draft_.listen || !draft_.listen->value) return;
        const Address& address = draft_.listen->value->address;
        const Place place = draft_.listen->place;
        if (address.is_multicast())
            add(place, "listen: " + address.to_string() +
                           " is a multicast or broadcast address and cannot be listened at");
        else if (around_.vips.contains(address))
            add(place,
                "listen: " + address.to_string() + " is a VIP: what clients reach is theirs alone");
        else if (const std::string why = taken_for_probes(address, around_); !why.empty())
            add(place, "listen: " + why);
        check_listen_beside_cluster(draft_.listen->value->port, address, place);
    }

    // Streams of the cluster listen by TCP, too.
    void check_listen_beside_cluster(std::uint16_t port, const Address& address, Place place) {
        if (!draft_.cluster) return;
        const std::string self = draft_.name.value.value_or(draft_.host_name);
        for (const ClusterNodeDraft& node : draft_.cluster->nodes) {
            if (node.name.value != self || !node.addresses.value) continue;
            for (const auto& own : *node.addresses.value)
                if (own.value && own.value->port == port &&
                    (own.value->address == address ||
                     (address.is_unspecified() && own.value->address.is_v4() == address.is_v4())))
                    add(place, "listen: " + own.value->to_string() +
                                   " is this node's in [cluster] at " +
                                   diagnostics_.to_string(own.place));
        }
    }

    // Each said once, at the first that is too many.
    void check_counts() {
        if (draft_.vips.size() > BSC_MAX_VIPS)
            too_many(draft_.vips[BSC_MAX_VIPS].place, draft_.vips.size(), "VIPs", BSC_MAX_VIPS);
        if (draft_.services.size() > BSC_MAX_SERVICES)
            too_many(draft_.services[BSC_MAX_SERVICES].place, draft_.services.size(), "services",
                     BSC_MAX_SERVICES);
        constexpr std::size_t most_backends = BSC_MAX_BACKENDS - 1;
        std::size_t backends = 0;
        Place first_excess;
        for (const ServiceDraft& service : draft_.services) {
            const std::size_t before = backends;
            backends += service.backends.size();
            if (before <= most_backends && backends > most_backends)
                first_excess = service.backends[most_backends - before].place;
        }
        if (backends <= most_backends) return;
        too_many(first_excess, backends, "backends", most_backends);
        around_.too_many_backends = true;
    }

    void too_many(Place place, std::size_t count, std::string_view what, std::size_t most) {
        add(place, std::to_string(count) + ' ' + std::string(what) + " in all; at most " +
                       std::to_string(most) + " are possible");
    }

    void check_vips() {
        Unique<Address> addresses(diagnostics_);
        for (const VipDraft& vip : draft_.vips) {
            if (!vip.address.value) continue;
            const Address& address = *vip.address.value;
            addresses.add(address, vip.address.place, "VIP " + address.to_string());
            if (const std::string_view what = unfit(address); !what.empty())
                add(vip.address.place,
                    address.to_string() + " is " + std::string(what) + " and can be no VIP");
            else if (const std::string why = taken_for_probes(address, around_); !why.empty())
                add(vip.address.place, why);
        }
    }

    const Draft& draft_;
    Diagnostics& diagnostics_;
    Surroundings around_;
};

}  // namespace

std::string_view unfit(const Address& address) {
    if (address.is_unspecified()) return "the unspecified address";
    if (address.is_loopback()) return "a loopback address";
    if (address.is_multicast()) return "a multicast or broadcast address";
    return {};
}

std::string taken_for_probes(const Address& address, const Surroundings& around) {
    for (const Network& network : around.probe_networks)
        if (contains(network, address))
            return address.to_string() + " is in the network of made-up addresses of checks, " +
                   network.address.to_string() + '/' + std::to_string(network.prefix_length) +
                   " (probe_network_" + (address.is_v4() ? "v4" : "v6") + " of [node])";
    return {};
}

std::string default_name(const Address& address, const Placed<std::int64_t>& port) {
    if (!port.written || !port.value) return address.to_string();
    return BackendKey{address, static_cast<std::uint16_t>(*port.value)}.to_string();
}

void check(const Draft& draft, Diagnostics& diagnostics) {
    Checker(draft, diagnostics).run();
}

}  // namespace bascule::model
