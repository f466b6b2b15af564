/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rewrites the packet for its backend, counts it, and sends it out where it came in. */
#ifndef BASCULE_BPF_DELIVER_H
#define BASCULE_BPF_DELIVER_H

#include "maps.h"
#include "parse.h"
#include "session.h"

static __always_inline void count_traffic(void *map, __u32 slot, __u32 frame_bytes)
{
    struct bsc_traffic *traffic = bpf_map_lookup_elem(map, &slot);

    if (traffic) {
        traffic->packets++;
        traffic->bytes += frame_bytes;
    }
}

/* The six bytes of a station's address as one word, as `hop` and `port` have them. */
static __always_inline __u64 mac_word(const __u8 *mac)
{
    __u64 word = 0;

    __builtin_memcpy(&word, mac, ETH_ALEN);
    return word;
}

/* Is the frame addressed to this interface? One that a switch flooded, or that is another
 * node's, is not ours to send on a second time. */
static __always_inline int is_for_us(const struct packet *packet, const struct bsc_port *port)
{
    return mac_word(packet->ethernet->h_dest) == port->mac;
}

/* forward = "l2": the destination MAC address is rewritten, and nothing else but the source MAC
 * address, which becomes ours. */
static __always_inline int deliver(const struct packet *packet, __u32 slot,
                                   const struct bsc_port *port,
                                   const struct destination *destination)
{
    struct bsc_backend *backend = bpf_map_lookup_elem(&backends, &destination->backend);

    if (!backend || !(destination->hop & BSC_HOP_RESOLVED))
        return drop(BSC_DROP_NO_NEIGHBOUR);
    if (backend->ifindex != port->ifindex)
        return drop(BSC_DROP_OTHER_INTERFACE);
    __builtin_memcpy(packet->ethernet->h_source, packet->ethernet->h_dest, ETH_ALEN);
    __builtin_memcpy(packet->ethernet->h_dest, &destination->hop, ETH_ALEN);
    count_traffic(&service_traffic, slot, packet->frame_bytes);
    count_traffic(&backend_traffic, destination->backend, packet->frame_bytes);
    return XDP_TX;
}

#endif
