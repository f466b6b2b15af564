/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is found by a VIP of a cluster. ARP requests and neighbour solicitations for it are answered
 * by Linux, as long as its guard's deadline has not passed: a node whose daemon stands still or is
 * dead stops being found, though it has the address and goes on balancing what still arrives.
 * Whoever else on the link says that he has a VIP is noted (RFC 826, RFC 5227, RFC 4861); what this
 * node itself has said and hears again is not.
 */
#ifndef BASCULE_BPF_GUARD_H
#define BASCULE_BPF_GUARD_H

#include "maps.h"
#include "parse.h"
#include "service.h"

/* <linux/if_arp.h> wants the C library. */
#define ARP_ETHERNET 1
#define ARP_REQUEST 1

/* Of IPv4 over Ethernet. */
struct arp_ipv4 {
    __be16 hardware;
    __be16 protocol;
    __u8 hardware_bytes;
    __u8 protocol_bytes;
    __be16 operation;
    __u8 sender_mac[6];
    __u8 sender[4];
    __u8 target_mac[6];
    __u8 target[4];
};

#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_SOLICITED 0x40000000 /* a flag of it: it answers */

/* The head of both; options follow. */
struct neighbour {
    __u8 type;
    __u8 code;
    __be16 checksum;
    __be32 flags;
    __u64 be_target[2];
};

static __always_inline void note_rival(const struct bsc_guard_key *key, const __u8 *mac,
                                       __u32 ifindex)
{
    struct bsc_rival *rival = bpf_map_lookup_elem(&rivals, key);

    if (!rival || tracing)
        return;
    __builtin_memcpy(rival->mac, mac, sizeof(rival->mac));
    rival->ifindex = ifindex;
    rival->nanoseconds = bpf_ktime_get_ns();
    __sync_fetch_and_add(&rival->count, 1);
}

/* Six bytes that may lie anywhere. */
static __always_inline int is_mac(const __u8 *mac, const __u8 *other)
{
    __u32 different = 0;

    for (int i = 0; i < 6; i++)
        different |= mac[i] ^ other[i];
    return !different;
}

/* By the other part of a bond, or by an interface that is on the same link. */
static __always_inline int is_own(const struct bsc_guard_key *key, const __u8 *mac)
{
    struct bsc_guard *guard = bpf_map_lookup_elem(&guards, key);

    return guard && is_mac(guard->own_mac, mac);
}

/* Another host says of itself, unasked, that it has the VIP. Who has left while nobody could take
 * it goes on being found so that a restart is not felt; whoever takes it now is the one to be
 * found. */
static __always_inline void yield_to(const struct bsc_guard_key *key)
{
    struct bsc_guard *guard = bpf_map_lookup_elem(&guards, key);

    if (guard && !tracing && bsc_load(&guard->until) & BSC_GUARD_YIELDS)
        bsc_store(&guard->until, 0);
}

static __always_inline int answered_by_linux(const struct bsc_guard_key *key)
{
    struct bsc_guard *guard = bpf_map_lookup_elem(&guards, key);

    if (guard && bpf_ktime_get_ns() >= bsc_load(&guard->until))
        return drop(BSC_DROP_NOT_FOUND);
    return XDP_PASS;
}

/* ---- verified by themselves -------------------------------------------------------------------
 */

/* `l3`: offset. */
__noinline int guard_arp(struct xdp_md *ctx, __u32 l3)
{
    struct arp_ipv4 *arp = (void *)(long)ctx->data + (l3 & 31);
    struct bsc_guard_key key = {};
    __be32 be_address;

    if ((void *)(arp + 1) > (void *)(long)ctx->data_end)
        return XDP_PASS;
    if (arp->hardware != bpf_htons(ARP_ETHERNET) || arp->protocol != bpf_htons(ETH_P_IP) ||
        arp->hardware_bytes != 6 || arp->protocol_bytes != 4)
        return XDP_PASS;
    __builtin_memcpy(&be_address, arp->sender, sizeof(be_address));
    key.be_address[1] = mapped(be_address);
    if (!is_own(&key, arp->sender_mac)) {
        note_rival(&key, arp->sender_mac, ctx->ingress_ifindex);
        if (!__builtin_memcmp(arp->sender, arp->target, sizeof(arp->sender)))
            yield_to(&key);
    }
    if (arp->operation != bpf_htons(ARP_REQUEST))
        return XDP_PASS;
    __builtin_memcpy(&be_address, arp->target, sizeof(be_address));
    key.be_address[1] = mapped(be_address);
    return answered_by_linux(&key);
}

/* `l3`, `l4`: offsets of the IPv6 and the ICMPv6 header of a packet that is whole. */
__noinline int guard_neighbour(struct xdp_md *ctx, __u32 l3, __u32 l4)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct neighbour *message = data + (l4 & MOST_OFFSET);
    struct ethhdr *ethernet = data;
    struct ipv6hdr *ip = data + (l3 & 31);
    struct bsc_guard_key key;

    if ((void *)(message + 1) > end || (void *)(ethernet + 1) > end || (void *)(ip + 1) > end)
        return XDP_PASS;
    if (ip->hop_limit != 255) /* RFC 4861, 7.1: it came through a router */
        return XDP_PASS;
    if (message->type != ND_SOLICITATION && message->type != ND_ADVERTISEMENT)
        return XDP_PASS;
    __builtin_memcpy(&key, message->be_target, sizeof(key));
    if (message->type == ND_SOLICITATION)
        return answered_by_linux(&key);
    if (is_own(&key, ethernet->h_source))
        return XDP_PASS;
    note_rival(&key, ethernet->h_source, ctx->ingress_ifindex);
    if (!(message->flags & bpf_htonl(ND_SOLICITED)))
        yield_to(&key);
    return XDP_PASS;
}

#endif
