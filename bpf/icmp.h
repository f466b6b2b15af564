/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP errors about what a backend has sent. They quote its packet, whose source is the VIP: turned
 * round, that is the flow, and the error goes where the flow's packets go (RFC 792; RFC 4443;
 * RFC 1191 and RFC 8201 for what depends on it). Nothing is written: a stranger can make them up.
 * Functions that the verifier checks by themselves.
 */
#ifndef BASCULE_BPF_ICMP_H
#define BASCULE_BPF_ICMP_H

#include "extensions.h"
#include "icmp_header.h"
#include "ethernet.h"
#include "make_parcel.h"
#include "maps.h"
#include "parcel.h"
#include "service.h"
#include "session.h"

#define QUOTED_L4_BYTES 8 /* what every error quotes at least */
#define ND_FIRST 133      /* RFC 4861 */
#define ND_LAST 137

/* An error, and what it quotes, as the service sent it. */
struct quoted {
    __u64 be_router[2]; /* who says so. IPv4: word 0, low half, as in all of these */
    __u64 be_source[2];
    __u64 be_destination[2];
    __u32 l4; /* offset */
    __u16 be_source_port;
    __u16 be_destination_port;
    __u32 protocol;
    __u32 zero;
};

enum quotation {
    QUOTES_ANSWER,    /* TCP or UDP from the VIP; all fields are set */
    QUOTES_OTHER,     /* from the VIP, of another protocol */
    QUOTES_BROKEN,    /* cut short, or not from the VIP */
    QUOTES_NOTHING,   /* no error: a query, or a fragment of whatever */
    QUOTES_NEIGHBOUR, /* no error: neighbour discovery, which concerns whoever has the address */
};

static __always_inline int is_error4(__u8 type)
{
    return type == ICMP4_UNREACHABLE || type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER;
}

static __always_inline int is_error6(__u8 type)
{
    return type == ICMP6_UNREACHABLE || type == ICMP6_TOO_BIG || type == ICMP6_TIME_EXCEEDED ||
           type == ICMP6_PARAMETER;
}

static __always_inline __u32 end_of(const struct parcel *parcel)
{
    return parcel->l3 + parcel->l3_bytes;
}

/* The header at offset `at`; NULL when the frame or the IP packet ends before it does. */
static __always_inline void *header_at(struct xdp_md *ctx, const struct parcel *parcel, __u32 at,
                                       __u32 bytes)
{
    return at + bytes > end_of(parcel) ? NULL : frame_at(ctx, at, bytes);
}

static __always_inline enum quotation read_quoted_ports(struct xdp_md *ctx,
                                                        const struct parcel *parcel,
                                                        struct quoted *quoted)
{
    __be16 *be_ports = header_at(ctx, parcel, quoted->l4, QUOTED_L4_BYTES);

    if (!be_ports)
        return QUOTES_BROKEN;
    quoted->be_source_port = be_ports[0];
    quoted->be_destination_port = be_ports[1];
    return QUOTES_ANSWER;
}

/* `at`: offset of the quoted packet. */
static __always_inline enum quotation read_quoted_in4(struct xdp_md *ctx,
                                                      const struct parcel *parcel, __u32 at,
                                                      __be32 be_vip, struct quoted *quoted)
{
    struct iphdr *ip = header_at(ctx, parcel, at, sizeof(*ip));

    if (!ip || ip->version != 4 || ip->ihl < 5 || ip->saddr != be_vip)
        return QUOTES_BROKEN;
    if (!has_ports(ip->protocol))
        return QUOTES_OTHER;
    if (ip->frag_off & bpf_htons(IPV4_OFFSET))
        return QUOTES_BROKEN;
    quoted->be_source[0] = ip->saddr;
    quoted->be_destination[0] = ip->daddr;
    quoted->protocol = ip->protocol;
    quoted->l4 = at + ip->ihl * 4;
    return read_quoted_ports(ctx, parcel, quoted);
}

/* `quoted->be_source` is what it should be. */
static __always_inline enum quotation read_quoted_in6(struct xdp_md *ctx,
                                                      const struct parcel *parcel, __u32 at,
                                                      struct quoted *quoted)
{
    struct ipv6hdr *ip = header_at(ctx, parcel, at, sizeof(*ip));

    if (!ip || ip->version != 6)
        return QUOTES_BROKEN;

    const __u64 *be_source = (const __u64 *)&ip->saddr;

    if (be_source[0] != quoted->be_source[0] || be_source[1] != quoted->be_source[1])
        return QUOTES_BROKEN;
    __builtin_memcpy(quoted->be_destination, &ip->daddr, 16);

    __u64 skipped = skip_extensions(ctx, at + sizeof(*ip), end_of(parcel), ip->nexthdr);
    enum extensions how = skipped_end(skipped);

    if (how == EXTENSIONS_BROKEN || how == EXTENSIONS_LATER_FRAGMENT)
        return QUOTES_BROKEN;
    quoted->protocol = skipped_protocol(skipped);
    quoted->l4 = skipped_to(skipped);
    if (how == EXTENSIONS_OTHER || !has_ports(quoted->protocol))
        return QUOTES_OTHER;
    return read_quoted_ports(ctx, parcel, quoted);
}

