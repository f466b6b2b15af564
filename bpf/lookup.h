/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a VIP and a service stand in their tables, and the words they are found by. Pure; compiled
 * for BPF (which reads) and for user space (which writes). Not keyed: what stands in these tables
 * is the operator's choice, not a stranger's.
 */
#ifndef BASCULE_BPF_LOOKUP_H
#define BASCULE_BPF_LOOKUP_H

#include "atomics.h"
#include "contract.h"

#ifdef __cplusplus
#pragma GCC system_header /* C casts and conversions */
#endif

/* A VIP stands in its bucket or in the next one, wherever there is room. */
#define BSC_VIP_PROBES 2

BSC_INLINE __u32 bsc_vip_bucket_of(__u64 be_address0, __u64 be_address1)
{
    __u64 hash = (be_address0 ^ (be_address1 * 0x9e3779b97f4a7c15ULL)) * 0xd6e8feb86659fd93ULL;

    return hash >> 54; /* 10 bits: BSC_VIP_BUCKETS */
}
BSC_ASSERT(BSC_VIP_BUCKETS == 1 << 10, "bsc_vip_bucket_of");

/* The code of the prefix that is the first `length` bits of `port` (host order); contract.h. */
BSC_INLINE __u32 bsc_port_code(__u32 port, __u32 length)
{
    return ((port >> (16 - length)) << 1 | 1) << (16 - length);
}

/* `low`: the IPv4 VIP as on the wire, or the id of the IPv6 VIP. `code`: of a port prefix. */
BSC_INLINE __u64 bsc_service_key(__u32 low, __u32 code, int udp, int ipv6)
{
    return low | (__u64)(code & 0xffff) << 32 | (__u64)(code >> 16) << 51 |
           (udp ? BSC_SERVICE_WORD_UDP : 0) | (ipv6 ? BSC_SERVICE_WORD_IPV6 : 0) |
           BSC_SERVICE_WORD_USED;
}

BSC_INLINE __u32 bsc_service_bucket_of(__u64 key)
{
    return ((key & BSC_SERVICE_WORD_KEY_MASK) * 0x9e3779b97f4a7c15ULL) >> 52; /* 12 bits */
}
BSC_ASSERT(BSC_SERVICE_BUCKETS == 1 << 12, "bsc_service_bucket_of");

/* Bit of bsc_probe_gate that says whether probes come from this address. IPv4 stands v4-mapped. */
BSC_INLINE __u32 bsc_probe_gate_bit(__u64 be_address0, __u64 be_address1)
{
    __u64 hash = (be_address0 ^ (be_address1 * 0x9e3779b97f4a7c15ULL)) * 0xd6e8feb86659fd93ULL;

    return hash >> 52; /* 12 bits: BSC_PROBE_GATE_BITS */
}
BSC_ASSERT(BSC_PROBE_GATE_BITS == 1 << 12, "bsc_probe_gate_bit");

#endif
