/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What comes back of probes, among packets that would be Linux's: a backend's answer has the VIP as
 * its source, which is this host's own address. It gets the made-up address back, and goes up by
 * the pair that the probe left by. And probes that come back themselves, since the server forwards
 * what is not for it: balanced to another backend, they would be answered, and the check would lie.
 * Functions that the verifier checks by themselves.
 */
#ifndef BASCULE_BPF_PROBE_ANSWER_H
#define BASCULE_BPF_PROBE_ANSWER_H

#include "ethernet.h"
#include "parse.h"
#include "probe.h"

/* Our own end of the pair; NULL: there is none. */
static __always_inline struct bsc_port *probe_port(void)
{
    __u32 index = BSC_PROBE_PORT;
    struct bsc_port *port = bpf_map_lookup_elem(&ports, &index);

    return port && port->ifindex ? port : NULL;
}

/* Up to the stack, by the pair. VLAN tags are taken off; `l3`: where the IP header is. */
static __always_inline int send_up(struct xdp_md *ctx, __u32 l3, __u32 family)
{
    struct bsc_port *port = probe_port();
    struct bsc_notes *kept = notes_kept();
    struct ethhdr *frame;

    if (!port)
        return drop(BSC_DROP_PROBE);
    if (l3 != sizeof(*frame) && bpf_xdp_adjust_head(ctx, (int)l3 - (int)sizeof(*frame)))
        return drop(BSC_DROP_NO_HEADROOM);
    frame = frame_at(ctx, 0, sizeof(*frame));
    if (!frame)
        return drop(BSC_DROP_IP_LENGTH);
    write_stations(frame, port->mac, port->mac);
    write_ethernet(frame, 0, family);
    note_step(BSC_STEP_REDIRECTED);
    if (kept)
        kept->redirect_ifindex = port->ifindex;
    return bpf_redirect(port->ifindex, 0);
}

/* ---- verified by themselves ------------------------------------------------------------------ */

/* TCP or UDP at offset `l4`, for no VIP. */
__noinline int take_answer(struct xdp_md *ctx, __u32 l3, __u32 l4, __u32 protocol)
{
    struct headers answer = {};
    struct bsc_probe_flow flow = {};
    __u32 flags = 0;

    if (!read_ip(ctx, l3, &answer))
        return XDP_PASS;
    answer.l4 = l4;
    answer.protocol = protocol;
    if (!read_ports(ctx, &answer) || !find_probe(&answer, 1, &flow) || !probe_port())
        return XDP_PASS;
    if (answer.be_source_port != flow.be_vip_port) {
        write_note(whose_probe(&flow), BSC_PROBE_OTHER_PORT, 0, answer.be_source_port, NULL);
        return drop(BSC_DROP_PROBE);
    }
    if (protocol == IPPROTO_TCP) {
        __u8 *at = frame_at(ctx, l4 + TCP_FLAGS_OFFSET, sizeof(*at));

        flags = at ? *at : 0;
    }
    note_probe(&flow, BSC_PROBE_ANSWERED, flags);
    if (!write_address(ctx, l3, answer.be_source, flow.be_made_up, answer.family, AS_SOURCE) ||
        !mend_checksum(ctx, l4, protocol, address_change(answer.be_source, flow.be_made_up)))
        return drop(BSC_DROP_L4_TRUNCATED);
    return send_up(ctx, l3, answer.family);
}

/* TCP or UDP at offset `l4`, for a VIP, from where probes come from: is it one of ours? */
__noinline int has_bounced(struct xdp_md *ctx, __u32 l3, __u32 l4, __u32 protocol)
{
    struct headers packet = {};
    struct bsc_probe_flow flow = {};

    if (!read_ip(ctx, l3, &packet))
        return 0;
    packet.l4 = l4;
    packet.protocol = protocol;
    if (!read_ports(ctx, &packet) || !find_probe(&packet, 0, &flow))
        return 0;
    note_probe(&flow, BSC_PROBE_BOUNCED, 0);
    return 1;
}

/* ---- in the walk itself ---------------------------------------------------------------------- */

/* A packet for no VIP, with its ports. Fragments stay Linux's: the later ones have none. */
static __always_inline int not_for_vip(struct xdp_md *ctx, const struct packet *packet,
                                       const struct bsc_port *port, const int family)
{
    if (packet->fragment || !has_probes(packet->be_destination, family) || !is_for_us(packet, port))
        return XDP_PASS;
    return take_answer(ctx, packet->l3, packet->l4, packet->protocol);
}

static __always_inline int is_bounced(struct xdp_md *ctx, const struct packet *packet,
                                      const int family)
{
    return has_probes(packet->be_source, family) &&
           has_bounced(ctx, packet->l3, packet->l4, packet->protocol);
}

#endif
