/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts a packet into a packet: IPv4 or IPv6 in IPv4 or IPv6 (RFC 2003, RFC 2473, RFC 4213), with
 * UDP between them for GUE. The inner packet stays as it is, byte for byte; what was behind it in
 * the frame is cut off.
 */
#ifndef BASCULE_BPF_ENCAPSULATE_H
#define BASCULE_BPF_ENCAPSULATE_H

#include "checksum.h"
#include "ethernet.h"

#define IP_DF 0x4000
#define ECN_MASK 0x03
#define FLOW_LABEL_MASK 0xfffffU
#define GUE_SOURCE_PORTS 0xc000 /* the dynamic ones (RFC 6335); the flow decides which */
#define GUE_SOURCE_PORT_MASK 0x3fff

/* What the outer headers are made of. */
struct outer {
    __u32 family;
    __u32 gue;
    __u32 payload_bytes; /* behind the outer IP header */
    __u32 traffic_class;
    __u32 df;
    __u8 protocol;
};

static __always_inline __u32 outer_family(const struct bsc_backend *backend)
{
    const __u32 *address = (const void *)backend->be_address;

    return !address[0] && !address[1] && address[2] == bpf_htonl(0xffff) ? 4 : 6;
}

static __always_inline __u32 outer_bytes(__u32 family, int gue)
{
    return (family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) +
           (gue ? sizeof(struct udphdr) : 0);
}

/* The last 32 bits of the outer source: those that are the flow's spread what lies between. */
static __always_inline __be32 outer_source_end(const struct bsc_backend *backend, __u32 flow_hash)
{
    const __be32 *source = (const void *)backend->be_outer_source;
    __u32 bits = (bsc_load(&backend->source) >> BSC_SOURCE_ENTROPY_SHIFT) & 0x3f;
    __u32 mask = bpf_htonl((1ULL << bits) - 1);

    return (source[3] & ~mask) | (flow_hash & mask);
}

static __always_inline void write_outer4(struct iphdr *ip, const struct bsc_backend *backend,
                                         const struct outer *outer, __u32 flow_hash)
{
    __u32 bytes = sizeof(*ip) + outer->payload_bytes;
    /* RFC 6864: only what may be fragmented needs an id. */
    __u32 id = outer->df ? 0 : (__u16)bpf_get_prandom_u32();
    __u32 first = 0x45 | outer->traffic_class << 8 | (__u32)bpf_htons(bytes) << 16;
    __u32 second = id | (outer->df ? (__u32)bpf_htons(IP_DF) << 16 : 0);
    __u32 third = BSC_OUTER_TTL | (__u32)outer->protocol << 8;
    __be32 be_source = outer_source_end(backend, flow_hash);
    __be32 be_destination = *(const __be32 *)(backend->be_address + 12);
    __u32 *word = (__u32 *)ip;

    word[0] = first;
    word[1] = second;
    word[2] = third | (__u32)folded((__u64)first + second + third + be_source + be_destination)
                          << 16;
    word[3] = be_source;
    word[4] = be_destination;
}

static __always_inline void write_outer6(struct ipv6hdr *ip, const struct bsc_backend *backend,
                                         const struct outer *outer, __u32 flow_hash)
{
    *(__be32 *)ip =
        bpf_htonl(6U << 28 | outer->traffic_class << 20 | (flow_hash & FLOW_LABEL_MASK));
    ip->payload_len = bpf_htons(outer->payload_bytes);
    ip->nexthdr = outer->protocol;
    ip->hop_limit = BSC_OUTER_TTL;
    __builtin_memcpy(&ip->saddr, backend->be_outer_source, 12);
    ip->saddr.s6_addr32[3] = outer_source_end(backend, flow_hash);
    __builtin_memcpy(&ip->daddr, backend->be_address, 16);
}

static __always_inline void write_gue(struct udphdr *udp, const struct bsc_backend *backend,
                                      const struct outer *outer, __u32 flow_hash)
{
    udp->source = bpf_htons(GUE_SOURCE_PORTS | (flow_hash & GUE_SOURCE_PORT_MASK));
    udp->dest = backend->be_gue_port;
    udp->len = bpf_htons(outer->payload_bytes);
    udp->check = 0;
}

/* `inner`: the IP header of a packet of `bytes`. ECN always goes to the outer header (RFC 6040),
 * the other six bits if the service says so. */
static __always_inline void describe_outer(const void *inner, __u32 family, __u32 bytes,
                                           const struct bsc_backend *backend, int gue,
                                           int copy_dscp, struct outer *outer)
{
    const struct iphdr *ip = inner;

    outer->family = outer_family(backend);
    outer->gue = gue;
    outer->payload_bytes = bytes + (gue ? sizeof(struct udphdr) : 0);
    if (family == 4) {
        outer->traffic_class = ip->tos;
        outer->df = ip->frag_off & bpf_htons(IP_DF);
        outer->protocol = IPPROTO_IPIP;
    } else {
        outer->traffic_class = (bpf_ntohl(*(const __be32 *)inner) >> 20) & 0xff;
        outer->df = 1;
        outer->protocol = IPPROTO_IPV6;
    }
    if (gue)
        outer->protocol = IPPROTO_UDP;
    if (!copy_dscp)
        outer->traffic_class &= ECN_MASK;
}

/* Every frame that was encapsulated holds this: what is inside has a header, too. */
static __always_inline __u32 least_bytes(__u32 family)
{
    return ETHERNET_TAGGED_BYTES + outer_bytes(family, 1);
}

static __always_inline void write_outer(void *ip, const struct bsc_backend *backend,
                                        const struct outer *outer, __u32 flow_hash)
{
    if (outer->family == 4)
        write_outer4(ip, backend, outer, flow_hash);
    else
        write_outer6(ip, backend, outer, flow_hash);
    if (outer->gue)
        write_gue(ip + outer_bytes(outer->family, 0), backend, outer, flow_hash);
}

/* The stations' addresses are to be written after this. */
static __always_inline int encapsulate(struct xdp_md *ctx, const struct parcel *parcel,
                                       const struct bsc_service *service,
                                       const struct bsc_backend *backend, int gue, __u32 vlan)
{
    __u32 l2_bytes = vlan ? ETHERNET_TAGGED_BYTES : sizeof(struct ethhdr);
    void *inner = frame_at(ctx, parcel->l3, sizeof(struct iphdr));
    struct outer outer = {};
    struct ethhdr *frame;
    int verdict;

    if (!inner)
        return drop(BSC_DROP_IP_LENGTH);
    describe_outer(inner, parcel->family, parcel->l3_bytes, backend, gue,
                   service->flags & BSC_SERVICE_COPY_DSCP, &outer);
    verdict = cut_after(ctx, parcel->frame_bytes, parcel->l3 + parcel->l3_bytes);
    if (verdict != GO_ON)
        return verdict;
    if (bpf_xdp_adjust_head(ctx,
                            (int)parcel->l3 - (int)(l2_bytes + outer_bytes(outer.family, gue))))
        return drop(BSC_DROP_NO_HEADROOM);
    frame = frame_at(ctx, 0, outer.family == 4 ? least_bytes(4) : least_bytes(6));
    if (!frame)
        return drop(BSC_DROP_IP_LENGTH);
    write_ethernet(frame, vlan, outer.family);
    write_outer((void *)frame + l2_bytes, backend, &outer, parcel->flow_hash);
    note_step(BSC_STEP_ENCAPSULATED);
    return GO_ON;
}

#endif
