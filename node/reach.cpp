// SPDX-License-Identifier: Apache-2.0
#include "node/reach.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "node/tunnel_room.h"

namespace bascule::node {

namespace {

using model::Forward;

bool is_tunnel(Forward forward) {
    return forward == Forward::ipip || forward == Forward::gue;
}

// The bits of a backend's way that come from the file alone.
model::Delivery delivery_of(const model::NodeConfig& node, const model::ServiceConfig& service,
                            const model::BackendConfig& backend) {
    model::Delivery delivery;
    delivery.forward = service.forward;
    if (service.ports.is_single() && backend.port != service.ports.first)
        delivery.rewrite_port = backend.port;
    if (service.forward == Forward::gue) delivery.gue_port = service.gue_port;
    if (!is_tunnel(service.forward)) return delivery;
    const bool v4 = backend.address.is_v4();
    if (const auto& source = v4 ? node.tunnel_source_v4 : node.tunnel_source_v6) {
        delivery.tunnel_source = source->address;
        delivery.entropy_bits = static_cast<std::uint8_t>((v4 ? 32 : 128) - source->prefix_length);
    }
    return delivery;
}

// Empty: the tunnel leaves room enough for what it carries.
std::string too_small(const model::ServiceConfig& service, const Address& outer, unsigned mtu) {
    const unsigned needed =
        tunnel_overhead(service.forward, outer) + least_payload(service.vip.is_v4());
    if (mtu >= needed) return {};
    return fmt::format("MTU {} of the way to {} is too small for {}: needs {}", mtu,
                       outer.to_string(), name_of(service.forward), needed);
}

std::string why_not(const model::ServiceConfig& service, const model::Delivery& delivery,
                    const NeighbourState& neighbour) {
    const std::string address = neighbour.address.to_string();
    if (neighbour.local)
        return fmt::format("{} is this host itself: forward = \"local\" delivers here", address);
    if (!neighbour.next_hop) return neighbour.reason;
    if (service.forward == Forward::l2 && neighbour.via)
        return fmt::format("{} is behind gateway {}: l2 needs the same network segment", address,
                           neighbour.via->to_string());
    if (!is_tunnel(service.forward)) return {};
    if (delivery.tunnel_source.is_unspecified())
        return fmt::format("no source address for the tunnel to {}: set [node] tunnel_source_{}",
                           address, neighbour.address.is_v4() ? "v4" : "v6");
    return too_small(service, neighbour.address, neighbour.next_hop->mtu);
}

}  // namespace

Reach reach(const model::NodeConfig& node, const model::ServiceConfig& service,
            const model::BackendConfig& backend, const NeighbourState* neighbour) {
    Reach result;
    result.delivery = delivery_of(node, service, backend);
    if (service.forward == Forward::local) {
        model::NextHop here;
        here.mtu = 0;
        result.next_hop = here;
        return result;
    }
    result.known = neighbour != nullptr;
    if (!result.known) return result;
    model::Delivery& delivery = result.delivery;
    if (is_tunnel(service.forward) && delivery.tunnel_source.is_unspecified())
        delivery.tunnel_source = neighbour->source;
    result.reason = why_not(service, delivery, *neighbour);
    if (result.reason.empty()) result.next_hop = neighbour->next_hop;
    return result;
}

}  // namespace bascule::node
