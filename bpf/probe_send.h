/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk of a probe: from the stack, by our veth pair, to the very backend that its made-up
 * destination names. It is a program of its own. What it does to the packet besides putting the
 * VIP into that address's place is what send_on() does to clients' packets: that is the true path.
 *
 * Only TCP and UDP; whatever else the stack sends here is dropped, and counted nowhere.
 */
#ifndef BASCULE_BPF_PROBE_SEND_H
#define BASCULE_BPF_PROBE_SEND_H

#include "deliver.h"
#include "flow.h"
#include "make_parcel.h"
#include "observe.h"
#include "parse.h"
#include "probe.h"

#define ALLOWED BSC_NONE

/* The last bits of a made-up address. */
static __always_inline __u32 number_of(const struct packet *packet, const int family)
{
    return bpf_ntohl(family == 4 ? packet->be_destination[0] : packet->be_destination[1] >> 32) &
           ((1 << BSC_PROBE_ADDRESS_BITS) - 1);
}

/* Multicast and broadcast leave by every interface: those are no made-up addresses. */
static __always_inline int is_for_many(const struct packet *packet, const int family)
{
    __u32 first = packet->be_destination[0] & 0xff;

    return family == 6 ? first == 0xff
                       : (first & 0xf0) == 0xe0 || (__u32)packet->be_destination[0] == 0xffffffff;
}

/* Is this a packet of a probe of the service? The port may be any of the service's. */
static __always_inline int fits_service(const struct packet *packet,
                                        const struct bsc_service *service, const int family)
{
    __u32 port = bpf_ntohs(packet->be_destination_port);
    __u32 wanted = BSC_SERVICE_IN_USE | (packet->protocol == IPPROTO_UDP ? BSC_SERVICE_UDP : 0) |
                   (family == 6 ? BSC_SERVICE_IPV6 : 0);

    return (service->flags & (BSC_SERVICE_IN_USE | BSC_SERVICE_UDP | BSC_SERVICE_IPV6)) == wanted &&
           port >= bpf_ntohs(service->be_port) && port <= bpf_ntohs(service->be_last_port);
}

static __always_inline int is_in_use(const struct bsc_backend *backend)
{
    const __u64 *be_address = (const void *)backend->be_address;

    return be_address[0] || be_address[1];
}

/* ALLOWED, or enum bsc_drop_reason. */
static __always_inline __u32 why_not(const struct packet *packet, const struct bsc_service *service,
                                     __u64 hop, __u64 route, const int family)
{
    if (!(hop & BSC_HOP_RESOLVED))
        return BSC_DROP_NO_NEIGHBOUR;
    if (forward_of(route) == BSC_FORWARD_LOCAL || !fits_service(packet, service, family))
        return BSC_DROP_PROBE;
    if (packet->fragment)
        return BSC_DROP_FRAGMENT;
    /* Its answers would be packets for a VIP. */
    return find_vip(packet->be_source, family) ? BSC_DROP_MARTIAN_SOURCE : ALLOWED;
}

static __always_inline void describe_key(const struct packet *packet,
                                         const struct bsc_service *service,
                                         struct bsc_probe_flow_key *key, const int family)
{
    __builtin_memcpy(key->be_vip, service->be_address, sizeof(key->be_vip));
    if (family == 4) {
        key->be_node[1] = mapped(packet->be_source[0]);
    } else {
        key->be_node[0] = packet->be_source[0];
        key->be_node[1] = packet->be_source[1];
    }
    key->be_node_port = packet->be_source_port;
    key->protocol = packet->protocol;
}

/* `flow` is all zero. */
static __always_inline void describe_flow(const struct packet *packet, struct bsc_probe_flow *flow,
                                          const int family)
{
    __u32 number = number_of(packet, family);

    if (family == 4) {
        flow->be_made_up[1] = mapped(packet->be_destination[0]);
    } else {
        flow->be_made_up[0] = packet->be_destination[0];
        flow->be_made_up[1] = packet->be_destination[1];
    }
    flow->be_vip_port = packet->be_destination_port;
    flow->backend = number & (BSC_MAX_BACKENDS - 1);
    flow->generation = number >> BSC_PROBE_SLOT_BITS;
    if (is_syn(packet)) {
        struct tcphdr *tcp = (void *)packet->ethernet + (packet->l4 & MOST_OFFSET);

        if ((void *)(tcp + 1) <= packet->end)
            flow->sequence = bpf_ntohl(tcp->seq);
    }
}

/* Before the packet leaves, so that its answer is known. What was noted of a SYN stays while it is
 * sent again: its answer may be the only one. False: there is no room. */
