/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* TCP and UDP with their ports: what the engine is for. In line, since most packets come here. */
#ifndef BASCULE_BPF_BALANCE_H
#define BASCULE_BPF_BALANCE_H

#include "deliver.h"
#include "fragment.h"
#include "make_parcel.h"
#include "probe_answer.h"
#include "service.h"
#include "session.h"
#include "tunnel.h"

/* The packet's service: by its port, or by a range that the port is in. `to->vip` is known then
 * for IPv6, and for IPv4 where no service has the port for itself. */
static __always_inline __u32 find_service(const struct packet *packet, struct service_address *to,
                                          const int family)
{
    __u32 slot;

    to->be_port = packet->be_destination_port;
    to->udp = packet->protocol == IPPROTO_UDP;
    if (family == 6) {
        to->vip = to->low = find_vip(packet->be_destination, 6);
        if (!to->vip)
            return NO_SERVICE;
    } else {
        to->low = packet->be_destination[0];
    }
    slot = find_exact(to, family);
    if (slot != NO_SERVICE)
        return slot;
    if (family == 4)
        to->vip = find_vip(packet->be_destination, 4);
    return to->vip ? find_ranged(to, family) : NO_SERVICE;
}

/* No backend for the packet: whether the client is told is the service's choice. */
static __always_inline int turn_away(struct xdp_md *ctx, const struct parcel *parcel,
                                     const struct bsc_service *service, __u32 why)
{
    if (why == BSC_DROP_NO_BACKEND && service->flags & BSC_SERVICE_ON_EMPTY_RESET)
        return refuse(ctx, parcel);
    return drop(why);
}

/* Whatever is not done by one look and two MAC addresses. From here on the packet is a parcel. */
static __always_inline int take_time(struct xdp_md *ctx, const struct packet *packet,
                                     struct flow *flow, const struct destination *to,
                                     const struct bsc_service *service, const struct bsc_port *port,
                                     const int family)
{
    struct decision decision = {.to = *to};
    struct parcel parcel = {};
    __u32 fragment = packet->fragment;

    make_parcel(packet, &parcel, family);
    parcel.content = PARCEL_L4;
    if (!to->hop) {
        if (is_bounced(ctx, packet, family))
            return drop(BSC_DROP_PROBE);
        read_sign(packet, &flow->sign, family);
        decide_and_remember(flow, &decision, family);
    }
    address_parcel(&parcel, flow->slot, &decision.to);
    if (!parcel.hop)
        return turn_away(ctx, &parcel, service, decision.to.drop);
    if (fragment)
        remember_fragment(ctx, &parcel, fragment);
    /* A destination that was there already is here because it takes more than two addresses. */
    return to->hop ? send_on(ctx, &parcel) : deliver(ctx, &parcel, service, port);
}

static __always_inline int balance_flow(struct xdp_md *ctx, const struct packet *packet, __u32 slot,
                                        const struct bsc_service *service,
                                        const struct bsc_port *port, const int family)
{
    __u32 be_ports = packet->be_source_port | (__u32)packet->be_destination_port << 16;
    struct flow flow = {};

    locate(&flow, slot, packet->be_source, be_ports, family);

    struct destination to = follow(&flow, packet->tcp_flags, family);
    __u32 backend_slot = to.backend;
    struct bsc_backend *backend = bpf_map_lookup_elem(&backends, &backend_slot);

    if (to.hop && backend && !packet->fragment && is_plain(backend, to.hop, port, packet->vlan))
        return send_plain(packet->ethernet, packet->frame_bytes, slot, to.backend, to.hop);
    if (to.hop && backend && !packet->fragment &&
        fits_tunnel(backend, to.hop, port, packet, family))
        return send_in_tunnel(ctx, backend, to.hop, tunnel_slots(service, slot, to.backend),
                              to.flow_hash);
    return take_time(ctx, packet, &flow, &to, service, port, family);
}

static __always_inline int balance(struct xdp_md *ctx, const struct packet *packet,
                                   const int family)
{
    struct service_address address = {};
    __u32 slot = find_service(packet, &address, family);
    struct bsc_service *service = bpf_map_lookup_elem(&services, &slot);
    __u32 index = port_index;
    struct bsc_port *port = bpf_map_lookup_elem(&ports, &index);

    if (!port)
        return XDP_PASS;
    if (slot == NO_SERVICE && !address.vip)
        return not_for_vip(ctx, packet, port, family);
    if (tracing || capturing)
        note_vip(find_vip(packet->be_destination, family));
    if (!is_for_us(packet, port)) {
        count_event(BSC_EVENT_OTHER_HOST);
        return XDP_PASS;
    }
    if (slot == NO_SERVICE || !service)
        return is_bounced(ctx, packet, family) ? drop(BSC_DROP_PROBE)
                                               : not_served(address.vip, BSC_EVENT_VIP_NO_SERVICE);
    note_service(slot);
    if (is_martian(packet->be_source, packet->be_destination, family))
        return drop(BSC_DROP_MARTIAN_SOURCE);
    if (is_answer(packet))
        return drop(BSC_DROP_TCP_FLAGS);
    return balance_flow(ctx, packet, slot, service, port, family);
}

#endif
