/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP errors about probes. One about the probe itself is given to the socket that waits: what it
 * quotes becomes what the stack has sent, and it goes up by the pair. One about the tunnel's packet
 * around it stays Linux's, and is noted: no socket would ever hear of it. A stranger can make both
 * up; Linux looks at the quoted sequence number, and a note is a hint and no verdict.
 *
 * Steps that the verifier checks by themselves, each called by the walk: with one inside the other
 * the stack would not do.
 */
#ifndef BASCULE_BPF_PROBE_ICMP_H
#define BASCULE_BPF_PROBE_ICMP_H

#include "deliver.h"
#include "icmp.h"
#include "probe.h"
#include "probe_answer.h"

/* What find_quoted() answers, in one word; 0: nothing of ours. */
#define FOUND_WHOSE_SHIFT 16 /* below: offset of the probe's IP header */
#define FOUND_IN_TUNNEL (1ULL << 48)

/* An error, and all of it there? `l4`: offset of the ICMP header. */
static __always_inline int is_whole_error(struct xdp_md *ctx, __u32 l3, __u32 l4, __u32 family)
{
    struct icmp_header *icmp = frame_at(ctx, l4, sizeof(*icmp));
    struct iphdr *ip = frame_at(ctx, l3, sizeof(*ip));

    if (!icmp || !ip)
        return 0;
    if (family == 6)
        return is_error6(icmp->type);
    return is_error4(icmp->type) && !(ip->frag_off & bpf_htons(IPV4_OFFSET_MORE));
}

/* Was what is quoted at offset `at` sent from the address that the error is for? */
static __always_inline int is_for_sender(struct xdp_md *ctx, __u32 l3, __u32 at, __u32 family)
{
    if (family == 4) {
        struct iphdr *ip = frame_at(ctx, l3, sizeof(*ip));
        struct iphdr *quoted = frame_at(ctx, at, sizeof(*quoted));

        return ip && quoted && ip->daddr == quoted->saddr;
    }

    struct ipv6hdr *ip = frame_at(ctx, l3, sizeof(*ip));
    struct ipv6hdr *quoted = frame_at(ctx, at, sizeof(*quoted));

    if (!ip || !quoted)
        return 0;

    const __u64 *be_destination = (const void *)&ip->daddr;
    const __u64 *be_source = (const void *)&quoted->saddr;

    return be_destination[0] == be_source[0] && be_destination[1] == be_source[1];
}

/* The probe that the headers at offset `at` are of; false: of none, or they are cut. */
static __always_inline int is_probe(struct xdp_md *ctx, __u32 at, __u32 end, struct headers *read,
                                    struct bsc_probe_flow *flow)
{
    return read_ip(ctx, at, read) && has_ports(read->protocol) &&
           read->l4 + QUOTED_L4_BYTES <= end && read_ports(ctx, read) && find_probe(read, 0, flow);
}

/* The service's port, or the one that is written for the backend. */
static __always_inline int is_probed_port(const struct headers *read,
                                          const struct bsc_probe_flow *flow)
{
    __u32 slot = flow->backend;
    struct bsc_backend *backend = bpf_map_lookup_elem(&backends, &slot);

    return read->be_destination_port == flow->be_vip_port ||
           (backend && read->be_destination_port == rewritten_port(bsc_load(&backend->route)));
}

/* Where the packet inside begins, if the headers are those of a tunnel's packet. */
static __always_inline __u32 inside(const struct headers *read)
{
    if (read->protocol == IPPROTO_IPIP || read->protocol == IPPROTO_IPV6)
        return read->l4;
    return read->protocol == IPPROTO_UDP ? read->l4 + sizeof(struct udphdr) : 0;
}

/* Do these outer headers lead to the backend? */
static __always_inline int leads_to(const struct headers *read, __u32 slot)
{
    struct bsc_backend *backend = bpf_map_lookup_elem(&backends, &slot);

    if (!backend)
        return 0;

    const __u64 *be_address = (const void *)backend->be_address;
    __u32 forward = forward_of(bsc_load(&backend->route));

    return forward == (read->protocol == IPPROTO_UDP ? BSC_FORWARD_GUE : BSC_FORWARD_IPIP) &&
           read->be_destination[0] == be_address[0] && read->be_destination[1] == be_address[1];
}

/* ---- verified by themselves ------------------------------------------------------------------ */

