/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packet -> service: which VIP and which service a packet is for. */
#ifndef BASCULE_BPF_SERVICE_H
#define BASCULE_BPF_SERVICE_H

#include "lookup.h"
#include "maps.h"
#include "parse.h"

#define NO_SERVICE 0xffffffffU

static __always_inline __u32 vip_in_bucket(__u32 bucket, __u64 be_address0, __u64 be_address1)
{
    struct bsc_vip_bucket *vips_there = bpf_map_lookup_elem(&vips, &bucket);

    if (!vips_there)
        return 0;
    for (int i = 0; i < BSC_VIPS_PER_BUCKET; i++) {
        struct bsc_vip *vip = &vips_there->vip[i];
        __u64 tag = bsc_load(&vip->tag);

        if (bsc_load(&vip->be_address[0]) == be_address0 &&
            bsc_load(&vip->be_address[1]) == be_address1 && tag == bsc_load(&vip->tag))
            return tag & 0xffff;
    }
    return 0;
}

/* The VIP's id; 0: the destination is not a VIP. */
static __always_inline __u32 find_vip(const struct packet *packet, const int family)
{
    __u64 be_address0 = packet->be_destination[0];
    __u64 be_address1 = packet->be_destination[1];

    if (family == 4) { /* v4-mapped: ::ffff:a.b.c.d */
        be_address1 = be_address0 << 32 | 0xffff0000ULL;
        be_address0 = 0;
    }

    __u32 bucket = bsc_vip_bucket_of(be_address0, be_address1);
    __u32 id = vip_in_bucket(bucket, be_address0, be_address1);

    return id ? id : vip_in_bucket((bucket + 1) % BSC_VIP_BUCKETS, be_address0, be_address1);
}

/* `low`: what names the VIP in a service word: its address for IPv4, its id for IPv6. */
static __always_inline __u32 find_service(const struct packet *packet, __u32 low, const int family)
{
    __u64 key = bsc_service_key(low, packet->be_destination_port, packet->sign.udp, family == 6);
    __u32 bucket = bsc_service_bucket_of(key);
    struct bsc_service_bucket *there = bpf_map_lookup_elem(&service_words, &bucket);

    if (!there)
        return NO_SERVICE;
    for (int i = 0; i < BSC_SERVICE_WORDS_PER_BUCKET; i++) {
        __u64 word = bsc_load(&there->word[i]);

        if ((word & BSC_SERVICE_WORD_KEY_MASK) == key)
            return word >> BSC_SERVICE_WORD_SLOT_SHIFT;
        if (!word)
            break;
    }
    return NO_SERVICE;
}

#endif
