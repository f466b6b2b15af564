/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What sending probes and knowing their answers have in common: which probe a packet belongs to,
 * what is noted of it, and one address put in another's place. Functions that the verifier checks
 * by themselves. contract.h says what probes on the true path are.
 */
#ifndef BASCULE_BPF_PROBE_H
#define BASCULE_BPF_PROBE_H

#include "checksum.h"
#include "ethernet.h"
#include "lookup.h"
#include "maps.h"
#include "service.h"

/* A packet's headers, or those that an ICMP error quotes. Addresses stand v4-mapped. */
struct headers {
    __u64 be_source[2];
    __u64 be_destination[2];
    __be16 be_source_port;
    __be16 be_destination_port;
    __u16 l4; /* offset */
    __u8 protocol;
    __u8 family; /* 4, 6 */
};

/* May a probe have come from this address? IPv4: word 0, low half. */
static __always_inline int has_probes(const __u64 *be_address, const int family)
{
    __u64 be_address0 = family == 4 ? 0 : be_address[0];
    __u64 be_address1 = family == 4 ? mapped(be_address[0]) : be_address[1];
    __u32 zero = 0, bit = bsc_probe_gate_bit(be_address0, be_address1);
    struct bsc_probe_gate *gate = bpf_map_lookup_elem(&probe_gate, &zero);

    return gate && bsc_load(&gate->word[bit / 64 % BSC_PROBE_GATE_WORDS]) >> bit % 64 & 1;
}

static __always_inline int read_ip4(struct xdp_md *ctx, __u32 at, struct headers *read)
{
    struct iphdr *ip = frame_at(ctx, at, sizeof(*ip));

    if (!ip || ip->version != 4 || ip->ihl < 5 || ip->frag_off & bpf_htons(IPV4_OFFSET))
        return 0;
    read->be_source[0] = read->be_destination[0] = 0;
    read->be_source[1] = mapped(ip->saddr);
    read->be_destination[1] = mapped(ip->daddr);
    read->l4 = at + ip->ihl * 4;
    read->protocol = ip->protocol;
    read->family = 4;
    return 1;
}

/* Extension headers are not followed: what our stack sends for a probe has none. */
static __always_inline int read_ip6(struct xdp_md *ctx, __u32 at, struct headers *read)
{
    struct ipv6hdr *ip = frame_at(ctx, at, sizeof(*ip));

    if (!ip || ip->version != 6)
        return 0;
    __builtin_memcpy(read->be_source, &ip->saddr, 16);
    __builtin_memcpy(read->be_destination, &ip->daddr, 16);
    read->l4 = at + sizeof(*ip);
    read->protocol = ip->nexthdr;
    read->family = 6;
    return 1;
}

/* The IP header at offset `at`, be it that of the frame or of what it quotes; all but the ports. 0
 * when it is cut, none, or that of a later fragment. */
__noinline int read_ip(struct xdp_md *ctx, __u32 at, struct headers *read)
{
    __u8 *first = frame_at(ctx, at, sizeof(*first));

    if (!first || !read)
        return 0;
    return *first >> 4 == 4 ? read_ip4(ctx, at, read) : read_ip6(ctx, at, read);
}

/* The ports of TCP or UDP at read->l4. */
static __always_inline int read_ports(struct xdp_md *ctx, struct headers *read)
{
    __be16 *be_ports = frame_at(ctx, read->l4, 2 * sizeof(*be_ports));

    if (!be_ports)
        return 0;
    read->be_source_port = be_ports[0];
    read->be_destination_port = be_ports[1];
    return 1;
}

/* The probe under way that `packet` is, as it goes to the VIP, or (`answers`) that it answers. */
__noinline int find_probe(const struct headers *packet, __u32 answers, struct bsc_probe_flow *flow)
{
    struct bsc_probe_flow_key key = {};
    struct bsc_probe_flow *there;

    if (!packet || !flow)
        return 0;
    key.be_vip[0] = answers ? packet->be_source[0] : packet->be_destination[0];
    key.be_vip[1] = answers ? packet->be_source[1] : packet->be_destination[1];
    key.be_node[0] = answers ? packet->be_destination[0] : packet->be_source[0];
    key.be_node[1] = answers ? packet->be_destination[1] : packet->be_source[1];
    key.be_node_port = answers ? packet->be_destination_port : packet->be_source_port;
    key.protocol = packet->protocol;
    there = bpf_map_lookup_elem(&probe_flows, &key);
    if (!there)
        return 0;
    *flow = *there;
    /* An LRU map gives an entry's memory to another key without waiting for its readers. */
    return bpf_map_lookup_elem(&probe_flows, &key) == there;
}

