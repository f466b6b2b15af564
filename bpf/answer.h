/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What we answer to a client ourselves, in the VIP's name and in the client's own frame turned
 * round: that a packet is too big for the way to its backend (path MTU discovery, RFC 1191 and
 * RFC 8201), or that no backend is there (a reset, or port unreachable). Never to an ICMP error,
 * to a reset or to a later fragment of IPv4; ICMP only as often as the budget allows.
 */
#ifndef BASCULE_BPF_ANSWER_H
#define BASCULE_BPF_ANSWER_H

#include "checksum.h"
#include "ethernet.h"
#include "icmp_header.h"

#define QUOTED_BYTES_V4                                                                            \
    96                      /* RFC 1812, 4.3.2.3 asks for more than the first 8 behind the header  \
                             */
#define QUOTED_BYTES_V6 256 /* of the 1232 that would fit (RFC 4443, 3.1) */
#define LEAST_MTU_V4 68     /* RFC 791 */
#define LEAST_MTU_V6 1280   /* RFC 8200, 5 */
#define ANSWER_TTL 64
#define ANSWER_DF 0x4000

#define ANSWER_BYTES_V4 (sizeof(struct iphdr) + sizeof(struct icmp_header))
#define ANSWER_BYTES_V6 (sizeof(struct ipv6hdr) + sizeof(struct icmp_header))

/* An ICMP error message but for what it quotes. */
struct telling {
    __u8 type;
    __u8 code;
    __be32 be_rest; /* the second half of its header */
};

/* One more answer by this CPU in this second? */
static __always_inline int may_tell(void)
{
    __u32 zero = 0, now = seconds_now();
    struct bsc_icmp_budget *budget = bpf_map_lookup_elem(&icmp_budget, &zero);

    if (tracing || !budget)
        return tracing;
    if (budget->second != now) {
        budget->second = now;
        budget->used = 0;
    }
    if (budget->used >= BSC_ICMP_ANSWERS_PER_SECOND)
        return 0;
    budget->used++;
    return 1;
}

#define SUMMED_WORDS ((QUOTED_BYTES_V6 + sizeof(struct icmp_header)) / 4)

/* Of the 16-bit words from `offset` to the end of the frame, which is cut to fit. */
__noinline __u64 sum_to_end(struct xdp_md *ctx, __u32 offset)
{
    void *at = frame_at(ctx, offset, 0), *end = (void *)(long)ctx->data_end;
    __u64 sum = 0;

    if (!at)
        return 0;
#pragma unroll
    for (unsigned int i = 0; i < SUMMED_WORDS; i++) {
        if (at + 4 > end)
            break;
        sum += *(__u32 *)at;
        at += 4;
    }
    if (at + 2 <= end) {
        sum += *(__u16 *)at;
        at += 2;
    }
    if (at + 1 <= end)
        sum += *(__u8 *)at;
    return sum;
}

/* Makes room for `bytes` between the Ethernet header and the packet, of which `quoted` are kept. */
static __always_inline int turn_into_quotation(struct xdp_md *ctx, const struct parcel *parcel,
                                               __u32 bytes, __u32 quoted)
{
    int verdict = cut_after(ctx, parcel->frame_bytes, parcel->l3 + quoted);
    __u64 *to, *from;

    if (verdict != GO_ON)
        return verdict;
    if (bpf_xdp_adjust_head(ctx, -(int)bytes))
        return drop(BSC_DROP_NO_HEADROOM);
    /* 24 bytes hold any header up to the packet; what is moved besides is written over. */
    to = frame_at(ctx, 0, 24);
    from = frame_at(ctx, bytes, 24);
    if (!to || !from)
        return drop(BSC_DROP_IP_LENGTH);
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
    swap_stations((struct ethhdr *)to);
    return GO_ON;
}

static __always_inline void write_ip4(struct iphdr *ip, __u32 bytes, __u8 protocol,
                                      __be32 be_source, __be32 be_destination)
{
    __u32 *word = (__u32 *)ip;

    word[0] = 0x45 | (__u32)bpf_htons(bytes) << 16;
    word[1] = (__u32)bpf_htons(ANSWER_DF) << 16;
    word[2] = ANSWER_TTL | (__u32)protocol << 8;
    word[3] = be_source;
    word[4] = be_destination;
    ip->check = folded((__u64)word[0] + word[1] + word[2] + word[3] + word[4]);
}

static __always_inline void write_ip6(struct ipv6hdr *ip, __u32 payload_bytes, __u8 protocol)
{
    *(__be32 *)ip = bpf_htonl(6U << 28);
    ip->payload_len = bpf_htons(payload_bytes);
    ip->nexthdr = protocol;
    ip->hop_limit = ANSWER_TTL;
}

