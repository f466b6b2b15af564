/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hash -> ring -> backend: which backend a flow without a session goes to. */
#ifndef BASCULE_BPF_PICK_H
#define BASCULE_BPF_PICK_H

#include "maps.h"
#include "parse.h"
#include "siphash.h"

/* Keyed, and of what all nodes see alike: addresses, ports and protocol, or the source alone. */
static __always_inline __u64 flow_hash(const struct packet *packet,
                                       const struct bsc_service *service, const int family)
{
    struct bsc_siphash hash;

    bsc_siphash_begin(&hash, ring_key[0], ring_key[1]);
    bsc_siphash_word(&hash, packet->be_source[0]);
    if (family == 6)
        bsc_siphash_word(&hash, packet->be_source[1]);
    if (!(service->flags & BSC_SERVICE_AFFINITY_SOURCE)) {
        bsc_siphash_word(&hash, packet->be_destination[0]);
        if (family == 6)
            bsc_siphash_word(&hash, packet->be_destination[1]);
        bsc_siphash_word(&hash, packet->be_source_port | (__u32)packet->be_destination_port << 16 |
                                    (__u64)packet->protocol << 32);
    }
    return bsc_siphash_end(&hash);
}

/* The backend slot; 0: no backend of the service takes new flows. */
static __always_inline __u32 pick(const struct packet *packet, const struct bsc_service *service,
                                  __u32 slot, const int family)
{
    void *ring = bpf_map_lookup_elem(&rings, &slot);
    __u32 line_index = 0;

    if (!ring)
        return 0;

    struct bsc_ring_line *line = bpf_map_lookup_elem(ring, &line_index);

    if (!line)
        return 0;

    __u32 at = (flow_hash(packet, service, family) >> 32) * line->header.size >> 32;

    line_index = 1 + at / BSC_RING_LINE_SLOTS;
    line = bpf_map_lookup_elem(ring, &line_index);
    return line ? line->slot[at % BSC_RING_LINE_SLOTS] : 0;
}

#endif
