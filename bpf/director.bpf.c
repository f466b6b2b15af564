// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The walk of a packet, from the wire back onto it. Headers stand in the order in which it meets
 * them. What is not for a VIP is given to Linux untouched, always.
 */
#include "contract.h"
#include "maps.h"
#include "observe.h"
#include "parse.h"
#include "service.h"
#include "session.h"
#include "fragment.h"
#include "icmp.h"
#include "deliver.h"
#include "balance.h"
#include "unusual.h"

static __always_inline int walk(struct xdp_md *ctx)
{
    struct packet packet = {};
    enum parsed parsed;

    switch (parse_ethernet(ctx, &packet)) {
    case ETH_P_IP:
        parsed = parse_ipv4(&packet);
        in_memory(&packet);
        return parsed == PARSED ? balance(ctx, &packet, 4) : deal_with(ctx, &packet, parsed, 4);
    case ETH_P_IPV6:
        parsed = parse_ipv6(ctx, &packet);
        in_memory(&packet);
        return parsed == PARSED ? balance(ctx, &packet, 6) : deal_with(ctx, &packet, parsed, 6);
    default:
        return XDP_PASS;
    }
}

SEC("xdp")
int director(struct xdp_md *ctx)
{
    begin_notes(ctx);
    return report(ctx, walk(ctx));
}

char _license[] SEC("license") = "Dual BSD/GPL";
