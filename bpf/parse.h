/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes -> packet. Ethernet with up to two VLAN tags, IPv4 with options, IPv6 with extension
 * headers, TCP, UDP. Lengths are checked against the headers, not only against the frame. Writes
 * nothing, counts nothing: what a defect means is decided once it is known whether the packet is
 * for a VIP.
 */
#ifndef BASCULE_BPF_PARSE_H
#define BASCULE_BPF_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>

#include "session_word.h"

enum parsed {
    PARSED,         /* TCP or UDP, all fields are set */
    PARSED_OTHER,   /* another protocol; addresses are set */
    PARSED_BROKEN,  /* `defect` says why; addresses are set */
    PARSED_FOREIGN, /* not IP, or cut before the destination address */
};

struct packet {
    struct ethhdr *ethernet;
    void *l3;
    void *end;
    __u32 frame_bytes;
    __u32 defect;            /* enum bsc_drop_reason */
    __u64 be_source[2];      /* IPv4: word 0, low half */
    __u64 be_destination[2]; /* IPv4: word 0, low half */
    __u16 be_source_port;
    __u16 be_destination_port;
    __u8 protocol;
    __u8 is_answer; /* SYN with ACK: no client of a service sends it, but peers of this host do */
    struct bsc_sign sign;
};

#define MAX_VLAN_TAGS 2
#define MAX_IPV6_EXTENSIONS 6

struct vlan_tag {
    __be16 control;
    __be16 ethertype;
};

/* Finds the L3 header; its ethertype, or 0 when the frame is too short. */
static __always_inline __u16 parse_ethernet(struct xdp_md *ctx, struct packet *packet)
{
    void *data = (void *)(long)ctx->data;

    packet->end = (void *)(long)ctx->data_end;
    packet->ethernet = data;
    packet->frame_bytes = packet->end - data;
    if (data + sizeof(struct ethhdr) > packet->end)
        return 0;

    __be16 ethertype = packet->ethernet->h_proto;
    void *next = data + sizeof(struct ethhdr);

    for (int i = 0; i < MAX_VLAN_TAGS; i++) {
        struct vlan_tag *tag = next;

        if (ethertype != bpf_htons(ETH_P_8021Q) && ethertype != bpf_htons(ETH_P_8021AD))
            break;
        if ((void *)(tag + 1) > packet->end)
            return 0;
        ethertype = tag->ethertype;
        next = tag + 1;
    }
    packet->l3 = next;
    return bpf_ntohs(ethertype);
}

static __always_inline enum parsed broken(struct packet *packet, enum bsc_drop_reason why)
{
    packet->defect = why;
    return PARSED_BROKEN;
}

/* `l4_bytes`: what IP says is left for the L4 header and its payload. */
static __always_inline enum parsed parse_tcp(struct packet *packet, void *l4, __u32 l4_bytes)
{
    struct tcphdr *tcp = l4;

    if ((void *)(tcp + 1) > packet->end || l4_bytes < sizeof(*tcp))
        return broken(packet, BSC_DROP_L4_TRUNCATED);
    if (tcp->doff * 4U < sizeof(*tcp) || tcp->doff * 4U > l4_bytes)
        return broken(packet, BSC_DROP_TCP_HEADER);
    if (tcp->syn ? tcp->fin | tcp->rst : !(tcp->ack | tcp->rst))
        return broken(packet, BSC_DROP_TCP_FLAGS);
    packet->be_source_port = tcp->source;
    packet->be_destination_port = tcp->dest;
    packet->sign.sequence = bpf_ntohl(tcp->seq);
    packet->sign.syn = tcp->syn & !tcp->ack;
    packet->is_answer = tcp->syn & tcp->ack;
    packet->sign.fin = tcp->fin;
    packet->sign.rst = tcp->rst;
    packet->sign.payload = l4_bytes > tcp->doff * 4U;
    return PARSED;
}

static __always_inline enum parsed parse_udp(struct packet *packet, void *l4, __u32 l4_bytes)
{
    struct udphdr *udp = l4;

    if ((void *)(udp + 1) > packet->end || l4_bytes < sizeof(*udp))
        return broken(packet, BSC_DROP_L4_TRUNCATED);
    if (bpf_ntohs(udp->len) < sizeof(*udp) || bpf_ntohs(udp->len) > l4_bytes)
        return broken(packet, BSC_DROP_UDP_LENGTH);
    packet->be_source_port = udp->source;
    packet->be_destination_port = udp->dest;
    packet->sign.udp = 1;
    return PARSED;
}

