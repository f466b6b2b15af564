/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Watching the walk from outside: notes are begun before it, and what became of the packet is
 * reported after it. Copies of the program that neither trace nor capture have none of this.
 *
 * Whether a capture wants a packet is decided at its arrival, by headers that this reads itself:
 * at the end of the walk the frame may be rewritten, wrapped, or an answer. Only packets whose
 * destination is a VIP are captured; all else is Linux's, and its tools see it.
 */
#ifndef BASCULE_BPF_OBSERVE_H
#define BASCULE_BPF_OBSERVE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>

#include "maps.h"
#include "service.h"

#define OBSERVED_TAGS 2
#define OBSERVED_EXTENSIONS 6

/* A packet as a filter sees it. Addresses v4-mapped. */
struct observed {
    __u64 be_source[2];
    __u64 be_destination[2];
    __u16 be_port; /* destination; 0: it has none (later fragments, other protocols) */
    __u8 protocol;
};

/* TCP and UDP have their ports in the same place. */
static __always_inline void observe_port(struct observed *seen, void *l4, void *end)
{
    __be16 *be_ports = l4;

    if (seen->protocol != IPPROTO_TCP && seen->protocol != IPPROTO_UDP)
        return;
    if ((void *)(be_ports + 2) <= end)
        seen->be_port = be_ports[1];
}

static __always_inline int observe_ipv4(struct observed *seen, void *l3, void *end)
{
    struct iphdr *ip = l3;

    if ((void *)(ip + 1) > end)
        return 0;
    seen->be_source[1] = mapped(ip->saddr);
    seen->be_destination[1] = mapped(ip->daddr);
    seen->protocol = ip->protocol;
    if (!(ip->frag_off & bpf_htons(0x1fff)))
        observe_port(seen, l3 + ip->ihl * 4, end);
    return 1;
}

static __always_inline int observe_ipv6(struct observed *seen, void *l3, void *end)
{
    struct ipv6hdr *ip = l3;
    __u8 *next = l3 + sizeof(*ip);

    if ((void *)(ip + 1) > end)
        return 0;
    __builtin_memcpy(seen->be_source, &ip->saddr, sizeof(seen->be_source));
    __builtin_memcpy(seen->be_destination, &ip->daddr, sizeof(seen->be_destination));
    seen->protocol = ip->nexthdr;
#pragma unroll
    for (int i = 0; i < OBSERVED_EXTENSIONS; i++) {
        __u8 type = seen->protocol;

        if (type != IPPROTO_HOPOPTS && type != IPPROTO_ROUTING && type != IPPROTO_FRAGMENT &&
            type != IPPROTO_DSTOPTS)
            break;
        if ((void *)(next + 8) > end)
            return 1;
        seen->protocol = next[0];
        if (type == IPPROTO_FRAGMENT && (next[2] || next[3] & 0xf8))
            return 1; /* a later one has no ports */
        next += type == IPPROTO_FRAGMENT ? 8 : (next[1] + 1) * 8;
    }
    observe_port(seen, next, end);
    return 1;
}

/* 0: no IP packet. */
static __always_inline int observe(struct xdp_md *ctx, struct observed *seen)
{
    void *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    __be16 *be_ethertype = data + offsetof(struct ethhdr, h_proto);

    if (data + sizeof(struct ethhdr) > end)
        return 0;
#pragma unroll
    for (int i = 0; i < OBSERVED_TAGS; i++) {
        if (*be_ethertype != bpf_htons(ETH_P_8021Q) && *be_ethertype != bpf_htons(ETH_P_8021AD))
            break;
        be_ethertype += 2;
        if ((void *)(be_ethertype + 1) > end)
            return 0;
    }
    if (*be_ethertype == bpf_htons(ETH_P_IP))
        return observe_ipv4(seen, be_ethertype + 1, end);
    if (*be_ethertype == bpf_htons(ETH_P_IPV6))
        return observe_ipv6(seen, be_ethertype + 1, end);
    return 0;
}

static __always_inline int is_vip(const struct observed *seen)
{
    __u32 bucket = bsc_vip_bucket_of(seen->be_destination[0], seen->be_destination[1]);

    return vip_in_bucket(bucket, seen->be_destination[0], seen->be_destination[1]) ||
           vip_in_bucket((bucket + 1) % BSC_VIP_BUCKETS, seen->be_destination[0],
                         seen->be_destination[1]);
}