static __always_inline int remember_probe(const struct packet *packet,
                                          const struct bsc_probe_flow_key *key,
                                          const struct bsc_probe_flow *flow)
{
    int is_udp = packet->protocol == IPPROTO_UDP;
    struct bsc_probe_flow *there = bpf_map_lookup_elem(&probe_flows, key);

    if (there && !is_udp && there->be_made_up[0] == flow->be_made_up[0] &&
        there->be_made_up[1] == flow->be_made_up[1] && there->be_vip_port == flow->be_vip_port &&
        (!is_syn(packet) || there->sequence == flow->sequence))
        return 1;
    if (bpf_map_update_elem(&probe_flows, key, flow, BPF_ANY))
        return 0;
    if (is_udp || is_syn(packet))
        note_probe(flow, BSC_PROBE_SENT, 0);
    return 1;
}

/* The VIP, and all checksums with it. */
static __always_inline int address_to_vip(struct xdp_md *ctx, const struct packet *packet,
                                          const struct bsc_probe_flow *flow, const __u64 *be_vip,
                                          const int family)
{
    return write_address(ctx, packet->l3, flow->be_made_up, be_vip, family, AS_DESTINATION) &&
           mend_checksum(ctx, packet->l4, packet->protocol,
                         address_change(flow->be_made_up, be_vip));
}

/* A reset ends a probe whose verdict is known: it says nothing new. */
static __always_inline int not_sent(const struct packet *packet, const struct bsc_probe_flow *flow,
                                    __u32 why)
{
    if (!(packet->tcp_flags & TCP_RST))
        note_probe(flow, BSC_PROBE_NOT_SENT, why);
    return XDP_DROP;
}

static __always_inline int send_to(struct xdp_md *ctx, const struct packet *packet,
                                   const struct bsc_probe_flow *flow, __u32 service, __u64 hop,
                                   const int family)
{
    __u32 be_ports = packet->be_source_port | (__u32)packet->be_destination_port << 16;
    struct bsc_notes *kept = notes_kept();
    struct parcel parcel = {};
    struct flow tuple = {};
    int verdict;

    locate(&tuple, service, packet->be_source, be_ports, family);
    make_parcel(packet, &parcel, family);
    parcel.content = PARCEL_L4;
    parcel.service = service;
    parcel.backend = flow->backend;
    parcel.hop = hop;
    parcel.flow_hash = tuple.hash;
    verdict = send_on(ctx, &parcel);
    if (verdict == XDP_REDIRECT)
        return verdict;
    return not_sent(packet, flow, kept && kept->drop != BSC_NONE ? kept->drop : BSC_DROP_PROBE);
}

static __always_inline int send_probe(struct xdp_md *ctx, const struct packet *packet,
                                      const int family)
{
    struct bsc_probe_flow_key key = {};
    struct bsc_probe_flow flow = {};

    /* A host that forwards brings anybody's packets here. */
    if (is_for_many(packet, family) || !has_probes(packet->be_source, family))
        return XDP_DROP;
    describe_flow(packet, &flow, family);

    __u32 slot = flow.backend;
    struct bsc_backend *backend = bpf_map_lookup_elem(&backends, &slot);
    __u64 hop = backend ? bsc_load(&backend->hop) : 0;
    __u32 service_slot = backend ? backend->service : 0;
    struct bsc_service *service = bpf_map_lookup_elem(&services, &service_slot);

    /* Another backend's slot by now: there is none left to note anything of. */
    if (!slot || !backend || !service || !is_in_use(backend) ||
        generation_of(hop) != flow.generation)
        return XDP_DROP;

    __u32 why = why_not(packet, service, hop, bsc_load(&backend->route), family);

    if (why != ALLOWED)
        return not_sent(packet, &flow, why);
    describe_key(packet, service, &key, family);
    if (!remember_probe(packet, &key, &flow) ||
        !address_to_vip(ctx, packet, &flow, key.be_vip, family))
        return not_sent(packet, &flow, BSC_DROP_PROBE);
    return send_to(ctx, packet, &flow, service_slot, hop, family);
}

static __always_inline int walk_probe(struct xdp_md *ctx)
{
    struct packet packet = {};

    switch (parse_ethernet(ctx, &packet)) {
    case ETH_P_IP:
        if (parse_ipv4(&packet) != PARSED)
            return XDP_DROP;
        in_memory(&packet);
        return send_probe(ctx, &packet, 4);
    case ETH_P_IPV6:
        if (parse_ipv6(ctx, &packet) != PARSED)
            return XDP_DROP;
        in_memory(&packet);
        return send_probe(ctx, &packet, 6);
    default:
        return XDP_DROP;
    }
}

#endif
