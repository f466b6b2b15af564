/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Makes the packet fit for its backend, counts it, and sends it there. Most packets need two MAC
 * addresses and no more: for those the code is in line. The rest is a program of its own to the
 * verifier, which is given the packet as a parcel.
 */
#ifndef BASCULE_BPF_DELIVER_H
#define BASCULE_BPF_DELIVER_H

#include "answer.h"
#include "encapsulate.h"
#include "ethernet.h"
#include "make_parcel.h"
#include "rewrite.h"
#include "session.h"

static __always_inline void count_in(void *map, __u32 slot, __u32 frame_bytes)
{
    struct bsc_traffic *traffic = bpf_map_lookup_elem(map, &slot);

    if (traffic) {
        traffic->packets++;
        traffic->bytes += frame_bytes;
    }
}

/* The frame as it came, once it is sure to be sent on. */
static __always_inline void count_traffic(__u32 service, __u32 backend, __u32 frame_bytes)
{
    if (tracing || probing)
        return;
    count_in(&service_traffic, service, frame_bytes);
    count_in(&backend_traffic, backend, frame_bytes);
}

static __always_inline void note_backend(__u32 backend, __u64 hop, __u32 forward)
{
    struct bsc_notes *kept = notes_kept();

    if (kept) {
        kept->backend = backend;
        kept->generation = (hop >> BSC_HOP_GENERATION_SHIFT) & 0xff;
        kept->forward = forward;
    }
}

/* Parts of `route`. */
static __always_inline __u32 forward_of(__u64 route)
{
    return (route >> BSC_ROUTE_FORWARD_SHIFT) & 3;
}

static __always_inline __u32 vlan_of(__u64 route)
{
    return (route >> BSC_ROUTE_VLAN_SHIFT) & VLAN_ID_MASK;
}

static __always_inline __be16 rewritten_port(__u64 route)
{
    return (route >> BSC_ROUTE_PORT_SHIFT) & 0xffff;
}

/* Does the backend that `hop` was read of still have its slot? Asked after the rest of the entry
 * was read: a slot's generation changes before anything else of it does. Probes also go to one that
 * is down. */
static __always_inline int is_still(const struct bsc_backend *backend, __u64 hop)
{
    __asm__ __volatile__("" ::: "memory"); /* the rest was read by plain loads */
    __u64 now = bsc_load(&backend->hop);

    return (probing || now & BSC_HOP_UP) && generation_of(now) == generation_of(hop);
}

/* ---- verified by itself: whatever is not the common case ------------------------------------- */

/* The largest packet of a client's that fits the way to the backend. */
static __always_inline __u32 most_bytes(const struct bsc_backend *backend, __u32 forward)
{
    __u32 overhead;

    if (forward == BSC_FORWARD_LOCAL)
        return 0xffff;
    if (forward == BSC_FORWARD_L2)
        return backend->mtu;
    overhead = outer_bytes(outer_family(backend), forward == BSC_FORWARD_GUE);
    return backend->mtu > overhead ? backend->mtu - overhead : 0;
}

/* What is inside the IP packet. */
static __always_inline int rewrite(struct xdp_md *ctx, const struct parcel *parcel,
                                   const struct bsc_service *service, __be16 port)
{
    if (parcel->syn && service->mss_clamp)
        clamp_mss(ctx, parcel->l4, service->mss_clamp);
    if (port && parcel->content != PARCEL_LATER_FRAGMENT)
        return rewrite_port(ctx, parcel, port);
    return GO_ON;
}

/* The frame around it. A frame with two tags keeps them, so the inner one has to be right. */
static __always_inline int wrap(struct xdp_md *ctx, const struct parcel *parcel,
                                const struct bsc_service *service,
                                const struct bsc_backend *backend, __u64 route)
{
    __u32 forward = forward_of(route), vlan = vlan_of(route);

    if (forward != BSC_FORWARD_L2)
        return encapsulate(ctx, parcel, service, backend, forward == BSC_FORWARD_GUE, vlan);
    if (vlan == parcel->vlan)
        return GO_ON;
    if (parcel->tags > 1)
        return drop(BSC_DROP_OTHER_INTERFACE);
    return retag(ctx, parcel, vlan);
}

/* Out where it came in, or by another interface. */
static __always_inline int leave(__u32 ifindex, const struct bsc_port *port)
{
    struct bsc_notes *kept = notes_kept();

    if (ifindex == port->route_ifindex)
        return XDP_TX;
    if (bpf_redirect_map(&egress, ifindex, XDP_DROP) != XDP_REDIRECT)
        return drop(BSC_DROP_OTHER_INTERFACE);
    note_step(BSC_STEP_REDIRECTED);
    if (kept)
        kept->redirect_ifindex = ifindex;
    return XDP_REDIRECT;
}