static __always_inline enum parsed parse_l4(struct packet *packet, void *l4, __u32 l4_bytes)
{
    if (packet->protocol == IPPROTO_TCP)
        return parse_tcp(packet, l4, l4_bytes);
    if (packet->protocol == IPPROTO_UDP)
        return parse_udp(packet, l4, l4_bytes);
    return PARSED_OTHER;
}

static __always_inline enum parsed parse_ipv4(struct packet *packet)
{
    struct iphdr *ip = packet->l3;

    if ((void *)(ip + 1) > packet->end)
        return PARSED_FOREIGN;
    packet->be_source[0] = ip->saddr;
    packet->be_destination[0] = ip->daddr;
    packet->protocol = ip->protocol;

    __u32 header_bytes = ip->ihl * 4;
    __u32 total_bytes = bpf_ntohs(ip->tot_len);

    if (ip->version != 4 || header_bytes < sizeof(*ip))
        return broken(packet, BSC_DROP_IP_HEADER);
    if (total_bytes < header_bytes || total_bytes > packet->end - packet->l3)
        return broken(packet, BSC_DROP_IP_LENGTH);
    if ((packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP) &&
        ip->frag_off & bpf_htons(0x3fff)) /* more fragments, or an offset */
        return broken(packet, BSC_DROP_FRAGMENT);
    return parse_l4(packet, packet->l3 + header_bytes, total_bytes - header_bytes);
}

/* RFC 8200. The first 8 bytes, which every one has. */
struct ipv6_extension {
    __u8 next;
    __u8 length; /* in 8 bytes, the first 8 not counted; of a fragment header: reserved */
    union {
        __be16 offset_more; /* of a fragment header */
        struct {
            __u8 type;
            __u8 segments_left;
        }; /* of a routing header */
    };
    __be32 rest;
};

/* Offset and "more" in a fragment header. With neither it is a whole packet (RFC 6946). */
#define IPV6_OFFSET_MORE 0xfff9

static __always_inline int is_extension(__u8 protocol)
{
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
           protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT;
}

static __always_inline enum parsed parse_ipv6(struct packet *packet)
{
    struct ipv6hdr *ip = packet->l3;

    if ((void *)(ip + 1) > packet->end)
        return PARSED_FOREIGN;
    __builtin_memcpy(packet->be_source, &ip->saddr, 16);
    __builtin_memcpy(packet->be_destination, &ip->daddr, 16);

    void *next = ip + 1;
    __u32 bytes = bpf_ntohs(ip->payload_len);

    packet->protocol = ip->nexthdr;
    if (ip->version != 6)
        return broken(packet, BSC_DROP_IP_HEADER);
    if (bytes > packet->end - next)
        return broken(packet, BSC_DROP_IP_LENGTH);

    for (int i = 0; i <= MAX_IPV6_EXTENSIONS; i++) {
        struct ipv6_extension *extension = next;

        if (!is_extension(packet->protocol))
            return parse_l4(packet, next, bytes);
        if ((void *)(extension + 1) > packet->end)
            return broken(packet, BSC_DROP_IPV6_EXTENSIONS);

        int fragment = packet->protocol == IPPROTO_FRAGMENT;
        __u32 extension_bytes = fragment ? sizeof(*extension) : (extension->length + 1) * 8;

        if (extension_bytes > bytes)
            return broken(packet, BSC_DROP_IPV6_EXTENSIONS);
        if (packet->protocol == IPPROTO_ROUTING && extension->segments_left)
            return PARSED_OTHER; /* the VIP is a hop on the way, not the end of it */
        if (fragment && extension->next != IPPROTO_TCP && extension->next != IPPROTO_UDP)
            return PARSED_OTHER; /* whole or not, Linux deals with it */
        if (fragment && extension->offset_more & bpf_htons(IPV6_OFFSET_MORE))
            return broken(packet, BSC_DROP_FRAGMENT);
        packet->protocol = extension->next;
        bytes -= extension_bytes;
        next += extension_bytes;
    }
    return broken(packet, BSC_DROP_IPV6_EXTENSIONS);
}

#endif
