// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A real server's side of the balancer: what arrives in a tunnel is taken out of it, what leaves
 * gets its service's port back. Neither hook is needed where a server is neither sent tunnels nor
 * other ports.
 */
#include "unwrap.h"
#include "restore.h"

SEC("xdp.frags")
int bascule_unwrap(struct xdp_md *ctx)
{
    return unwrap(ctx);
}

SEC("tc")
int bascule_restore(struct __sk_buff *skb)
{
    return restore(skb);
}

char _license[] SEC("license") = "Dual BSD/GPL";
