/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packet -> service: which VIP and which service a packet is for, and what becomes of it when it
 * is for a VIP but for no service. A port of its own is found by one look; services of ranges are
 * looked for afterwards, by the prefixes that the VIP's state names, longest first.
 */
#ifndef BASCULE_BPF_SERVICE_H
#define BASCULE_BPF_SERVICE_H

#include "lookup.h"
#include "maps.h"
#include "parse.h"

#define NO_SERVICE 0xffffffffU

/* The second word of an IPv4 address v4-mapped (::ffff:a.b.c.d); the first one is 0. */
static __always_inline __u64 mapped(__be32 be_address)
{
    return (__u64)be_address << 32 | 0xffff0000ULL;
}

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

/* The VIP's id; 0: the address is not a VIP. IPv4 addresses stand in word 0, low half. */
static __always_inline __u32 find_vip(const __u64 *be_address, const int family)
{
    __u64 be_address0 = be_address[0];
    __u64 be_address1 = be_address[1];

    if (family == 4) {
        be_address1 = mapped(be_address0);
        be_address0 = 0;
    }

    __u32 bucket = bsc_vip_bucket_of(be_address0, be_address1);
    __u32 id = vip_in_bucket(bucket, be_address0, be_address1);

    return id ? id : vip_in_bucket((bucket + 1) % BSC_VIP_BUCKETS, be_address0, be_address1);
}

static __always_inline __u64 vip_state(__u32 vip)
{
    __u64 *state = bpf_map_lookup_elem(&vip_states, &vip);

    return state ? bsc_load(state) : 0;
}

static __always_inline __u32 service_of_key(__u64 key)
{
    __u32 bucket = bsc_service_bucket_of(key);
    struct bsc_service_bucket *there = bpf_map_lookup_elem(&service_words, &bucket);

    if (!there)
        return NO_SERVICE;
#pragma unroll
    for (int i = 0; i < BSC_SERVICE_WORDS_PER_BUCKET; i++) {
        __u64 word = bsc_load(&there->word[i]);

        if ((word & BSC_SERVICE_WORD_KEY_MASK) == key)
            return word >> BSC_SERVICE_WORD_SLOT_SHIFT;
        if (!word)
            break;
    }
    return NO_SERVICE;
}

/* ---- verified by themselves: services of ranges ---------------------------------------------- */

__noinline __u32 service_of_prefix(__u64 key)
{
    return service_of_key(key);
}

#define RANGE_UDP 1U
#define RANGE_IPV6 2U

/* `low`: as for find_service. `port`: host order. `kind`: RANGE_*. The longest prefix that leads
 * to a service; NO_SERVICE. */
__noinline __u32 find_range(__u32 low, __u32 vip, __u32 port, __u32 kind)
{
    __u64 state = vip_state(vip);
    __u32 lengths =
        state >> (kind & RANGE_UDP ? BSC_VIP_UDP_LENGTHS_SHIFT : BSC_VIP_TCP_LENGTHS_SHIFT) &
        BSC_VIP_LENGTHS_MASK;

#pragma unroll
    for (int length = 15; length >= 0; length--) {
        if (!(lengths >> length & 1))
            continue;

        __u32 slot = service_of_prefix(bsc_service_key(low, bsc_port_code(port & 0xffff, length),
                                                       kind & RANGE_UDP, kind & RANGE_IPV6));

        if (slot != NO_SERVICE) {
            note_step(BSC_STEP_SERVICE_RANGE);
            return slot;
        }
    }
    return NO_SERVICE;
}

/* ---- in the walk itself ---------------------------------------------------------------------- */

/* Where a packet is going, in terms of the tables. */
struct service_address {
    __u32 low; /* what names the VIP in a service word: its address for IPv4, its id for IPv6 */
    __u32 vip; /* id; 0: not looked for yet (IPv4), or not a VIP */
    __u16 be_port;
    __u8 udp;
};

/* The service of a port of its own; NO_SERVICE. For IPv4 the VIP need not be known. */
static __always_inline __u32 find_exact(const struct service_address *to, const int family)
{
    __u32 code = bsc_port_code(bpf_ntohs(to->be_port), 16);

    return service_of_key(bsc_service_key(to->low, code, to->udp, family == 6));
}

static __always_inline __u32 find_ranged(const struct service_address *to, const int family)
{
    return find_range(to->low, to->vip, bpf_ntohs(to->be_port),
                      (to->udp ? RANGE_UDP : 0) | (family == 6 ? RANGE_IPV6 : 0));
}

static __always_inline void note_vip(__u32 vip)
{
    struct bsc_notes *kept = notes_kept();

    if (!kept)
        return;
    kept->vip = vip;
    kept->steps |= BSC_STEP_VIP;
}

static __always_inline void note_service(__u32 slot)
{
    struct bsc_notes *kept = notes_kept();

    if (!kept)
        return;
    kept->service = slot;
    if (!(kept->steps & BSC_STEP_SERVICE_RANGE))
        kept->steps |= BSC_STEP_SERVICE;
}

/* For a VIP, but for no service: Linux answers where the VIP is held. Elsewhere Linux would only
 * send it on, to the holder or in circles. */
static __always_inline int not_served(__u32 vip, enum bsc_event event)
{
    if (!(vip_state(vip) & BSC_VIP_HELD))
        return drop(BSC_DROP_NOT_HELD);
    count_event(event);
    return XDP_PASS;
}

/* Source addresses that no client has (RFC 1122, 3.2.1.3; RFC 4291, 2.5; RFC 6890). */
static __always_inline int is_martian(const __u64 *be_source, const __u64 *be_destination,
                                      const int family)
{
    if (family == 4) {
        __u32 first = be_source[0] & 0xff;

        return first == 0 || first == 127 || first >= 224 || be_source[0] == be_destination[0];
    }
    if ((be_source[0] & 0xff) == 0xff) /* multicast */
        return 1;
    if (be_source[0] == 0 && (be_source[1] == 0 || be_source[1] == 1ULL << 56 || /* ::, ::1 */
                              (__u32)be_source[1] == 0xffff0000U))               /* ::ffff:0:0/96 */
        return 1;
    return be_source[0] == be_destination[0] && be_source[1] == be_destination[1];
}

#endif
