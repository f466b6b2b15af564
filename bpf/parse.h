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

#include "extensions.h"
#include "session_word.h"

enum parsed {
    PARSED,         /* TCP or UDP with its header, a first fragment included; all fields are set */
    PARSED_LATER,   /* a later fragment of TCP or UDP; ports and flags are not set */
    PARSED_OTHER,   /* another protocol; ports and flags are not set */
    PARSED_BROKEN,  /* `defect` says why; addresses are set */
    PARSED_FOREIGN, /* not IP, or cut before the destination address */
};

/* Offsets are bytes from the start of the frame. */
struct packet {
    struct ethhdr *ethernet;
    void *end;
    __u32 frame_bytes;
    __u32 defect;            /* enum bsc_drop_reason */
    __u64 be_source[2];      /* IPv4: word 0, low half */
    __u64 be_destination[2]; /* IPv4: word 0, low half */
    __u16 be_source_port;
    __u16 be_destination_port;
    __u16 l3;
    __u16 l4;
    __u16 fragment; /* of a first or later fragment: offset of what says so; else 0 */
    __u16 vlan;     /* innermost id; 0: untagged */
    __u8 protocol;
    __u8 tcp_flags; /* TCP_*; 0 for UDP */
};

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16
#define TCP_FLAGS_OFFSET 13

#define MAX_VLAN_TAGS 2
#define VLAN_ID_MASK 0xfff
#define IPV4_OFFSET 0x1fff
#define IPV4_OFFSET_MORE 0x3fff

struct vlan_tag {
    __be16 control;
    __be16 ethertype;
};

/*
 * The same number, of which the verifier knows no more than that it is at most `mask`. Where paths
 * meet that differ in nothing but such a number, it then goes on once instead of once for each.
 * `unknown`: any number that it knows nothing of.
 */
static __always_inline __u32 forget(__u32 value, __u32 unknown, __u32 mask)
{
    __asm__ __volatile__("%0 ^= %1\n%0 ^= %1" : "+r"(value) : "r"(unknown));
    return value & mask;
}

/* From here on the packet is read from the stack, each field where it is needed. Left to itself the
 * compiler keeps them all in registers, has not enough of them, and spends twice the stack. */
static __always_inline void in_memory(struct packet *packet)
{
    __asm__ __volatile__("" : : "r"(packet) : "memory");
}

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
    struct vlan_tag *next = data + sizeof(struct ethhdr);

#pragma unroll
    for (int i = 0; i < MAX_VLAN_TAGS; i++) {
        if (ethertype != bpf_htons(ETH_P_8021Q) && ethertype != bpf_htons(ETH_P_8021AD))
            break;
        if ((void *)(next + 1) > packet->end)
            return 0;
        ethertype = next->ethertype;
        packet->vlan = bpf_ntohs(next->control) & VLAN_ID_MASK;
        next++;
    }
    packet->l3 = forget((void *)next - data, packet->frame_bytes, 31);
    return bpf_ntohs(ethertype);
}

static __always_inline enum parsed broken(struct packet *packet, enum bsc_drop_reason why)
{
    packet->defect = why;
    return PARSED_BROKEN;
}

/* What L4 says does not fit what is left for it. */
static __always_inline enum parsed too_short(struct packet *packet, enum bsc_drop_reason why)
{
    return broken(packet, packet->fragment ? BSC_DROP_FRAGMENT_HEADER : why);
}

/* `l4_bytes`: what IP says is left for the L4 header and its payload. */
static __always_inline enum parsed parse_tcp(struct packet *packet, void *l4, __u32 l4_bytes)
{
    struct tcphdr *tcp = l4;

    if ((void *)(tcp + 1) > packet->end || l4_bytes < sizeof(*tcp))
        return too_short(packet, BSC_DROP_L4_TRUNCATED);
    if (tcp->doff * 4U < sizeof(*tcp))
        return broken(packet, BSC_DROP_TCP_HEADER);
    if (tcp->doff * 4U > l4_bytes)
        return too_short(packet, BSC_DROP_TCP_HEADER);

    __u8 flags = *((__u8 *)tcp + TCP_FLAGS_OFFSET);

    if (flags & TCP_SYN ? flags & (TCP_FIN | TCP_RST) : !(flags & (TCP_ACK | TCP_RST)))
        return broken(packet, BSC_DROP_TCP_FLAGS);
    packet->be_source_port = tcp->source;
    packet->be_destination_port = tcp->dest;
    packet->tcp_flags = flags;
    return PARSED;
}

/* The place where a UDP payload would be looked into: QUIC's connection ID, which names a flow
 * better than addresses and ports, would be found here and put into `packet`; session.h's locate()
 * would make the session's key of it. */
static __always_inline enum parsed parse_udp(struct packet *packet, void *l4, __u32 l4_bytes)
{
    struct udphdr *udp = l4;

    if ((void *)(udp + 1) > packet->end || l4_bytes < sizeof(*udp))
        return too_short(packet, BSC_DROP_L4_TRUNCATED);
    if (bpf_ntohs(udp->len) < sizeof(*udp))
        return broken(packet, BSC_DROP_UDP_LENGTH);
    if (!packet->fragment && bpf_ntohs(udp->len) > l4_bytes)
        return broken(packet, BSC_DROP_UDP_LENGTH);
    packet->be_source_port = udp->source;
    packet->be_destination_port = udp->dest;
    return PARSED;
}