/* RFC 8200, 8.1, of the pseudo-header. */
static __always_inline __u64 pseudo_sum6(const struct ipv6hdr *ip)
{
    __u64 sum = ip->payload_len + ((__u32)ip->nexthdr << 8);

    for (int i = 0; i < 4; i++)
        sum += (__u64)ip->saddr.s6_addr32[i] + ip->daddr.s6_addr32[i];
    return sum;
}

static __always_inline int tell4(struct xdp_md *ctx, const struct parcel *parcel,
                                 const struct telling *telling)
{
    __u32 l3 = parcel->l3;
    __u32 quoted = parcel->l3_bytes < QUOTED_BYTES_V4 ? parcel->l3_bytes : QUOTED_BYTES_V4;
    int verdict = turn_into_quotation(ctx, parcel, ANSWER_BYTES_V4, quoted);
    struct iphdr *ip = frame_at(ctx, l3, ANSWER_BYTES_V4 + sizeof(*ip));

    if (verdict != GO_ON)
        return verdict;
    if (!ip)
        return drop(BSC_DROP_IP_LENGTH);

    struct icmp_header *icmp = (void *)(ip + 1);
    struct iphdr *quotation = (void *)(icmp + 1);

    write_ip4(ip, ANSWER_BYTES_V4 + quoted, IPPROTO_ICMP, quotation->daddr, quotation->saddr);
    icmp->type = telling->type;
    icmp->code = telling->code;
    icmp->checksum = 0;
    icmp->be_rest = telling->be_rest;
    icmp->checksum = folded(sum_to_end(ctx, l3 + sizeof(*ip)));
    return XDP_TX;
}

static __always_inline int tell6(struct xdp_md *ctx, const struct parcel *parcel,
                                 const struct telling *telling)
{
    __u32 l3 = parcel->l3;
    __u32 quoted = parcel->l3_bytes < QUOTED_BYTES_V6 ? parcel->l3_bytes : QUOTED_BYTES_V6;
    int verdict = turn_into_quotation(ctx, parcel, ANSWER_BYTES_V6, quoted);
    struct ipv6hdr *ip = frame_at(ctx, l3, ANSWER_BYTES_V6 + sizeof(*ip));

    if (verdict != GO_ON)
        return verdict;
    if (!ip)
        return drop(BSC_DROP_IP_LENGTH);

    struct icmp_header *icmp = (void *)(ip + 1);
    struct ipv6hdr *quotation = (void *)(icmp + 1);

    write_ip6(ip, sizeof(*icmp) + quoted, IPPROTO_ICMPV6);
    ip->saddr = quotation->daddr;
    ip->daddr = quotation->saddr;
    icmp->type = telling->type;
    icmp->code = telling->code;
    icmp->be_rest = telling->be_rest;
    icmp->checksum = ~folded(pseudo_sum6(ip)); /* to be summed with the rest */
    icmp->checksum = folded(sum_to_end(ctx, l3 + sizeof(*ip)));
    return XDP_TX;
}

/* XDP_TX when the frame has become the answer, counted as dropped for `reason`. */
static __always_inline int tell(struct xdp_md *ctx, const struct parcel *parcel,
                                const struct telling *telling, __u32 reason)
{
    int verdict = parcel->family == 4 ? tell4(ctx, parcel, telling) : tell6(ctx, parcel, telling);

    if (verdict == XDP_TX) {
        note_step(BSC_STEP_ANSWERED);
        count_drop(reason);
    }
    return verdict;
}

/* IPv4 only: "don't fragment". */
static __always_inline int has_df(struct xdp_md *ctx, const struct parcel *parcel)
{
    struct iphdr *ip = frame_at(ctx, parcel->l3, sizeof(*ip));

    return ip && ip->frag_off & bpf_htons(ANSWER_DF);
}

/* BSC_NONE, or enum bsc_drop_reason. */
static __always_inline __u32 why_untold(struct xdp_md *ctx, const struct parcel *parcel)
{
    if (parcel->family == 4 && !has_df(ctx, parcel))
        return BSC_DROP_TOO_BIG_NO_DF;
    if (parcel->content == PARCEL_ICMP_ERROR ||
        (parcel->family == 4 && parcel->content == PARCEL_LATER_FRAGMENT) || !may_tell())
        return BSC_DROP_TOO_BIG_UNTOLD;
    return BSC_NONE;
}

/* `mtu`: largest packet of the client's that fits the way to its backend. */
__noinline int answer_too_big(struct xdp_md *ctx, const struct parcel *parcel, __u32 mtu)
{
    struct telling telling = {};
    __u32 untold;

    if (!parcel)
        return XDP_ABORTED;
    untold = why_untold(ctx, parcel);
    if (untold != BSC_NONE)
        return drop(untold);
    if (parcel->family == 4) {
        telling.type = ICMP4_UNREACHABLE;
        telling.code = ICMP4_TOO_BIG;
        telling.be_rest = bpf_htonl(mtu < LEAST_MTU_V4 ? LEAST_MTU_V4 : mtu);
    } else {
        telling.type = ICMP6_TOO_BIG;
        telling.be_rest = bpf_htonl(mtu < LEAST_MTU_V6 ? LEAST_MTU_V6 : mtu);
    }
    return tell(ctx, parcel, &telling, BSC_DROP_TOO_BIG);
}