/* `whose`: backend slot, and its generation from bit 16 on. `from`: NULL, or whose source says so.
 * The arguments are plain numbers, as the stack of those who call has no room for a whole note. */
__noinline int write_note(__u32 whose, __u32 event, __u32 detail, __u32 be_port,
                          const struct headers *from)
{
    __u32 backend = whose & 0xffff;
    struct bsc_probe_note *note = bpf_map_lookup_elem(&probe_notes, &backend);

    if (tracing || !note)
        return 0;
    note->event = event;
    note->detail = detail;
    note->be_from[0] = from ? from->be_source[0] : 0;
    note->be_from[1] = from ? from->be_source[1] : 0;
    note->be_port = be_port;
    note->generation = whose >> 16;
    note->family = from ? from->family : 0;
    note->nanoseconds = bpf_ktime_get_ns();
    return 0;
}

static __always_inline __u32 whose_probe(const struct bsc_probe_flow *flow)
{
    return flow->backend | (__u32)flow->generation << 16;
}

static __always_inline void note_probe(const struct bsc_probe_flow *flow, __u32 event, __u32 detail)
{
    write_note(whose_probe(flow), event, detail, 0, NULL);
}

/* ---- one address in another's place ---------------------------------------------------------- */

/* For checksum_changed(). Of IPv4-mapped ones the part in front adds nothing. */
static __always_inline __u64 address_change(const __u64 *be_from, const __u64 *be_to)
{
    const __u64 before[2] = {~be_from[0], ~be_from[1]};

    return (__u32)before[0] + (before[0] >> 32) + (__u32)before[1] + (before[1] >> 32) +
           (__u32)be_to[0] + (be_to[0] >> 32) + (__u32)be_to[1] + (be_to[1] >> 32);
}

/* Where TCP and UDP have their checksum, from the beginning of their header. */
static __always_inline __u32 checksum_offset(__u8 protocol)
{
    return protocol == IPPROTO_UDP ? offsetof(struct udphdr, check)
                                   : offsetof(struct tcphdr, check);
}

static __always_inline __u16 l4_checksum_changed(__u16 checksum, __u64 change, __u8 protocol)
{
    if (protocol != IPPROTO_UDP)
        return checksum_changed(checksum, change);
    if (!checksum)
        return 0;
    checksum = checksum_changed(checksum, change);
    return checksum ? checksum : 0xffff;
}

#define AS_SOURCE 0
#define AS_DESTINATION 1

/* The IP header at offset `l3`, of the address's family: its source or destination. */
static __always_inline int write_address(struct xdp_md *ctx, __u32 l3, const __u64 *be_from,
                                         const __u64 *be_to, __u32 family, const int which)
{
    if (family == 4) {
        struct iphdr *ip = frame_at(ctx, l3, sizeof(*ip));

        if (!ip)
            return 0;
        if (which == AS_SOURCE)
            ip->saddr = be_to[1] >> 32;
        else
            ip->daddr = be_to[1] >> 32;
        ip->check = checksum_changed(ip->check, address_change(be_from, be_to));
        return 1;
    }

    struct ipv6hdr *ip = frame_at(ctx, l3, sizeof(*ip));

    if (!ip)
        return 0;
    if (which == AS_SOURCE)
        __builtin_memcpy(&ip->saddr, be_to, 16);
    else
        __builtin_memcpy(&ip->daddr, be_to, 16);
    return 1;
}

/* The checksum of TCP or UDP at offset `l4`. */
static __always_inline int mend_checksum(struct xdp_md *ctx, __u32 l4, __u8 protocol, __u64 change)
{
    __u16 *checksum = frame_at(ctx, l4 + checksum_offset(protocol), sizeof(*checksum));

    if (!checksum)
        return 0;
    *checksum = l4_checksum_changed(*checksum, change, protocol);
    return 1;
}

#endif
