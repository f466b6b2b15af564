// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Drives the director with packets of a few flows, and checks every one of them: a round finds the
 * packet as the round before has left it (BPF_PROG_TEST_RUN with `repeat` does not restore it), so
 * it sees which backend that packet was sent to and which flow it was of, by a mark in its payload.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "hammer.h"

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} under_test SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct hammer_plan);
} plans SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct hammer_tally);
} tallies SEC(".maps");

static __always_inline void check(const struct hammer_plan *plan, struct hammer_tally *tally,
                                  const __u8 *packet)
{
    __u32 mark = *(__u32 *)(packet + HAMMER_MARK);
    __u32 flow = (mark - 1) % HAMMER_FLOWS;

    if (!mark) /* the first round */
        return;
    if (packet[HAMMER_BACKEND_MARK] != HAMMER_BACKEND_BYTE) {
        tally->not_sent++;
        return;
    }
    tally->sent++;
    if (packet[HAMMER_BACKEND] == plan->flow[flow].backend)
        return;
    tally->mismatches++;
    tally->wrong_flow = flow;
    tally->wrong_backend = packet[HAMMER_BACKEND];
}

/* Mostly SYNs, which push each other out; some handshakes are completed, and end. */
static __always_inline void set_flags(__u8 *packet, __u32 flags_at, __u32 random)
{
    __u8 *flags = packet + flags_at;
    __u8 *sequence = flags - HAMMER_FLAGS_BEHIND_SEQUENCE;

    random &= 15;
    *flags = random < 11 ? 2 : random < 14 ? 16 : 17;
    *sequence = random < 11 ? 1 : 2;
}

SEC("xdp")
int hammer(struct xdp_md *ctx)
{
    __u32 zero = 0;
    struct hammer_plan *plan = bpf_map_lookup_elem(&plans, &zero);
    struct hammer_tally *tally = bpf_map_lookup_elem(&tallies, &zero);
    __u8 *packet = (void *)(long)ctx->data;

    if (!plan || !tally || (void *)(packet + HAMMER_FRAME) > (void *)(long)ctx->data_end)
        return XDP_ABORTED;
    check(plan, tally, packet);
    for (int i = 0; i < HAMMER_FRAME / 8; i++)
        ((__u64 *)packet)[i] = plan->frame[i];

    __u32 random = bpf_get_prandom_u32();
    __u32 flow = random % HAMMER_FLOWS;

    *(__u32 *)(packet + HAMMER_MARK) = flow + 1;
    if (plan->ipv6) {
        *(__u32 *)(packet + HAMMER_IPV6_SOURCE) = plan->flow[flow].be_source;
        *(__u16 *)(packet + HAMMER_IPV6_PORT) = plan->flow[flow].be_port;
        set_flags(packet, HAMMER_IPV6_FLAGS, random >> 16);
    } else {
        *(__u32 *)(packet + HAMMER_IPV4_SOURCE) = plan->flow[flow].be_source;
        *(__u16 *)(packet + HAMMER_IPV4_PORT) = plan->flow[flow].be_port;
        set_flags(packet, HAMMER_IPV4_FLAGS, random >> 16);
    }
    bpf_tail_call(ctx, &under_test, 0);
    return XDP_ABORTED;
}

char _license[] SEC("license") = "Dual BSD/GPL";
