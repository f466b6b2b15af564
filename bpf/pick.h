/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hash -> ring -> backend: which backend a flow without a session goes to. */
#ifndef BASCULE_BPF_PICK_H
#define BASCULE_BPF_PICK_H

#include <linux/in.h>

#include "flow.h"
#include "maps.h"
#include "siphash.h"

/* Keyed, and of what all nodes see alike: addresses, ports and protocol, or the source alone. */
static __always_inline __u64 ring_hash(const struct flow *flow, const struct bsc_service *service,
                                       const int family)
{
    struct bsc_siphash hash;

    bsc_siphash_begin(&hash, ring_key[0], ring_key[1]);
    bsc_siphash_word(&hash, family == 4 ? (__u32)flow->key[0] : flow->key[0]);
    if (family == 6)
        bsc_siphash_word(&hash, flow->key[1]);
    if (!(service->flags & BSC_SERVICE_AFFINITY_SOURCE)) {
        const __u64 *be_address = (const __u64 *)service->be_address;
        __u32 be_ports = family == 4 ? flow->key[0] >> 32 : flow->key[2];
        __u64 protocol = service->flags & BSC_SERVICE_UDP ? IPPROTO_UDP : IPPROTO_TCP;

        bsc_siphash_word(&hash, family == 4 ? be_address[1] >> 32 : be_address[0]);
        if (family == 6)
            bsc_siphash_word(&hash, be_address[1]);
        bsc_siphash_word(&hash, be_ports | protocol << 32);
    }
    return bsc_siphash_end(&hash);
}

static __always_inline void note_pick(__u64 hash, __u32 at, __u32 size)
{
    struct bsc_notes *kept = notes_kept();

    if (!kept)
        return;
    kept->steps |= BSC_STEP_PICKED;
    kept->flow_hash = hash;
    kept->ring_slot = at;
    kept->ring_size = size;
}

/* The backend slot; 0: no backend of the service takes new flows. */
static __always_inline __u32 pick(const struct flow *flow, const struct bsc_service *service,
                                  const int family)
{
    __u32 slot = flow->slot, line_index = 0;
    void *ring = bpf_map_lookup_elem(&rings, &slot);

    if (!ring)
        return 0;

    struct bsc_ring_line *line = bpf_map_lookup_elem(ring, &line_index);

    if (!line)
        return 0;

    __u64 hash = ring_hash(flow, service, family);
    __u32 size = line->header.size;
    __u32 at = (hash >> 32) * size >> 32;

    note_pick(hash, at, size);
    line_index = 1 + at / BSC_RING_LINE_SLOTS;
    line = bpf_map_lookup_elem(ring, &line_index);
    return line ? line->slot[at % BSC_RING_LINE_SLOTS] : 0;
}

#endif
