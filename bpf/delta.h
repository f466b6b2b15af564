/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Announces what becomes of sessions, in this CPU's log: one producer, one consumer, no lock. */
#ifndef BASCULE_BPF_DELTA_H
#define BASCULE_BPF_DELTA_H

#include "maps.h"
#include "session_word.h"

/* `key`: of the session, as in the table. `b`: its word. */
static __always_inline void announce(__u32 kind, const __u64 *key, __u64 b, __u32 now,
                                     const int family)
{
    __u32 cpu = bpf_get_smp_processor_id();
    struct bsc_delta_log *log = bpf_map_lookup_elem(&delta_logs, &cpu);

    if (!log) {
        count_event(BSC_EVENT_DELTA_LOST);
        return;
    }

    __u64 head = log->head;

    if (head - bsc_load(&log->tail) >= BSC_DELTA_LOG_ENTRIES) {
        bsc_store(&log->lost, log->lost + 1);
        count_event(BSC_EVENT_DELTA_LOST);
        return;
    }

    struct bsc_delta *delta = &log->entry[head % BSC_DELTA_LOG_ENTRIES];
    __u64 *be_source = (__u64 *)delta->be_source;

    __u32 be_ports = family == 4 ? key[0] >> 32 : key[2];

    if (family == 4) { /* v4-mapped */
        be_source[0] = 0;
        be_source[1] = key[0] << 32 | 0xffff0000ULL;
    } else {
        be_source[0] = key[0];
        be_source[1] = key[1];
    }
    delta->be_source_port = be_ports;
    delta->be_destination_port = be_ports >> 16;
    delta->service = bsc_service_of(b);
    delta->backend = bsc_backend_of(b);
    delta->generation = bsc_generation_of(b);
    delta->kind = kind;
    delta->reserved = 0;
    delta->seconds = now;
    __asm__ __volatile__("" ::: "memory"); /* the entry's stores are plain ones */
    bsc_store(&log->head, head + 1);
}

#endif