/*
 * RFC 9293, 3.10.7.1: what a closed port answers. With ACK, the reset is where the client expects
 * the next byte; without, it acknowledges all that came. `answer`: the whole header, no checksum.
 */
static __always_inline int describe_reset(struct xdp_md *ctx, const struct parcel *parcel,
                                          struct tcphdr *answer)
{
    struct tcphdr *tcp = frame_at(ctx, parcel->l4, sizeof(*tcp));

    if (!tcp || tcp->rst)
        return drop(BSC_DROP_REFUSED);
    answer->source = tcp->dest;
    answer->dest = tcp->source;
    answer->doff = sizeof(*answer) / 4;
    answer->rst = 1;
    if (tcp->ack) {
        answer->seq = tcp->ack_seq;
    } else {
        __u32 payload = parcel->l3 + parcel->l3_bytes - parcel->l4 - tcp->doff * 4;

        answer->ack = 1;
        answer->ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + payload + tcp->syn + tcp->fin);
    }
    return GO_ON;
}

static __always_inline __u64 tcp_sum(const struct tcphdr *tcp)
{
    const __u32 *word = (const void *)tcp;

    return (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
}

static __always_inline int reset4(struct xdp_md *ctx, const struct parcel *parcel)
{
    struct tcphdr answer = {};
    int verdict = describe_reset(ctx, parcel, &answer);
    struct ethhdr *frame;
    struct iphdr *ip;

    if (verdict == GO_ON)
        verdict = cut_after(ctx, parcel->frame_bytes, parcel->l3 + sizeof(*ip) + sizeof(answer));
    if (verdict != GO_ON)
        return verdict;
    frame = frame_at(ctx, 0, sizeof(*frame));
    ip = frame_at(ctx, parcel->l3, sizeof(*ip) + sizeof(answer));
    if (!frame || !ip)
        return drop(BSC_DROP_IP_LENGTH);
    swap_stations(frame);
    write_ip4(ip, sizeof(*ip) + sizeof(answer), IPPROTO_TCP, ip->daddr, ip->saddr);
    answer.check = folded((__u64)ip->saddr + ip->daddr + bpf_htons(IPPROTO_TCP) +
                          bpf_htons(sizeof(answer)) + tcp_sum(&answer));
    *(struct tcphdr *)(ip + 1) = answer;
    return XDP_TX;
}

static __always_inline int reset6(struct xdp_md *ctx, const struct parcel *parcel)
{
    struct tcphdr answer = {};
    int verdict = describe_reset(ctx, parcel, &answer);
    struct ethhdr *frame;
    struct ipv6hdr *ip;

    if (verdict == GO_ON)
        verdict = cut_after(ctx, parcel->frame_bytes, parcel->l3 + sizeof(*ip) + sizeof(answer));
    if (verdict != GO_ON)
        return verdict;
    frame = frame_at(ctx, 0, sizeof(*frame));
    ip = frame_at(ctx, parcel->l3, sizeof(*ip) + sizeof(answer));
    if (!frame || !ip)
        return drop(BSC_DROP_IP_LENGTH);

    struct in6_addr client = ip->saddr;

    swap_stations(frame);
    write_ip6(ip, sizeof(answer), IPPROTO_TCP);
    ip->saddr = ip->daddr;
    ip->daddr = client;
    answer.check = folded(pseudo_sum6(ip) + tcp_sum(&answer));
    *(struct tcphdr *)(ip + 1) = answer;
    return XDP_TX;
}

static __always_inline int port_unreachable(struct xdp_md *ctx, const struct parcel *parcel)
{
    struct telling telling = {ICMP4_UNREACHABLE, ICMP4_PORT_UNREACHABLE, 0};

    if (parcel->family == 6) {
        telling.type = ICMP6_UNREACHABLE;
        telling.code = ICMP6_PORT_UNREACHABLE;
    }
    return may_tell() ? tell(ctx, parcel, &telling, BSC_DROP_REFUSED) : drop(BSC_DROP_REFUSED);
}

/* on_empty = "reset": the client is told that nobody serves. `parcel`: PARCEL_L4. The packet counts
 * as dropped, whether an answer leaves in its frame or not. */
__noinline int refuse(struct xdp_md *ctx, const struct parcel *parcel)
{
    int verdict;

    if (!parcel)
        return XDP_ABORTED;
    if (parcel->protocol == IPPROTO_UDP)
        return port_unreachable(ctx, parcel);
    verdict = parcel->family == 4 ? reset4(ctx, parcel) : reset6(ctx, parcel);
    if (verdict == XDP_TX) {
        note_step(BSC_STEP_ANSWERED);
        count_drop(BSC_DROP_REFUSED);
    }
    return verdict;
}

#endif
