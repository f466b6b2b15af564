/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What delivery has to know of a packet once its backend is decided. Plain numbers, no pointers:
 * functions that the verifier checks by themselves are given it, and find the frame again by the
 * offsets.
 */
#ifndef BASCULE_BPF_PARCEL_H
#define BASCULE_BPF_PARCEL_H

#include <linux/types.h>

enum parcel_content {
    PARCEL_L4,             /* TCP or UDP with its header, a first fragment included */
    PARCEL_LATER_FRAGMENT, /* no L4 header */
    PARCEL_ICMP_ERROR, /* quotes an answer of the service: VIP and service port are its source */
};

/* Offsets are bytes from the start of the frame. */
struct parcel {
    __u64 hop;     /* of the backend, as read when it was decided */
    __u32 backend; /* slot; 0: none */
    __u32 service; /* slot */
    __u32 flow_hash;
    __u32 frame_bytes;
    __u16 l3;        /* offset */
    __u16 l4;        /* offset; of the ICMP header for an ICMP error */
    __u16 l3_bytes;  /* of the IP packet, as its header says */
    __u16 quoted_l4; /* offset of the quoted TCP or UDP header; 0 but for an ICMP error */
    __u16 vlan;      /* id; 0: untagged */
    __u8 tags;       /* VLAN tags in the frame */
    __u8 family;     /* 4, 6 */
    __u8 protocol;   /* TCP or UDP; of what is quoted for an ICMP error */
    __u8 content;    /* enum parcel_content */
    __u8 syn;        /* TCP SYN */
    __u8 zero;
};

#endif
