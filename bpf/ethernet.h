/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The frame as such: its bytes by offset, its station addresses, its VLAN tags, its ends. After
 * adjust_head() or adjust_tail() no pointer into the frame is good any more; so all of these find
 * the frame anew, and the callers ask again.
 */
#ifndef BASCULE_BPF_ETHERNET_H
#define BASCULE_BPF_ETHERNET_H

#include "maps.h"
#include "parcel.h"
#include "parse.h"

/* What a step of delivery returns when the packet goes on: no XDP action has this number. */
#define GO_ON (-1)

#define MAX_OFFSET 0x7fff /* beyond any header that parsing follows; tells the verifier a bound */

/* Bytes `offset` to `offset + bytes` of the frame; NULL when it does not hold them. */
static __always_inline void *frame_at(struct xdp_md *ctx, __u32 offset, __u32 bytes)
{
    void *start = (void *)(long)ctx->data + (offset & MAX_OFFSET);

    /* The verifier has to see the check on the very pointer that is used. */
    asm volatile("" : "+r"(start));
    return start + bytes > (void *)(long)ctx->data_end ? NULL : start;
}

/* The six bytes of a station's address as one word, as `hop` and `port` have them. */
static __always_inline __u64 mac_word(const __u8 *mac)
{
    __u64 word = 0;

    __builtin_memcpy(&word, mac, ETH_ALEN);
    return word;
}

/* Is the frame addressed to this interface? One that a switch flooded, or that is another
 * node's, is not ours to send on a second time. */
static __always_inline int is_for_us(const struct packet *packet, const struct bsc_port *port)
{
    return mac_word(packet->ethernet->h_dest) == port->mac;
}

/* `destination`, `source`: words whose first six bytes are the address. */
static __always_inline void write_stations(struct ethhdr *frame, __u64 destination, __u64 source)
{
    __builtin_memcpy(frame->h_dest, &destination, ETH_ALEN);
    __builtin_memcpy(frame->h_source, &source, ETH_ALEN);
}

/* Back to where it came from. */
static __always_inline void swap_stations(struct ethhdr *frame)
{
    write_stations(frame, mac_word(frame->h_source), mac_word(frame->h_dest));
}

/* The frame ends after `bytes` bytes: padding, or what an answer does not quote, goes. */
static __always_inline int cut_after(struct xdp_md *ctx, __u32 frame_bytes, __u32 bytes)
{
    if (frame_bytes <= bytes)
        return GO_ON;
    return bpf_xdp_adjust_tail(ctx, (int)bytes - (int)frame_bytes) ? drop(BSC_DROP_IP_LENGTH)
                                                                   : GO_ON;
}

#define ETHERNET_TAGGED_BYTES (sizeof(struct ethhdr) + sizeof(struct vlan_tag))

static __always_inline __be16 tag_control(__be16 old, __u32 vlan)
{
    return (old & bpf_htons(~VLAN_ID_MASK)) | bpf_htons(vlan);
}

/* The frame leaves with VLAN id `vlan`, 0: untagged. It has no tag or one; the priority in that
 * one stays. The stations' addresses are to be written after this. */
static __always_inline int retag(struct xdp_md *ctx, const struct parcel *parcel, __u32 vlan)
{
    int growth = 0;
    struct ethhdr *frame;

    if (!parcel->tags)
        growth = sizeof(struct vlan_tag);
    else if (!vlan)
        growth = -(int)sizeof(struct vlan_tag);
    if (growth && bpf_xdp_adjust_head(ctx, -growth))
        return drop(BSC_DROP_NO_HEADROOM);
    frame = frame_at(ctx, 0, ETHERNET_TAGGED_BYTES);
    if (!frame)
        return drop(BSC_DROP_IP_LENGTH);
    if (vlan) {
        struct vlan_tag *tag = (void *)(frame + 1);

        if (growth)
            frame->h_proto = bpf_htons(ETH_P_8021Q);
        tag->control = tag_control(growth ? 0 : tag->control, vlan);
    }
    note_step(BSC_STEP_RETAGGED);
    return GO_ON;
}

/* A new header for what follows it, an IP packet of `family`. */
static __always_inline void write_ethernet(struct ethhdr *frame, __u32 vlan, __u32 family)
{
    __be16 type = family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);

    if (vlan) {
        struct vlan_tag *tag = (void *)(frame + 1);

        frame->h_proto = bpf_htons(ETH_P_8021Q);
        tag->control = tag_control(0, vlan);
        tag->ethertype = type;
    } else {
        frame->h_proto = type;
    }
}

#endif
