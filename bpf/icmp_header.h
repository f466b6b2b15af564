/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The header that ICMP (RFC 792) and ICMPv6 (RFC 4443) have in common, and their errors. */
#ifndef BASCULE_BPF_ICMP_HEADER_H
#define BASCULE_BPF_ICMP_HEADER_H

#include <linux/types.h>

struct icmp_header {
    __u8 type;
    __u8 code;
    __u16 checksum;
    __be32 be_rest; /* by type; of an error that quotes: the MTU, or nothing */
};

#define ICMP4_UNREACHABLE 3
#define ICMP4_PORT_UNREACHABLE 3
#define ICMP4_TOO_BIG 4 /* code: "fragmentation needed" */
#define ICMP4_TIME_EXCEEDED 11
#define ICMP4_PARAMETER 12

#define ICMP6_UNREACHABLE 1
#define ICMP6_PORT_UNREACHABLE 4
#define ICMP6_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_PARAMETER 4

#endif