static __always_inline int fits(const struct bsc_capture_filter *filter,
                                const struct observed *seen)
{
#pragma unroll
    for (int i = 0; i < 2; i++)
        if ((seen->be_source[i] ^ filter->be_client[i]) & filter->be_client_mask[i])
            return 0;
    if ((filter->be_vip[0] || filter->be_vip[1]) && (seen->be_destination[0] != filter->be_vip[0] ||
                                                     seen->be_destination[1] != filter->be_vip[1]))
        return 0;
    if (filter->be_port && seen->be_port != filter->be_port)
        return 0;
    return !filter->protocol || seen->protocol == filter->protocol;
}

/* Verified by itself. Is this packet to be captured? */
__noinline int is_wanted(struct xdp_md *ctx)
{
    struct observed seen = {};
    __u32 zero = 0;
    struct bsc_capture_filter *filter = bpf_map_lookup_elem(&capture_filter, &zero);

    if (!filter || !filter->what || seconds_now() >= filter->deadline)
        return 0;
    if (!observe(ctx, &seen) || !fits(filter, &seen) || !is_vip(&seen))
        return 0;
    return filter->sample < 2 || bpf_get_prandom_u32() % filter->sample == 0;
}

/* Verified by itself. Hands the frame over as it is now. */
__noinline int record_packet(struct xdp_md *ctx, __u32 what)
{
    __u32 zero = 0;
    struct bsc_capture_filter *filter = bpf_map_lookup_elem(&capture_filter, &zero);
    struct capture_scratch *scratch = bpf_map_lookup_elem(&capture_scratch, &zero);
    struct bsc_notes *kept = notes_kept();
    __u64 frame_bytes = (__u64)(ctx->data_end - ctx->data);

    if (!filter || !scratch || !kept)
        return 0;

    struct bsc_capture_record *record = &scratch->record;
    __u32 snap_bytes = filter->snap_bytes;

    record->nanoseconds = bpf_ktime_get_ns();
    record->serial = filter->serial;
    record->frame_bytes = frame_bytes;
    record->captured = frame_bytes < snap_bytes ? frame_bytes : snap_bytes;
    record->what = what;
    record->ifindex = ctx->ingress_ifindex;
    record->notes = *kept;
    bpf_perf_event_output(ctx, &capture_records, BPF_F_CURRENT_CPU | (__u64)record->captured << 32,
                          record, sizeof(*record));
    return 0;
}

/* Does the capture want to see how this packet ended? */
static __always_inline int end_is_wanted(__u32 what)
{
    __u32 zero = 0;
    struct bsc_capture_filter *filter = bpf_map_lookup_elem(&capture_filter, &zero);
    struct bsc_notes *kept = notes_kept();

    if (!filter || !kept)
        return 0;
    if (kept->drop == BSC_NONE)
        return filter->what & what;
    /* Dropped, and perhaps answered: what leaves is then our answer. */
    if (filter->reasons && !(filter->reasons >> (kept->drop & 63) & 1))
        return 0;
    return filter->what & (what | BSC_CAPTURE_DROPPED);
}

static __always_inline void clear_notes(void)
{
    struct bsc_notes *kept = notes_kept();

    if (!kept)
        return;
    __builtin_memset(kept, 0, sizeof(*kept));
    kept->drop = BSC_NONE;
    kept->service = BSC_NONE;
    kept->ring_slot = BSC_NONE;
}

/* Before the walk. */
static __always_inline void begin_notes(struct xdp_md *ctx)
{
    __u32 zero = 0;

    clear_notes();
    if (!capturing)
        return;

    struct capture_scratch *scratch = bpf_map_lookup_elem(&capture_scratch, &zero);
    struct bsc_capture_filter *filter = bpf_map_lookup_elem(&capture_filter, &zero);

    if (!scratch || !filter)
        return;
    scratch->wanted = is_wanted(ctx);
    if (scratch->wanted && filter->what & BSC_CAPTURE_ARRIVES)
        record_packet(ctx, BSC_CAPTURE_ARRIVES);
}

/* After the walk; gives its verdict back. */
static __always_inline int report(struct xdp_md *ctx, int verdict)
{
    __u32 zero = 0;
    __u32 what = BSC_CAPTURE_LEAVES;

    if (!capturing)
        return verdict;

    struct capture_scratch *scratch = bpf_map_lookup_elem(&capture_scratch, &zero);

    if (!scratch || !scratch->wanted)
        return verdict;
    if (verdict == XDP_DROP || verdict == XDP_ABORTED)
        what = BSC_CAPTURE_DROPPED;
    else if (verdict == XDP_PASS)
        what = BSC_CAPTURE_PASSED;
    if (end_is_wanted(what))
        record_packet(ctx, what);
    return verdict;
}

#endif
