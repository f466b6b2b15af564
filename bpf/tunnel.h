/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The short way into a tunnel, for a packet of a known session that needs nothing but an outer
 * header: no tag, no padding, no port to write, the interface that it came from, and room to
 * spare. What it does is what send_on() would do, at half the price. Not for copies of the
 * program that are watched: in those, each packet is decided.
 */
#ifndef BASCULE_BPF_TUNNEL_H
#define BASCULE_BPF_TUNNEL_H

#include "deliver.h"

#define MOST_OVERHEAD (sizeof(struct ipv6hdr) + sizeof(struct udphdr))

/* What is to be known of service and backend, as one of the five arguments that a function has. */
#define SLOTS_BACKEND_SHIFT 32
#define SLOTS_COPY_DSCP (1ULL << 63)

static __always_inline __u64 tunnel_slots(const struct bsc_service *service, __u32 service_slot,
                                          __u32 backend_slot)
{
    return service_slot | (__u64)backend_slot << SLOTS_BACKEND_SHIFT |
           (service->flags & BSC_SERVICE_COPY_DSCP ? SLOTS_COPY_DSCP : 0);
}

static __always_inline int fits_tunnel(const struct bsc_backend *backend, __u64 hop,
                                       const struct bsc_port *port, const struct packet *packet,
                                       const int family)
{
    __u64 route = bsc_load(&backend->route);
    __u32 forward = forward_of(route), bytes = l3_bytes_of(packet, family);

    return hop & BSC_HOP_RESOLVED && (forward == BSC_FORWARD_IPIP || forward == BSC_FORWARD_GUE) &&
           (route & ~(3ULL << BSC_ROUTE_FORWARD_SHIFT)) == port->route_ifindex &&
           packet->l3 == sizeof(struct ethhdr) &&
           packet->frame_bytes == sizeof(struct ethhdr) + bytes &&
           bytes + MOST_OVERHEAD <= backend->mtu;
}

/* `slots`: by tunnel_slots(). The rest is what fits_tunnel() was asked about. */
__noinline int send_in_tunnel(struct xdp_md *ctx, const struct bsc_backend *backend, __u64 hop,
                              __u64 slots, __u32 flow_hash)
{
    __u32 bytes = (void *)(long)ctx->data_end - (void *)(long)ctx->data - sizeof(struct ethhdr);
    struct ethhdr *frame = frame_at(ctx, 0, sizeof(*frame) + sizeof(struct iphdr));
    struct outer outer = {};

    if (!frame || !backend)
        return drop(BSC_DROP_IP_LENGTH);

    int gue = forward_of(bsc_load(&backend->route)) == BSC_FORWARD_GUE;

    describe_outer(frame + 1, *(__u8 *)(frame + 1) >> 4, bytes, backend, gue,
                   (slots & SLOTS_COPY_DSCP) != 0, &outer);
    if (bpf_xdp_adjust_head(ctx, -(int)outer_bytes(outer.family, gue)))
        return drop(BSC_DROP_NO_HEADROOM);
    frame = frame_at(ctx, 0, outer.family == 4 ? least_bytes(4) : least_bytes(6));
    if (!frame)
        return drop(BSC_DROP_IP_LENGTH);
    write_stations(frame, hop, bsc_load(&backend->source));
    write_ethernet(frame, 0, outer.family);
    write_outer(frame + 1, backend, &outer, flow_hash);
    if (!is_still(backend, hop))
        return drop(BSC_DROP_NO_BACKEND);
    count_traffic((__u16)slots, (__u16)(slots >> SLOTS_BACKEND_SHIFT),
                  sizeof(struct ethhdr) + bytes);
    return XDP_TX;
}

#endif
