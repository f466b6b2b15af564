/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The four single-word operations that the session table is built on, for BPF and for user space.
 *
 * BPF at 6.1 has no acquire or release; on amd64 plain aligned loads and stores have that order
 * already. `volatile` keeps the compiler from reordering these words among themselves; whoever puts
 * plain stores before one of them needs a compiler barrier between.
 */
#ifndef BASCULE_BPF_ATOMICS_H
#define BASCULE_BPF_ATOMICS_H

#include <linux/types.h>

#ifdef __bpf__
#define BSC_INLINE static inline __attribute__((always_inline))
#else
#define BSC_INLINE static inline __attribute__((unused))
#endif

BSC_INLINE __u64 bsc_load(const __u64 *word)
{
#ifdef __bpf__
    return *(const volatile __u64 *)word;
#else
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
#endif
}

BSC_INLINE void bsc_store(__u64 *word, __u64 value)
{
#ifdef __bpf__
    *(volatile __u64 *)word = value;
#else
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
#endif
}

/* Full barrier; true when `word` held `expected` and holds `value` now. */
BSC_INLINE int bsc_cas(__u64 *word, __u64 expected, __u64 value)
{
    return __sync_val_compare_and_swap(word, expected, value) == expected;
}

/* A store with a full barrier: what is loaded afterwards is not older than the store. */
BSC_INLINE void bsc_store_fenced(__u64 *word, __u64 value)
{
#ifdef __bpf__
    __sync_lock_test_and_set(word, value);
#else
    __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
#endif
}

#endif
