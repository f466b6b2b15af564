// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "node/doctor_look.h"
#include "node/exits.h"
#include "node/reach.h"
#include "node/routes.h"
#include "node/tunnel_room.h"

namespace bascule::node {

namespace {

// Of the interfaces that clients' packets arrive by, the largest that is usual.
std::uint32_t arrival_mtu(const model::Config& config, NetlinkRequests& requests) {
    std::uint32_t mtu = 0;
    for (const auto& name : config.node.interfaces)
        if (const auto link = find_link(requests, name)) mtu = std::max(mtu, link->mtu);
    return std::min(mtu, most_usual_packet);
}

bool is_tunnel(model::Forward forward) {
    return forward == model::Forward::ipip || forward == model::Forward::gue;
}

// What is asked of the kernel, once for each: many backends share an address or an interface.
class Kernel {
public:
    explicit Kernel(NetlinkRequests& requests) : requests_(requests) {}

    bool is_routed(const Address& address) {
        const auto [known, is_new] = routed_.try_emplace(address, false);
        if (is_new) {
            const Way route = find_way(requests_, address);
            known->second = route.ifindex != 0 && find_exit(requests_, route.ifindex).ifindex != 0;
        }
        return known->second;
    }
    const std::string& name_of(std::uint32_t ifindex) {
        std::string& name = names_[ifindex];
        if (name.empty()) name = interface_name(ifindex);
        return name;
    }

private:
    NetlinkRequests& requests_;
    std::map<Address, bool> routed_;
    std::map<std::uint32_t, std::string> names_;
};

void look_at_neighbour(const NeighbourState& state, Kernel& kernel, WayLook& way) {
    way.here = state.local;
    way.behind_gateway = state.via.has_value();
    way.reason = state.reason;
    way.resolved = state.next_hop.has_value();
    if (state.next_hop) {
        way.mtu = state.next_hop->mtu;
        way.interface = kernel.name_of(state.next_hop->ifindex);
        return;
    }
    way.routed = kernel.is_routed(state.address);
}

}  // namespace

std::vector<WayLook> look_at_ways(const model::Config& config, const NeighbourOf& state_of,
                                  NetlinkRequests& requests) {
    std::vector<WayLook> ways;
    const std::uint32_t arrival = arrival_mtu(config, requests);
    Kernel kernel(requests);
    for (const auto& service : config.services)
        for (const auto& backend : service.backends) {
            WayLook way;
            way.backend = service.name + "/" + backend.name;
            way.address = backend.address;
            way.forward = service.forward;
            way.vip_v4 = service.vip.is_v4();
            way.arrival = arrival;
            if (service.forward == model::Forward::local) {
                ways.push_back(std::move(way));
                continue;
            }
            const auto state = state_of(backend.address);
            if (!state) {
                way.resolved = false;
                way.reason = "no answer for some seconds";
            } else {
                look_at_neighbour(*state, kernel, way);
                way.tunnel_source =
                    !is_tunnel(service.forward) || !reach(config.node, service, backend, &*state)
                                                        .delivery.tunnel_source.is_unspecified();
            }
            ways.push_back(std::move(way));
        }
    return ways;
}

}  // namespace bascule::node