static __always_inline int send_by(struct xdp_md *ctx, const struct parcel *parcel,
                                   const struct bsc_service *service,
                                   const struct bsc_backend *backend, const struct bsc_port *port,
                                   __u64 route)
{
    __u32 forward = forward_of(route);
    struct ethhdr *frame;
    int verdict;

    verdict = rewrite(ctx, parcel, service, rewritten_port(route));
    if (verdict != GO_ON)
        return verdict;
    if (forward == BSC_FORWARD_LOCAL)
        return XDP_PASS;
    verdict = wrap(ctx, parcel, service, backend, route);
    if (verdict != GO_ON)
        return verdict;
    frame = frame_at(ctx, 0, sizeof(*frame));
    if (!frame)
        return drop(BSC_DROP_IP_LENGTH);
    write_stations(frame, parcel->hop, bsc_load(&backend->source));
    return leave((__u32)route, port);
}

/* What has no ports of its own, and got to its backend by another packet's. */
static __always_inline void count_followed(const struct parcel *parcel)
{
    if (parcel->content == PARCEL_LATER_FRAGMENT)
        count_event(BSC_EVENT_FRAGMENT_FOLLOWED);
    else if (parcel->content == PARCEL_ICMP_ERROR)
        count_event(BSC_EVENT_ICMP_FOLLOWED);
}

/* Sends the packet to the parcel's backend. No pointer into the frame is good afterwards. */
__noinline int send_on(struct xdp_md *ctx, const struct parcel *parcel)
{
    __u32 index = port_index;

    if (!parcel)
        return XDP_ABORTED;

    __u32 service_slot = parcel->service, backend_slot = parcel->backend;
    struct bsc_service *service = bpf_map_lookup_elem(&services, &service_slot);
    struct bsc_backend *backend = bpf_map_lookup_elem(&backends, &backend_slot);
    struct bsc_port *port = bpf_map_lookup_elem(&ports, &index);

    if (!service || !backend || !port || !(parcel->hop & BSC_HOP_RESOLVED))
        return drop(BSC_DROP_NO_NEIGHBOUR);

    __u64 route = bsc_load(&backend->route);
    __u32 most = most_bytes(backend, forward_of(route));

    note_backend(backend_slot, parcel->hop, forward_of(route));
    if (parcel->l3_bytes > most) /* a probe's sender would not believe an answer by the VIP */
        return probing ? drop(BSC_DROP_TOO_BIG) : answer_too_big(ctx, parcel, most);

    int verdict = send_by(ctx, parcel, service, backend, port, route);

    if (verdict == XDP_TX || verdict == XDP_REDIRECT || verdict == XDP_PASS) {
        if (!is_still(backend, parcel->hop))
            return drop(BSC_DROP_NO_BACKEND);
        count_traffic(service_slot, backend_slot, parcel->frame_bytes);
        count_followed(parcel);
    }
    return verdict;
}

/* ---- in line: the common case, two MAC addresses --------------------------------------------- */

/* L2 by the interface that the packet came from, with its tags as they are, and no port to write?
 */
static __always_inline int is_plain(const struct bsc_backend *backend, __u64 hop,
                                    const struct bsc_port *port, __u16 vlan)
{
    return hop & BSC_HOP_RESOLVED &&
           bsc_load(&backend->route) == (port->route_ifindex | (__u64)vlan << BSC_ROUTE_VLAN_SHIFT);
}

static __always_inline int send_plain(struct ethhdr *frame, __u32 frame_bytes, __u32 service,
                                      __u32 backend, __u64 hop)
{
    note_backend(backend, hop, BSC_FORWARD_L2);
    write_stations(frame, hop, mac_word(frame->h_dest));
    count_traffic(service, backend, frame_bytes);
    return XDP_TX;
}

/* To the parcel's backend, which is up. */
static __always_inline int deliver(struct xdp_md *ctx, const struct parcel *parcel,
                                   const struct bsc_service *service, const struct bsc_port *port)
{
    __u32 slot = parcel->backend;
    struct bsc_backend *backend = bpf_map_lookup_elem(&backends, &slot);
    struct ethhdr *frame = frame_at(ctx, 0, sizeof(*frame));

    if (!frame || !backend || !is_plain(backend, parcel->hop, port, parcel->vlan) ||
        (parcel->syn && service->mss_clamp))
        return send_on(ctx, parcel);
    return send_plain(frame, parcel->frame_bytes, parcel->service, slot, parcel->hop);
}

#endif