/* Of the ICMP packet whose headers are at `l3` and `l4`, and which ends at `end`. */
__noinline __u64 find_quoted(struct xdp_md *ctx, __u32 l3, __u32 l4, __u32 end, __u32 family)
{
    struct bsc_probe_flow flow = {};
    struct headers read = {};
    __u32 at = l4 + sizeof(struct icmp_header), inner;

    if (!is_whole_error(ctx, l3, l4, family))
        return 0;
    if (is_probe(ctx, at, end, &read, &flow) && read.family == family &&
        is_probed_port(&read, &flow) && is_for_sender(ctx, l3, at, family))
        return at | (__u64)whose_probe(&flow) << FOUND_WHOSE_SHIFT;
    if (!read_ip(ctx, at, &read))
        return 0;
    inner = inside(&read);
    if (!inner || !is_probe(ctx, inner, end, &read, &flow))
        return 0;
    if (!read_ip(ctx, at, &read) || !leads_to(&read, flow.backend))
        return 0;
    return inner | (__u64)whose_probe(&flow) << FOUND_WHOSE_SHIFT | FOUND_IN_TUNNEL;
}

__noinline int note_error(struct xdp_md *ctx, __u32 l3, __u32 l4, __u32 whose, __u32 event)
{
    struct icmp_header *icmp = frame_at(ctx, l4, sizeof(*icmp));
    struct headers read = {};

    if (!icmp)
        return 0;

    __u32 detail = icmp->type << 8 | icmp->code;

    if (read_ip(ctx, l3, &read))
        write_note(whose, event, detail, 0, &read);
    return 0;
}

/* What is quoted at `read` becomes what the stack has sent. The change of the quotation, for the
 * checksum that it is under; IPv4's header makes none, since its own checksum goes with it. */
static __always_inline __u64 restore_ports(struct xdp_md *ctx, const struct headers *read,
                                           const struct bsc_probe_flow *flow, __u32 end,
                                           __u64 change)
{
    __u32 checksum_at = read->l4 + checksum_offset(read->protocol);
    __be16 *be_ports = frame_at(ctx, read->l4, 2 * sizeof(*be_ports));
    __u16 *checksum = frame_at(ctx, checksum_at, sizeof(*checksum));
    __u64 of_port = (__u16)~read->be_destination_port + (__u64)flow->be_vip_port;
    __u64 sum = (read->family == 6 ? change : 0) + of_port;

    if (be_ports)
        be_ports[1] = flow->be_vip_port;
    if (!checksum || checksum_at + sizeof(*checksum) > end)
        return sum; /* the quotation ends before it */

    __u16 before = *checksum;
    __u16 after = l4_checksum_changed(before, change + of_port, read->protocol);

    *checksum = after;
    return sum + (__u16)~before + after;
}

/* The error that quotes a probe, whose headers are at `at`, on to the socket. */
__noinline int send_error_up(struct xdp_md *ctx, __u32 l3, __u32 l4, __u32 end, __u32 at)
{
    struct bsc_probe_flow flow = {};
    struct headers read = {};
    struct icmp_header *icmp;
    __u64 change;

    if (!probe_port() || !is_probe(ctx, at, end, &read, &flow))
        return XDP_PASS;
    change = address_change(read.be_destination, flow.be_made_up);
    if (!write_address(ctx, at, read.be_destination, flow.be_made_up, read.family, AS_DESTINATION))
        return drop(BSC_DROP_ICMP_INNER);
    change = restore_ports(ctx, &read, &flow, end, change);
    if (!read_ip(ctx, l3, &read))
        return drop(BSC_DROP_ICMP_INNER);
    if (read.family == 6) /* the source is under the checksum, too */
        change += address_change(read.be_source, flow.be_made_up);
    if (!write_address(ctx, l3, read.be_source, flow.be_made_up, read.family, AS_SOURCE))
        return drop(BSC_DROP_ICMP_INNER);
    icmp = frame_at(ctx, l4, sizeof(*icmp));
    if (!icmp)
        return drop(BSC_DROP_ICMP_INNER);
    icmp->checksum = checksum_changed(icmp->checksum, change);
    return send_up(ctx, l3, read.family);
}

/* ---- in the walk itself ---------------------------------------------------------------------- */

/* ICMP for no VIP. */
static __always_inline int take_icmp(struct xdp_md *ctx, const struct packet *packet,
                                     const struct bsc_port *port, const int family)
{
    __u32 end = packet->l3 + l3_bytes_of(packet, family);
    __u64 found;

    if (!is_for_us(packet, port))
        return XDP_PASS;
    found = find_quoted(ctx, packet->l3, packet->l4, end, family);
    if (!found)
        return XDP_PASS;

    int in_tunnel = (found & FOUND_IN_TUNNEL) != 0;

    note_error(ctx, packet->l3, packet->l4, (__u32)(found >> FOUND_WHOSE_SHIFT),
               in_tunnel ? BSC_PROBE_ICMP_OUTER : BSC_PROBE_ICMP);
    return in_tunnel ? XDP_PASS : send_error_up(ctx, packet->l3, packet->l4, end, (__u16)found);
}

#endif
