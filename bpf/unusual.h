/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets without ports of their own that can be relied on: other protocols, ICMP errors, later
 * fragments, and broken ones. Only those for a VIP matter, and ICMP errors about our own probes.
 */
#ifndef BASCULE_BPF_UNUSUAL_H
#define BASCULE_BPF_UNUSUAL_H

#include "deliver.h"
#include "fragment.h"
#include "guard.h"
#include "icmp.h"
#include "make_parcel.h"
#include "probe_icmp.h"
#include "service.h"

static __always_inline int is_icmp(const struct packet *packet, const int family)
{
    return packet->protocol == (family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static __always_inline int deal_with(struct xdp_md *ctx, const struct packet *packet,
                                     enum parsed parsed, const int family)
{
    __u32 index = port_index;
    struct bsc_port *port = bpf_map_lookup_elem(&ports, &index);
    __u32 vip = parsed == PARSED_FOREIGN ? 0 : find_vip(packet->be_destination, family);
    struct parcel parcel = {};
    int verdict;

    if (!port)
        return XDP_PASS;
    if (family == 6 && parsed == PARSED_OTHER && is_icmp(packet, family) &&
        guard_neighbour(ctx, packet->l3, packet->l4) == XDP_DROP)
        return XDP_DROP;
    if (!vip)
        return parsed == PARSED_OTHER && is_icmp(packet, family)
                   ? take_icmp(ctx, packet, port, family)
                   : XDP_PASS;
    note_vip(vip);
    if (!is_for_us(packet, port)) {
        count_event(BSC_EVENT_OTHER_HOST);
        return XDP_PASS;
    }
    if (parsed == PARSED_BROKEN)
        return drop(packet->defect);
    if (parsed == PARSED_OTHER && !is_icmp(packet, family))
        return not_served(vip, BSC_EVENT_VIP_OTHER_PROTOCOL);
    make_parcel(packet, &parcel, family);
    verdict = parsed == PARSED_OTHER ? follow_icmp(ctx, &parcel, vip, family)
                                     : follow_fragment(ctx, &parcel, packet->fragment);
    return verdict ? verdict : send_on(ctx, &parcel);
}

#endif
