/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SipHash-1-3 over whole 64-bit words: the keyed hash that chooses a backend, so that nobody who
 * does not know the key can aim at one. Aumasson and Bernstein, "SipHash: a fast short-input PRF",
 * 2012; one compression round and three final ones, as in Linux's hash tables and Rust's.
 */
#ifndef BASCULE_BPF_SIPHASH_H
#define BASCULE_BPF_SIPHASH_H

#include "atomics.h"

#ifdef __cplusplus
#pragma GCC system_header /* C casts and conversions */
#endif

struct bsc_siphash {
    __u64 v0, v1, v2, v3;
    __u64 bytes;
};

BSC_INLINE __u64 bsc_rotate(__u64 value, int bits)
{
    return value << bits | value >> (64 - bits);
}

BSC_INLINE void bsc_siphash_round(struct bsc_siphash *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = bsc_rotate(s->v1, 13) ^ s->v0;
    s->v3 = bsc_rotate(s->v3, 16) ^ s->v2;
    s->v0 = bsc_rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = bsc_rotate(s->v1, 17) ^ s->v2;
    s->v3 = bsc_rotate(s->v3, 21) ^ s->v0;
    s->v2 = bsc_rotate(s->v2, 32);
}

BSC_INLINE void bsc_siphash_begin(struct bsc_siphash *s, __u64 key0, __u64 key1)
{
    s->v0 = key0 ^ 0x736f6d6570736575ULL;
    s->v1 = key1 ^ 0x646f72616e646f6dULL;
    s->v2 = key0 ^ 0x6c7967656e657261ULL;
    s->v3 = key1 ^ 0x7465646279746573ULL;
    s->bytes = 0;
}

BSC_INLINE void bsc_siphash_word(struct bsc_siphash *s, __u64 word)
{
    s->v3 ^= word;
    bsc_siphash_round(s);
    s->v0 ^= word;
    s->bytes += 8;
}

BSC_INLINE __u64 bsc_siphash_end(struct bsc_siphash *s)
{
    __u64 last = s->bytes << 56;

    s->v3 ^= last;
    bsc_siphash_round(s);
    s->v0 ^= last;
    s->v2 ^= 0xff;
    bsc_siphash_round(s);
    bsc_siphash_round(s);
    bsc_siphash_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#endif
