// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A driver that leaves next to no room before a frame: moves the frame to the front of its buffer,
 * and calls the program under test there. BPF_PROG_TEST_RUN gives 256 bytes, of which the kernel
 * keeps some to itself.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "cramped.h"

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} under_test SEC(".maps");

SEC("xdp")
int cramp(struct xdp_md *ctx)
{
    __u64 *to, *from;

    if (bpf_xdp_adjust_head(ctx, -CRAMPED_BY))
        return XDP_ABORTED;
    to = (void *)(long)ctx->data;
    from = (void *)to + CRAMPED_BY;
    if ((void *)(from + CRAMPED_FRAME_BYTES / 8) > (void *)(long)ctx->data_end)
        return XDP_ABORTED;
#pragma unroll
    for (int i = 0; i < CRAMPED_FRAME_BYTES / 8; i++)
        to[i] = from[i];
    if (bpf_xdp_adjust_tail(ctx, -CRAMPED_BY))
        return XDP_ABORTED;
    bpf_tail_call(ctx, &under_test, 0);
    return XDP_ABORTED;
}

char _license[] SEC("license") = "Dual BSD/GPL";
