/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps and constants of the engine. What each holds stands in contract.h; who writes it:
 *   the daemon, through its mappings   vips vip_states service_words services backends ports rings
 *                                      probe_gate
 *   the daemon, by system calls        egress capture_filter guards
 *   XDP and the daemon                 sessions4 sessions6 (by session_table.h)
 *   XDP                                fragments probe_flows probe_notes rivals (the daemon makes
 *                                      and removes entries)
 *   XDP, a copy or a log each CPU      delta_logs service_traffic backend_traffic drops events
 *                                      icmp_budget notes capture_scratch capture_records
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
    __uint(max_entries, BSC_VIP_STATES);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, __u64);
} vip_states SEC(".maps");

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
    __uint(max_entries, BSC_PORT_ENTRIES);
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

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
    __uint(max_entries, BSC_MAX_EGRESS);
    __type(key, __u32);
    __type(value, __u32);
} egress SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, BSC_FRAGMENTS);
    __type(key, struct bsc_fragment_key);
    __type(value, struct bsc_fragment);
} fragments SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, BSC_PROBE_FLOWS);
    __type(key, struct bsc_probe_flow_key);
    __type(value, struct bsc_probe_flow);
} probe_flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, BSC_MAX_VIPS);
    __type(key, struct bsc_guard_key);
    __type(value, struct bsc_guard);
} guards SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, BSC_MAX_VIPS);
    __type(key, struct bsc_guard_key);
    __type(value, struct bsc_rival);
} rivals SEC(".maps");

/* By backend slot. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BSC_MAX_BACKENDS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bsc_probe_note);
} probe_notes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bsc_probe_gate);
} probe_gate SEC(".maps");

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

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct bsc_icmp_budget);
} icmp_budget SEC(".maps");

/* 0 is the tracing copy's, 1 the capturing ones', 2 the probing one's: up to Linux 6.10 a packet
 * from the wire may come between two steps of a trace. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 3);
    __type(key, __u32);
    __type(value, struct bsc_notes);
} notes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct bsc_capture_filter);
} capture_filter SEC(".maps");

/* What is kept of a packet from its arrival to its end, and the record that is being made. */
struct capture_scratch {
    struct bsc_capture_record record;
    __u32 wanted;
    __u32 zero;
};
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct capture_scratch);
} capture_scratch SEC(".maps");

/* One perf buffer a CPU; the loader sets how many CPUs. */
struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, sizeof(__u32));
} capture_records SEC(".maps");

/* Set before the program is loaded, and constants to the verifier from then on. */
const volatile __u64 ring_key[2];
const volatile __u64 table_key[2];
const volatile __u32 pages4;
const volatile __u32 pages6;
const volatile __u32 port_index;       /* of the interface this copy of the program is for */
const volatile __u32 clock_multiplier; /* seconds = jiffies * clock_multiplier >> 24 */
/* What the copies of the program differ in besides. In those that carry traffic without a capture
 * all are 0, and the verifier takes out whatever depends on them. */
const volatile __u8 tracing;   /* writes nothing that a live packet could meet, only notes */
const volatile __u8 capturing; /* reports packets to capture_records */
const volatile __u8 probing; /* sends probes: counts nothing as clients' traffic, notes the drop */

static __always_inline __u32 seconds_now(void)
{
    return bpf_jiffies64() * clock_multiplier >> 24;
}

/* Where this copy of the program keeps notes of the packet; NULL: it keeps none. */
static __always_inline struct bsc_notes *notes_kept(void)
{
    __u32 mine = capturing | probing << 1;

    return tracing | mine ? bpf_map_lookup_elem(&notes, &mine) : NULL;
}

static __always_inline void note_step(enum bsc_step step)
{
    struct bsc_notes *kept = notes_kept();

    if (kept)
        kept->steps |= step;
}

static __always_inline void count_drop(__u32 reason)
{
    struct bsc_notes *kept = notes_kept();

    if (kept)
        kept->drop = reason;
    if (tracing || probing)
        return;

    __u64 *count = bpf_map_lookup_elem(&drops, &reason);

    if (count)
        (*count)++;
}

static __always_inline void count_event(__u32 event)
{
    struct bsc_notes *kept = notes_kept();

    if (kept)
        kept->events |= 1ULL << (event & 63);
    if (tracing || probing)
        return;

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
