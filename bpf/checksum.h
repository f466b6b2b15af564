/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The Internet checksum (RFC 1071), and how it follows a change (RFC 1624). Byte order: as on the
 * wire, throughout. Pure. */
#ifndef BASCULE_BPF_CHECKSUM_H
#define BASCULE_BPF_CHECKSUM_H

#include <linux/types.h>

#include <bpf/bpf_helpers.h>

/* What goes into the header. `sum`: of 16-bit words, or of 32-bit ones, fewer than 2^16. */
static __always_inline __u16 folded(__u64 sum)
{
    sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    return ~sum;
}

/* RFC 1624, equation 3: of data in which the 16-bit word `from` became `to`. */
static __always_inline __u16 checksum_after(__u16 checksum, __u16 from, __u16 to)
{
    __u32 sum = (__u16)~checksum + (__u32)(__u16)~from + to;

    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

/* The same, for what makes up several words: `change` is the sum of the complements of the words
 * before and of the words after, 16 or 32 bits each. */
static __always_inline __u16 checksum_changed(__u16 checksum, __u64 change)
{
    return folded((__u16)~checksum + change);
}

/* RFC 768: 0 says that there is none, so one that comes out as 0 is sent as 0xffff. */
static __always_inline __u16 udp_checksum_after(__u16 checksum, __u16 from, __u16 to)
{
    if (!checksum)
        return 0;
    checksum = checksum_after(checksum, from, to);
    return checksum ? checksum : 0xffff;
}

#endif
