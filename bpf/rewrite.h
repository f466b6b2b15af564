/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What changes inside the packet: the destination port, and the maximum segment size of a SYN.
 * Checksums follow by the difference alone (RFC 1624, equation 3): one that was wrong stays wrong,
 * so that the receiver still notices.
 */
#ifndef BASCULE_BPF_REWRITE_H
#define BASCULE_BPF_REWRITE_H

#include "checksum.h"
#include "ethernet.h"
#include "icmp_header.h"

static __always_inline int rewrite_tcp(struct xdp_md *ctx, __u32 l4, __be16 port)
{
    struct tcphdr *tcp = frame_at(ctx, l4, sizeof(*tcp));

    if (!tcp)
        return drop(BSC_DROP_L4_TRUNCATED);
    tcp->check = checksum_after(tcp->check, tcp->dest, port);
    tcp->dest = port;
    return GO_ON;
}

static __always_inline int rewrite_udp(struct xdp_md *ctx, __u32 l4, __be16 port)
{
    struct udphdr *udp = frame_at(ctx, l4, sizeof(*udp));

    if (!udp)
        return drop(BSC_DROP_L4_TRUNCATED);
    udp->check = udp_checksum_after(udp->check, udp->dest, port);
    udp->dest = port;
    return GO_ON;
}

/* The checksum of a quoted header. `at`: its offset. It is under that of `icmp`, which follows. */
static __always_inline void rewrite_quoted_checksum(struct xdp_md *ctx, const struct parcel *parcel,
                                                    __u32 at, __be16 from, __be16 to,
                                                    struct icmp_header *icmp)
{
    __u16 *checksum = frame_at(ctx, at, sizeof(*checksum));
    __u16 before, after;

    if (!checksum || at + sizeof(*checksum) > (__u32)parcel->l3 + parcel->l3_bytes)
        return; /* the quotation ends before it */
    before = *checksum;
    after = parcel->protocol == IPPROTO_UDP ? udp_checksum_after(before, from, to)
                                            : checksum_after(before, from, to);
    *checksum = after;
    icmp->checksum = checksum_after(icmp->checksum, before, after);
}

/*
 * An ICMP error quotes what the client was sent: there the service's port is the source, and the
 * backend knows the flow by its own. ICMP and ICMPv6 have their checksum in the same place.
 */
__noinline int rewrite_quoted_port(struct xdp_md *ctx, const struct parcel *parcel, __u32 be_port)
{
    if (!parcel)
        return XDP_ABORTED;

    __u32 checksum_offset = parcel->protocol == IPPROTO_UDP ? offsetof(struct udphdr, check)
                                                            : offsetof(struct tcphdr, check);
    struct icmp_header *icmp = frame_at(ctx, parcel->l4, sizeof(*icmp));
    __be16 *port = frame_at(ctx, parcel->quoted_l4, sizeof(*port));

    if (!icmp || !port)
        return drop(BSC_DROP_ICMP_INNER);

    __be16 before = *port;

    *port = be_port;
    icmp->checksum = checksum_after(icmp->checksum, before, be_port);
    rewrite_quoted_checksum(ctx, parcel, parcel->quoted_l4 + checksum_offset, before, be_port,
                            icmp);
    return GO_ON;
}

static __always_inline int rewrite_port(struct xdp_md *ctx, const struct parcel *parcel,
                                        __be16 port)
{
    note_step(BSC_STEP_PORT_REWRITTEN);
    if (parcel->content == PARCEL_ICMP_ERROR)
        return rewrite_quoted_port(ctx, parcel, port);
    return parcel->protocol == IPPROTO_UDP ? rewrite_udp(ctx, parcel->l4, port)
                                           : rewrite_tcp(ctx, parcel->l4, port);
}

#define MAX_TCP_OPTIONS 10 /* walked at most; clients send 5 or 6, the size first */
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_MSS 2
#define TCP_OPTION_MSS_BYTES 4

/* The value of an MSS option, `l4` + `at` its offset. */
static __always_inline void lower_mss(struct xdp_md *ctx, __u32 l4, __u32 at, __u32 most)
{
    struct tcphdr *tcp = frame_at(ctx, l4, sizeof(*tcp));
    __be16 *value = frame_at(ctx, l4 + at + 2, sizeof(*value));

    if (!tcp || !value || bpf_ntohs(*value) <= most)
        return;

    __be16 before = *value, after = bpf_htons(most);

    *value = after;
    if (at & 1) { /* the value stands across two words of the sum */
        before = __builtin_bswap16(before);
        after = __builtin_bswap16(after);
    }
    tcp->check = checksum_after(tcp->check, before, after);
    count_event(BSC_EVENT_MSS_CLAMPED);
    note_step(BSC_STEP_MSS_CLAMPED);
}

/* RFC 9293, 3.7.1. `most`: bytes. A SYN without the option, or with options that make no sense,
 * goes on as it is. */
__noinline int clamp_mss(struct xdp_md *ctx, __u32 l4, __u32 most)
{
    struct tcphdr *tcp = frame_at(ctx, l4, sizeof(*tcp));
    __u32 end, at = sizeof(*tcp);

    if (!tcp)
        return 0;
    end = tcp->doff * 4;

#pragma unroll
    for (int i = 0; i < MAX_TCP_OPTIONS; i++) {
        __u8 *option = frame_at(ctx, l4 + at, 2);

        if (!option || at + 2 > end || option[0] == TCP_OPTION_END)
            return 0;
        if (option[0] == TCP_OPTION_NOP) {
            at++;
            continue;
        }
        if (option[1] < 2 || at + option[1] > end)
            return 0;
        if (option[0] == TCP_OPTION_MSS) {
            if (option[1] == TCP_OPTION_MSS_BYTES)
                lower_mss(ctx, l4, at, most);
            return 0;
        }
        at += option[1];
    }
    return 0;
}

#endif
