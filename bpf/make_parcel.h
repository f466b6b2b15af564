/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packet and decision -> parcel: what delivery gets when it is more than a change of addresses. */
#ifndef BASCULE_BPF_MAKE_PARCEL_H
#define BASCULE_BPF_MAKE_PARCEL_H

#include "parcel.h"
#include "parse.h"
#include "flow.h"

/* What is known before a backend is. `parcel` is all zero. */
static __always_inline void make_parcel(const struct packet *packet, struct parcel *parcel,
                                        const int family)
{
    parcel->frame_bytes = packet->frame_bytes;
    parcel->l3 = packet->l3;
    parcel->l4 = packet->l4;
    parcel->l3_bytes = l3_bytes_of(packet, family);
    parcel->vlan = packet->vlan;
    parcel->tags = tags_of(packet);
    parcel->family = family;
    parcel->protocol = packet->protocol;
    parcel->syn = is_syn(packet);
}

static __always_inline void address_parcel(struct parcel *parcel, __u32 slot,
                                           const struct destination *to)
{
    parcel->service = slot;
    parcel->hop = to->hop;
    parcel->backend = to->backend;
    parcel->flow_hash = to->flow_hash;
}

#endif
