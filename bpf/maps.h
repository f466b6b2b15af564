/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps and constants of the engine. What each holds stands in contract.h; who writes it:
 *   the daemon, through its mappings   vips service_words services backends ports rings
 *   XDP and the daemon                 sessions4 sessions6 (by session_table.h)
 *   XDP, a copy or a log each CPU      delta_logs service_traffic backend_traffic drops events
 */
#ifndef BASCULE_BPF_MAPS_H
#define BASCULE_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "contract.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BSC_VIP_BUCKETS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bsc_vip_bucket);
} vips SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BSC_SERVICE_BUCKETS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bsc_service_bucket);
} service_words SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BSC_MAX_SERVICES);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bsc_service);
} services SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BSC_MAX_BACKENDS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bsc_backend);
} backends SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BSC_MAX_PORTS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bsc_port);
} ports SEC(".maps");

/* Rings differ in size, hence BPF_F_INNER_MAP: an inner map need not have the prototype's. */
struct ring {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_INNER_MAP);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, sizeof(struct bsc_ring_line));
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, BSC_MAX_SERVICES);
    __type(key, __u32);
    __array(values, struct ring);
} rings SEC(".maps");

/* The loader sets how many. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BSC_SETS_PER_PAGE_V4);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bsc_set4);
} sessions4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BSC_SETS_PER_PAGE_V6);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bsc_set6);
} sessions6 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); /* the loader sets it to the possible CPUs */
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bsc_delta_log);
} delta_logs SEC(".maps");

/* Not read here: it keeps what an adopting daemon has to know of the tables. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct bsc_settings);
} settings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, BSC_MAX_SERVICES);
    __type(key, __u32);
    __type(value, struct bsc_traffic);
} service_traffic SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, BSC_MAX_BACKENDS);
    __type(key, __u32);
    __type(value, struct bsc_traffic);
} backend_traffic SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, BSC_DROP_REASON_COUNT);
    __type(key, __u32);
    __type(value, __u64);
} drops SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, BSC_EVENT_COUNT);
    __type(key, __u32);
    __type(value, __u64);
} events SEC(".maps");

/* Set before the program is loaded, and constants to the verifier from then on. */
const volatile __u64 ring_key[2];
const volatile __u64 table_key[2];
const volatile __u32 pages4;
const volatile __u32 pages6;
const volatile __u32 port_index;       /* of the interface this copy of the program is for */
const volatile __u32 clock_multiplier; /* seconds = jiffies * clock_multiplier >> 24 */

static __always_inline __u32 seconds_now(void)
{
    return bpf_jiffies64() * clock_multiplier >> 24;
}

static __always_inline void count_drop(__u32 reason)
{
    __u64 *count = bpf_map_lookup_elem(&drops, &reason);

    if (count)
        (*count)++;
}

static __always_inline void count_event(__u32 event)
{
    __u64 *count = bpf_map_lookup_elem(&events, &event);

    if (count)
        (*count)++;
}

static __always_inline int drop(__u32 reason)
{
    count_drop(reason);
    return XDP_DROP;
}

#endif