/* ---- verified by themselves ------------------------------------------------------------------ */

/* Of an ICMP packet for a VIP, its header at parcel->l4: enum quotation. `quoted` is all zero. */
__noinline int read_quoted4(struct xdp_md *ctx, const struct parcel *parcel, struct quoted *quoted)
{
    if (!parcel || !quoted)
        return QUOTES_NOTHING;

    struct iphdr *ip = header_at(ctx, parcel, parcel->l3, sizeof(*ip));
    __u8 *type = header_at(ctx, parcel, parcel->l4, sizeof(*type));

    if (!ip || !type || !is_error4(*type) || ip->frag_off & bpf_htons(IPV4_OFFSET_MORE))
        return QUOTES_NOTHING;
    quoted->be_router[0] = ip->saddr;
    return read_quoted_in4(ctx, parcel, parcel->l4 + sizeof(struct icmp_header), ip->daddr, quoted);
}

__noinline int read_quoted6(struct xdp_md *ctx, const struct parcel *parcel, struct quoted *quoted)
{
    if (!parcel || !quoted)
        return QUOTES_NOTHING;

    struct ipv6hdr *ip = header_at(ctx, parcel, parcel->l3, sizeof(*ip));
    __u8 *type = header_at(ctx, parcel, parcel->l4, sizeof(*type));

    if (!ip || !type)
        return QUOTES_NOTHING;
    if (*type >= ND_FIRST && *type <= ND_LAST)
        return QUOTES_NEIGHBOUR;
    if (!is_error6(*type))
        return QUOTES_NOTHING;
    __builtin_memcpy(quoted->be_router, &ip->saddr, 16);
    __builtin_memcpy(quoted->be_source, &ip->daddr, 16);
    return read_quoted_in6(ctx, parcel, parcel->l4 + sizeof(struct icmp_header), quoted);
}

/* The service that sent what is quoted. */
static __always_inline __u32 service_of_quoted(const struct quoted *quoted, __u32 vip,
                                               const int family)
{
    struct service_address from = {
        .low = family == 4 ? quoted->be_source[0] : vip,
        .vip = vip,
        .be_port = quoted->be_source_port,
        .udp = quoted->protocol == IPPROTO_UDP,
    };
    __u32 slot = find_exact(&from, family);

    return slot == NO_SERVICE ? find_ranged(&from, family) : slot;
}

/* An answer is quoted. 0: `parcel` says where the error goes; else the verdict. */
static __always_inline int follow_quoted(struct parcel *parcel, const struct quoted *quoted,
                                         __u32 vip, const int family)
{
    __u32 slot = service_of_quoted(quoted, vip, family);
    __u32 be_ports = quoted->be_destination_port | (__u32)quoted->be_source_port << 16;
    struct destination to = {};
    struct flow flow = {};

    if (slot == NO_SERVICE)
        return not_served(vip, BSC_EVENT_VIP_NO_SERVICE);
    note_service(slot);
    if (is_martian(quoted->be_router, quoted->be_source, family))
        return drop(BSC_DROP_MARTIAN_SOURCE);
    locate(&flow, slot, quoted->be_destination, be_ports, family);
    if (family == 4)
        look_up4(&flow, &to);
    else
        look_up6(&flow, &to);
    if (!to.hop)
        return drop(BSC_DROP_NO_BACKEND);
    address_parcel(parcel, slot, &to);
    parcel->content = PARCEL_ICMP_ERROR;
    parcel->protocol = quoted->protocol;
    parcel->quoted_l4 = quoted->l4;
    note_step(BSC_STEP_ICMP_ERROR);
    return 0;
}

__noinline int follow_quoted4(struct parcel *parcel, const struct quoted *quoted, __u32 vip)
{
    return parcel && quoted ? follow_quoted(parcel, quoted, vip, 4) : XDP_DROP;
}

__noinline int follow_quoted6(struct parcel *parcel, const struct quoted *quoted, __u32 vip)
{
    return parcel && quoted ? follow_quoted(parcel, quoted, vip, 6) : XDP_DROP;
}

/* ---- in the walk itself ---------------------------------------------------------------------- */

/* 0: `parcel` says where the packet goes; else the verdict. */
static __always_inline int follow_icmp(struct xdp_md *ctx, struct parcel *parcel, __u32 vip,
                                       const int family)
{
    struct quoted quoted = {};

    switch (family == 4 ? read_quoted4(ctx, parcel, &quoted) : read_quoted6(ctx, parcel, &quoted)) {
    case QUOTES_ANSWER:
        return family == 4 ? follow_quoted4(parcel, &quoted, vip)
                           : follow_quoted6(parcel, &quoted, vip);
    case QUOTES_OTHER:
        return not_served(vip, BSC_EVENT_VIP_NO_SERVICE);
    case QUOTES_BROKEN:
        return drop(BSC_DROP_ICMP_INNER);
    case QUOTES_NEIGHBOUR:
        count_event(BSC_EVENT_VIP_OTHER_PROTOCOL);
        return XDP_PASS;
    default:
        return not_served(vip, BSC_EVENT_VIP_OTHER_PROTOCOL);
    }
}

#endif
