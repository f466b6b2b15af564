// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The walk of a packet, from the wire back onto it. Headers stand in the order in which it meets
 * them. What is not for a VIP is given to Linux untouched, unless it answers a health check of
 * ours.
 *
 * And the walk of such a check on its way out: one object, of which the loader takes one program or
 * the other, so that both deliver by the same code.
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
#include "guard.h"
#include "unusual.h"
#include "probe_send.h"

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
    case ETH_P_ARP:
        return guard_arp(ctx, packet.l3);
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

/* At our own end of the pair that probes leave by; `probing` is 1. */
SEC("xdp")
int prober(struct xdp_md *ctx)
{
    clear_notes();
    return walk_probe(ctx);
}

char _license[] SEC("license") = "Dual BSD/GPL";