static __always_inline enum parsed parse_l4(struct packet *packet, void *l4, __u32 l4_bytes)
{
    packet->l4 = l4 - (void *)packet->ethernet;
    if (packet->protocol == IPPROTO_TCP)
        return parse_tcp(packet, l4, l4_bytes);
    if (packet->protocol == IPPROTO_UDP)
        return parse_udp(packet, l4, l4_bytes);
    return PARSED_OTHER;
}

/* A SYN without ACK, which begins a connection. */
static __always_inline int is_syn(const struct packet *packet)
{
    return (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* SYN with ACK: no client of a service sends it, but peers of this host do. */
static __always_inline int is_answer(const struct packet *packet)
{
    return (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
}

static __always_inline int has_ports(__u8 protocol)
{
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

/*
 * What few packets need is read again from the frame instead of being carried along: in the walk of
 * most packets every word that has to be kept counts.
 */

/* Bytes of the IP packet, as its header says. */
static __always_inline __u32 l3_bytes_of(const struct packet *packet, const int family)
{
    void *l3 = (void *)packet->ethernet + (packet->l3 & MOST_OFFSET);
    struct iphdr *ip = l3;
    struct ipv6hdr *ip6 = l3;

    if (l3 + (family == 4 ? sizeof(*ip) : sizeof(*ip6)) > packet->end)
        return 0;
    return family == 4 ? bpf_ntohs(ip->tot_len) : sizeof(*ip6) + bpf_ntohs(ip6->payload_len);
}

static __always_inline __u32 tags_of(const struct packet *packet)
{
    return (packet->l3 - sizeof(struct ethhdr)) / sizeof(struct vlan_tag);
}

/* What of the packet matters to its session's life. `sign` is all zero. */
static __always_inline void read_sign(const struct packet *packet, struct bsc_sign *sign,
                                      const int family)
{
    struct tcphdr *tcp = (void *)packet->ethernet + (packet->l4 & MOST_OFFSET);

    sign->udp = packet->protocol == IPPROTO_UDP;
    if (sign->udp || (void *)(tcp + 1) > packet->end)
        return;
    sign->sequence = bpf_ntohl(tcp->seq);
    sign->syn = is_syn(packet);
    sign->fin = !!(packet->tcp_flags & TCP_FIN);
    sign->rst = !!(packet->tcp_flags & TCP_RST);
    sign->payload = packet->l3 + l3_bytes_of(packet, family) > packet->l4 + tcp->doff * 4U;
}

static __always_inline enum parsed parse_ipv4(struct packet *packet)
{
    void *l3 = (void *)packet->ethernet + packet->l3;
    struct iphdr *ip = l3;

    if ((void *)(ip + 1) > packet->end)
        return PARSED_FOREIGN;
    packet->be_source[0] = ip->saddr;
    packet->be_destination[0] = ip->daddr;
    packet->protocol = ip->protocol;

    __u32 header_bytes = ip->ihl * 4;
    __u32 total_bytes = bpf_ntohs(ip->tot_len);

    if (ip->version != 4 || header_bytes < sizeof(*ip))
        return broken(packet, BSC_DROP_IP_HEADER);
    if (total_bytes < header_bytes || total_bytes > packet->end - l3)
        return broken(packet, BSC_DROP_IP_LENGTH);
    if (has_ports(packet->protocol) && ip->frag_off & bpf_htons(IPV4_OFFSET_MORE)) {
        packet->fragment = packet->l3;
        if (ip->frag_off & bpf_htons(IPV4_OFFSET))
            return PARSED_LATER;
    }
    return parse_l4(packet, l3 + header_bytes, total_bytes - header_bytes);
}

static __always_inline enum parsed parse_ipv6(struct xdp_md *ctx, struct packet *packet)
{
    void *l3 = (void *)packet->ethernet + packet->l3;
    struct ipv6hdr *ip = l3;

    if ((void *)(ip + 1) > packet->end)
        return PARSED_FOREIGN;
    __builtin_memcpy(packet->be_source, &ip->saddr, 16);
    __builtin_memcpy(packet->be_destination, &ip->daddr, 16);
    packet->protocol = ip->nexthdr;

    __u32 bytes = bpf_ntohs(ip->payload_len);
    __u32 l4 = packet->l3 + sizeof(*ip);

    if (ip->version != 6)
        return broken(packet, BSC_DROP_IP_HEADER);
    if (bytes > packet->end - (void *)(ip + 1))
        return broken(packet, BSC_DROP_IP_LENGTH);
    if (is_extension(packet->protocol)) {
        __u64 skipped = skip_extensions(ctx, l4, l4 + bytes, packet->protocol);

        packet->protocol = skipped_protocol(skipped);
        packet->fragment = skipped_fragment(skipped);
        bytes += l4 - skipped_to(skipped);
        l4 = skipped_to(skipped);
        switch (skipped_end(skipped)) {
        case EXTENSIONS_LATER_FRAGMENT:
            return PARSED_LATER;
        case EXTENSIONS_OTHER:
            return PARSED_OTHER;
        case EXTENSIONS_BROKEN:
            return broken(packet, BSC_DROP_IPV6_EXTENSIONS);
        default:
            break;
        }
    }
    return parse_l4(packet, (void *)packet->ethernet + (l4 & MOST_OFFSET), bytes);
}

#endif
