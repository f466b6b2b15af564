/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What hammer.bpf.c and its driver share. Offsets are in an untagged frame without options. */
#ifndef BASCULE_TESTS_BPF_HAMMER_H
#define BASCULE_TESTS_BPF_HAMMER_H

#include <linux/types.h>

#define HAMMER_FLOWS 16
#define HAMMER_FRAME 80

/* The last two bytes of a backend's address: which kind of station, which one. */
#define HAMMER_BACKEND_MARK 4
#define HAMMER_BACKEND_BYTE 0x0b
#define HAMMER_BACKEND 5

#define HAMMER_IPV4_SOURCE 26
#define HAMMER_IPV4_PORT 34
#define HAMMER_IPV4_FLAGS 47
#define HAMMER_IPV6_SOURCE 34 /* the last 32 bits */
#define HAMMER_IPV6_PORT 54
#define HAMMER_IPV6_FLAGS 67
#define HAMMER_FLAGS_BEHIND_SEQUENCE 6 /* from the last byte of the sequence number */
#define HAMMER_MARK 76                 /* in the payload of either */

struct hammer_flow {
    __u32 be_source;
    __u16 be_port;
    __u8 backend; /* the one that the ring gives this flow */
    __u8 reserved;
};

struct hammer_plan {
    __u64 frame[HAMMER_FRAME / 8];
    __u32 ipv6;
    __u32 reserved;
    struct hammer_flow flow[HAMMER_FLOWS];
};

struct hammer_tally {
    __u64 sent;
    __u64 not_sent;
    __u64 mismatches;
    __u32 wrong_flow; /* of the last mismatch */
    __u32 wrong_backend;
};

#endif
