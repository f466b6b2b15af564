/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Later fragments have no ports: they go where the first fragment of their packet went, which is
 * remembered for a while. One that comes before its first is dropped. Functions that the verifier
 * checks by themselves.
 */
#ifndef BASCULE_BPF_FRAGMENT_H
#define BASCULE_BPF_FRAGMENT_H

#include "extensions.h"
#include "flow.h"
#include "maps.h"
#include "parcel.h"

/* RFC 791: addresses, protocol and identification. False when the frame is too short. */
static __always_inline int fragment_key4(struct xdp_md *ctx, const struct parcel *parcel,
                                         struct bsc_fragment_key *key)
{
    struct iphdr *ip = (void *)(long)ctx->data + (parcel->l3 & MOST_OFFSET);

    if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
        return 0;
    key->be_source[0] = ip->saddr;
    key->be_destination[0] = ip->daddr;
    key->be_id = ip->id;
    return 1;
}

/* RFC 8200, 4.5: addresses and identification; the protocol does no harm. */
static __always_inline int fragment_key6(struct xdp_md *ctx, const struct parcel *parcel,
                                         __u32 fragment, struct bsc_fragment_key *key)
{
    struct ipv6hdr *ip = (void *)(long)ctx->data + (parcel->l3 & MOST_OFFSET);
    struct ipv6_extension *header = (void *)(long)ctx->data + (fragment & MOST_OFFSET);

    if ((void *)(ip + 1) > (void *)(long)ctx->data_end ||
        (void *)(header + 1) > (void *)(long)ctx->data_end)
        return 0;
    __builtin_memcpy(key->be_source, &ip->saddr, 16);
    __builtin_memcpy(key->be_destination, &ip->daddr, 16);
    key->be_id = header->be_id;
    return 1;
}

/* `key` is all zero. `fragment`: offset of the IPv6 fragment header. */
static __always_inline int fragment_key(struct xdp_md *ctx, const struct parcel *parcel,
                                        __u32 fragment, struct bsc_fragment_key *key)
{
    key->family = parcel->family;
    key->protocol = parcel->protocol;
    return parcel->family == 4 ? fragment_key4(ctx, parcel, key)
                               : fragment_key6(ctx, parcel, fragment, key);
}

/* The first fragment, once its backend is decided. */
__noinline int remember_fragment(struct xdp_md *ctx, const struct parcel *parcel, __u32 fragment)
{
    struct bsc_fragment_key key = {};
    struct bsc_fragment entry = {};

    if (!parcel || !fragment_key(ctx, parcel, fragment, &key))
        return 0;
    note_step(BSC_STEP_FRAGMENT_FIRST);
    if (tracing)
        return 0;
    entry.service = parcel->service;
    entry.backend = parcel->backend;
    entry.generation = generation_of(parcel->hop);
    entry.seconds = seconds_now();
    entry.hash = parcel->flow_hash;
    bpf_map_update_elem(&fragments, &key, &entry, BPF_ANY);
    return 0;
}

/* A later fragment for a VIP. 0: `parcel` says where it goes; else the verdict. */
__noinline int follow_fragment(struct xdp_md *ctx, struct parcel *parcel, __u32 fragment)
{
    struct bsc_fragment_key key = {};

    if (!parcel || !fragment_key(ctx, parcel, fragment, &key))
        return drop(BSC_DROP_FRAGMENT);

    struct bsc_fragment *there = bpf_map_lookup_elem(&fragments, &key);
    struct bsc_fragment entry;

    if (!there)
        return drop(BSC_DROP_FRAGMENT);
    entry = *there;
    /* An LRU map gives an entry's memory to another key without waiting for its readers. */
    if (bpf_map_lookup_elem(&fragments, &key) != there ||
        seconds_now() - entry.seconds > BSC_FRAGMENT_SECONDS)
        return drop(BSC_DROP_FRAGMENT);
    parcel->hop = hop_of_generation(entry.backend, entry.generation);
    if (!parcel->hop)
        return drop(BSC_DROP_FRAGMENT);
    parcel->content = PARCEL_LATER_FRAGMENT;
    parcel->service = entry.service;
    parcel->backend = entry.backend;
    parcel->flow_hash = entry.hash;
    note_service(entry.service);
    note_step(BSC_STEP_FRAGMENT_LATER);
    return 0;
}

#endif
