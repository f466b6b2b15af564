/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A packet's flow in terms of the session table, and where the packet goes. Plain numbers, so that
 * functions which the verifier checks by themselves can be given them.
 */
#ifndef BASCULE_BPF_FLOW_H
#define BASCULE_BPF_FLOW_H

#include "maps.h"
#include "session_table.h"

struct flow {
    __u64 key[BSC_KEY_WORDS_V6];
    struct bsc_place place;
    __u32 now;
    __u32 slot; /* of the service */
    __u32 hash; /* for outer headers; not the one that the ring is asked with */
    struct bsc_sign sign;
};

/* Where the packet goes, or why nowhere. */
struct destination {
    __u64 hop;
    __u32 backend; /* slot */
    __u32 drop;    /* enum bsc_drop_reason, when hop is 0 */
    __u32 flow_hash;
    __u32 zero;
};

static __always_inline int words_of(const int family)
{
    return family == 4 ? BSC_KEY_WORDS_V4 : BSC_KEY_WORDS_V6;
}

static __always_inline __u64 *set_at(__u32 index, const int family)
{
    return family == 4 ? bpf_map_lookup_elem(&sessions4, &index)
                       : bpf_map_lookup_elem(&sessions6, &index);
}

/* `be_ports`: source, then destination. `flow` is all zero; its sign is set by the caller. */
static __always_inline void locate(struct flow *flow, __u32 slot, const __u64 *be_source,
                                   __u32 be_ports, const int family)
{
    flow->now = seconds_now();
    flow->slot = slot;
    flow->key[0] = be_source[0];
    if (family == 4) {
        flow->key[0] |= (__u64)be_ports << 32;
    } else {
        flow->key[1] = be_source[1];
        flow->key[2] = be_ports;
    }

    __u64 hash = bsc_place_hash(flow->key, words_of(family), slot, table_key[0], table_key[1]);

    flow->hash = hash;
    flow->place = family == 4 ? bsc_place_of(hash, pages4, BSC_SETS_PER_PAGE_V4)
                              : bsc_place_of(hash, pages6, BSC_SETS_PER_PAGE_V6);
}

static __always_inline struct bsc_found find_at(const struct flow *flow, __u32 index,
                                                const int family)
{
    struct bsc_found none = {};
    __u64 *set = set_at(index, family);

    return set ? bsc_find_in(set, flow->key, words_of(family), flow->slot) : none;
}

static __always_inline struct bsc_found find_session(const struct flow *flow, const int family)
{
    struct bsc_found found = find_at(flow, flow->place.first, family);

    return found.way ? found : find_at(flow, flow->place.second, family);
}

static __always_inline __u32 idle_limit(const struct bsc_service *service, __u32 state)
{
    if (!(service->flags & BSC_SERVICE_IN_USE))
        return 0;
    if (state == BSC_ESTABLISHED)
        return service->limit_established;
    return state == BSC_CLOSING ? service->limit_closing : service->limit_embryonic;
}

/* The hop word of a backend that may be given packets, else 0. */
static __always_inline __u64 hop_of(__u32 backend)
{
    struct bsc_backend *entry = bpf_map_lookup_elem(&backends, &backend);

    if (!entry)
        return 0;

    __u64 hop = bsc_load(&entry->hop);

    return hop & BSC_HOP_UP ? hop : 0;
}

static __always_inline __u32 generation_of(__u64 hop)
{
    return (hop >> BSC_HOP_GENERATION_SHIFT) & 0xff;
}

/* The same, if the slot still holds the backend that was meant. */
static __always_inline __u64 hop_of_generation(__u32 backend, __u32 generation)
{
    __u64 hop = hop_of(backend);

    return generation_of(hop) == generation ? hop : 0;
}

#endif
