// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The walk of a packet, from the wire back onto it. Headers stand in the order in which it meets
 * them. What is not for a VIP is given to Linux untouched, always.
 */
#include "contract.h"
#include "maps.h"
#include "parse.h"
#include "service.h"
#include "session.h"
#include "pick.h"
#include "deliver.h"

static __always_inline int balance(const struct packet *packet, __u32 vip, const int family)
{
    __u32 slot = find_service(packet, vip, family);
    struct bsc_service *service = bpf_map_lookup_elem(&services, &slot);
    __u32 index = port_index;
    struct bsc_port *port = bpf_map_lookup_elem(&ports, &index);

    if (slot == NO_SERVICE || !service || !port) {
        if (find_vip(packet, family))
            count_event(BSC_EVENT_VIP_NO_SERVICE);
        return XDP_PASS;
    }
    if (!is_for_us(packet, port)) {
        count_event(BSC_EVENT_OTHER_HOST);
        return XDP_PASS;
    }

    if (packet->is_answer)
        return drop(BSC_DROP_TCP_FLAGS);

    struct destination destination = follow(packet, service, slot, family);

    return destination.hop ? deliver(packet, slot, port, &destination) : drop(destination.drop);
}

static __always_inline int not_parsed(const struct packet *packet, enum parsed parsed,
                                      const int family)
{
    __u32 index = port_index;
    struct bsc_port *port = bpf_map_lookup_elem(&ports, &index);

    if (parsed == PARSED_FOREIGN || !find_vip(packet, family))
        return XDP_PASS;
    if (port && !is_for_us(packet, port)) {
        count_event(BSC_EVENT_OTHER_HOST);
        return XDP_PASS;
    }
    if (parsed == PARSED_BROKEN)
        return drop(packet->defect);
    count_event(BSC_EVENT_VIP_OTHER_PROTOCOL);
    return XDP_PASS;
}

SEC("xdp")
int director(struct xdp_md *ctx)
{
    struct packet packet = {};
    enum parsed parsed;

    switch (parse_ethernet(ctx, &packet)) {
    case ETH_P_IP:
        parsed = parse_ipv4(&packet);
        if (parsed != PARSED)
            return not_parsed(&packet, parsed, 4);
        return balance(&packet, packet.be_destination[0], 4);
    case ETH_P_IPV6:
        parsed = parse_ipv6(&packet);
        if (parsed != PARSED)
            return not_parsed(&packet, parsed, 6);
        return balance(&packet, find_vip(&packet, 6), 6);
    default:
        return XDP_PASS;
    }
}

char _license[] SEC("license") = "Dual BSD/GPL";
