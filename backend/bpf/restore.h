/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Departure: what a VIP answers from a server's port leaves from the service's port, in TCP, UDP
 * and in what ICMP errors quote; a SYN+ACK's MSS is lowered so that the client's segments fit the
 * tunnel. Checksums are changed by the kernel's own helpers, so they hold also where the NIC is to
 * finish them, and a packet stays one for segmentation by the NIC.
 *
 * Other programs on the same hook still see every packet: nothing here ends the walk but a drop.
 */
#ifndef BASCULE_BACKEND_BPF_RESTORE_H
#define BASCULE_BACKEND_BPF_RESTORE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stddef.h>

#include "maps.h"

#define MAX_EXTENSIONS 6
#define MAX_OPTIONS 10
#define IP_OFFSET 0x1fff
#define IPV6_OFFSET 0xfff8
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_MSS 2

/* Of both versions; the kernel's header for IPv4's drags in half of libc. */
struct icmp_header {
    __u8 type;
    __u8 code;
    __be16 checksum;
    __be32 rest;
};
#define ICMP_UNREACHABLE 3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12
#define ICMPV6_UNREACHABLE 1
#define ICMPV6_PARAMETER_PROBLEM 4

/* An IP header and where its L4 header stands. */
struct ip_packet {
    struct bbe_address source;
    struct bbe_address destination;
    __u32 l4; /* offset in the frame */
    __u8 protocol;
    __u8 family;   /* 4, 6 */
    __u8 is_later; /* fragment, without an L4 header */
    __u8 is_fragment;
};

static __always_inline int load_v4(struct __sk_buff *skb, __u32 l3, struct ip_packet *packet)
{
    struct iphdr ip;

    if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
        return 0;
    packet->source = mapped_v4(ip.saddr);
    packet->destination = mapped_v4(ip.daddr);
    packet->l4 = l3 + ip.ihl * 4;
    packet->protocol = ip.protocol;
    packet->family = 4;
    packet->is_later = (ip.frag_off & bpf_htons(IP_OFFSET)) != 0;
    packet->is_fragment = (ip.frag_off & bpf_htons(0x3fff)) != 0;
    return 1;
}

/* RFC 8200; of a fragment header the length is always 8 and `length` reserved. */
struct extension {
    __u8 next;
    __u8 length;
    __be16 offset;
};

static __always_inline int load_v6(struct __sk_buff *skb, __u32 l3, struct ip_packet *packet)
{
    struct ipv6hdr ip;

    if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) || ip.version != 6)
        return 0;
    packet->source = address_v6(&ip.saddr);
    packet->destination = address_v6(&ip.daddr);
    packet->l4 = l3 + sizeof(ip);
    packet->protocol = ip.nexthdr;
    packet->family = 6;
#pragma unroll
    for (int i = 0; i < MAX_EXTENSIONS; i++) {
        struct extension extension;
        int is_fragment = packet->protocol == IPPROTO_FRAGMENT;

        if (!is_fragment && packet->protocol != IPPROTO_HOPOPTS &&
            packet->protocol != IPPROTO_ROUTING && packet->protocol != IPPROTO_DSTOPTS)
            break;
        if (bpf_skb_load_bytes(skb, packet->l4, &extension, sizeof(extension)))
            return 0;
        packet->protocol = extension.next;
        packet->l4 += is_fragment ? 8 : (extension.length + 1) * 8;
        if (is_fragment) {
            packet->is_fragment = 1;
            packet->is_later = (extension.offset & bpf_htons(IPV6_OFFSET)) != 0;
        }
    }
    return 1;
}

static __always_inline struct bbe_port *find_port(const struct bbe_address *vip, __u16 be_port,
                                                  __u8 protocol)
{
    struct bbe_port_key key = {.be_server_port = be_port, .protocol = protocol};

    key.vip = *vip;
    return bpf_map_lookup_elem(&server_ports, &key);
}

static __always_inline int unwritable(void)
{
    count(BBE_UNWRITABLE);
    return TC_ACT_SHOT;
}

/* ---- the source port ---- */

static __always_inline int restore_port(struct __sk_buff *skb, const struct ip_packet *packet,
                                        __u16 be_from)
{
    struct bbe_port *port = find_port(&packet->source, be_from, packet->protocol);
    int is_udp = packet->protocol == IPPROTO_UDP;

    if (!port)
        return TC_ACT_UNSPEC;

    __u16 be_to = port->be_service_port;
    __u32 checksum =
        packet->l4 + (is_udp ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check));

    /* A UDP checksum of zero is none and stays none. The source port is at the same place in both.
     */
    if (bpf_l4_csum_replace(skb, checksum, be_from, be_to,
                            sizeof(be_to) | (is_udp ? BPF_F_MARK_MANGLED_0 : 0)) ||
        bpf_skb_store_bytes(skb, packet->l4, &be_to, sizeof(be_to), 0))
        return unwritable();
    count(BBE_PORT_RESTORED);
    return TC_ACT_UNSPEC;
}

/* ---- the MSS ---- */

static __always_inline __u32 largest_mss(struct __sk_buff *skb, const struct ip_packet *packet,
                                         const struct bbe_vip *vip)
{
    __u32 ifindex = skb->ifindex;
    __u32 headers = vip->overhead + sizeof(struct tcphdr) +
                    (packet->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));

    if (vip->mss)
        return vip->mss;
    if (!vip->overhead)
        return 0xffff;

    __u32 *mtu = bpf_map_lookup_elem(&mtus, &ifindex);

    return mtu && *mtu > headers ? *mtu - headers : 0xffff;
}

static __always_inline __u16 swapped(__u16 value)
{
    return (__u16)(value << 8 | value >> 8);
}

static __always_inline int lower_mss(struct __sk_buff *skb, __u32 l4, __u32 at, __u32 most)
{
    __be16 be_from;
    __be16 be_to = bpf_htons((__u16)most);

    if (bpf_skb_load_bytes(skb, at, &be_from, sizeof(be_from)) || bpf_ntohs(be_from) <= most)
        return TC_ACT_UNSPEC;

    /* At an odd place its bytes count in the other halves of two words. */
    int is_odd = (at - l4) & 1;

    if (bpf_l4_csum_replace(skb, l4 + offsetof(struct tcphdr, check),
                            is_odd ? swapped(be_from) : be_from, is_odd ? swapped(be_to) : be_to,
                            sizeof(be_to)) ||
        bpf_skb_store_bytes(skb, at, &be_to, sizeof(be_to), 0))
        return unwritable();
    count(BBE_MSS_CLAMPED);
    return TC_ACT_UNSPEC;
}

static __always_inline int clamp_mss(struct __sk_buff *skb, __u32 l4, __u32 end, __u32 most)
{
    __u32 at = l4 + sizeof(struct tcphdr);

#pragma unroll
    for (int i = 0; i < MAX_OPTIONS; i++) {
        __u8 option[2];

        if (at >= end || bpf_skb_load_bytes(skb, at, option, 1) || option[0] == TCP_OPTION_END)
            break;
        if (option[0] == TCP_OPTION_NOP) {
            at++;
            continue;
        }
        if (bpf_skb_load_bytes(skb, at, option, 2) || option[1] < 2)
            break;
        if (option[0] == TCP_OPTION_MSS)
            return option[1] == 4 && at + 4 <= end ? lower_mss(skb, l4, at + 2, most)
                                                   : TC_ACT_UNSPEC;
        at += option[1];
    }
    return TC_ACT_UNSPEC;
}

/* ---- ICMP errors ---- */

static __always_inline int is_error(__u8 family, __u8 type)
{
    if (family == 4)
        return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED ||
               type == ICMP_PARAMETER_PROBLEM;
    return type >= ICMPV6_UNREACHABLE && type <= ICMPV6_PARAMETER_PROBLEM;
}

/* One 16-bit word of what an ICMP error quotes, at an even place as all of them are. */
static __always_inline int change_quoted(struct __sk_buff *skb, __u32 icmp, __u32 at, __u16 from,
                                         __u16 to)
{
    return bpf_l4_csum_replace(skb, icmp + offsetof(struct icmp_header, checksum), from, to,
                               sizeof(to)) ||
           bpf_skb_store_bytes(skb, at, &to, sizeof(to), 0);
}

/* The client's own checksum, which the balancer changed with the port. */
static __always_inline int restore_quoted_checksum(struct __sk_buff *skb, __u32 icmp,
                                                   const struct ip_packet *quoted, __u16 from,
                                                   __u16 to)
{
    int is_udp = quoted->protocol == IPPROTO_UDP;
    __u32 at =
        quoted->l4 + (is_udp ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check));
    __u16 before;

    if (bpf_skb_load_bytes(skb, at, &before, sizeof(before)))
        return 0; /* not quoted so far */
    if (is_udp && !before)
        return 0;

    __u16 after = checksum_after(before, from, to);

    if (is_udp && !after)
        after = 0xffff;
    return change_quoted(skb, icmp, at, before, after);
}

static __always_inline int restore_error(struct __sk_buff *skb, const struct ip_packet *packet)
{
    struct icmp_header icmp;
    struct ip_packet quoted = {};
    __be16 ports[2];
    __u32 inner = packet->l4 + sizeof(icmp);

    if (packet->is_fragment || bpf_skb_load_bytes(skb, packet->l4, &icmp, sizeof(icmp)) ||
        !is_error(packet->family, icmp.type))
        return TC_ACT_UNSPEC;
    if (packet->family == 4 ? !load_v4(skb, inner, &quoted) : !load_v6(skb, inner, &quoted))
        return TC_ACT_UNSPEC;
    if (quoted.is_later || (quoted.protocol != IPPROTO_TCP && quoted.protocol != IPPROTO_UDP) ||
        quoted.source.be_word[0] != packet->destination.be_word[0] ||
        quoted.source.be_word[1] != packet->destination.be_word[1] ||
        bpf_skb_load_bytes(skb, quoted.l4, ports, sizeof(ports)))
        return TC_ACT_UNSPEC;

    struct bbe_port *port = find_port(&quoted.destination, ports[1], quoted.protocol);

    if (!port)
        return TC_ACT_UNSPEC;

    __u16 be_to = port->be_service_port;

    if (change_quoted(skb, packet->l4, quoted.l4 + sizeof(ports[0]), ports[1], be_to) ||
        restore_quoted_checksum(skb, packet->l4, &quoted, ports[1], be_to))
        return unwritable();
    count(BBE_ICMP_RESTORED);
    return TC_ACT_UNSPEC;
}

/* ---- the walk ---- */

static __always_inline int restore_tcp(struct __sk_buff *skb, const struct ip_packet *packet,
                                       const struct bbe_vip *vip)
{
    struct tcphdr tcp;

    if (bpf_skb_load_bytes(skb, packet->l4, &tcp, sizeof(tcp)))
        return TC_ACT_UNSPEC;
    if (tcp.syn && tcp.ack) {
        int verdict =
            clamp_mss(skb, packet->l4, packet->l4 + tcp.doff * 4, largest_mss(skb, packet, vip));

        if (verdict != TC_ACT_UNSPEC)
            return verdict;
    }
    return restore_port(skb, packet, tcp.source);
}

static __always_inline int restore(struct __sk_buff *skb)
{
    struct ip_packet packet = {};
    __be16 ethertype = (__be16)skb->protocol;
    __u32 l3 = sizeof(struct ethhdr);
    struct udphdr udp;

    /* Tags that stand in the frame; those that the NIC puts on do not. */
#pragma unroll
    for (int i = 0; i < 2; i++) {
        if (ethertype != bpf_htons(ETH_P_8021Q) && ethertype != bpf_htons(ETH_P_8021AD))
            break;
        if (bpf_skb_load_bytes(skb, l3 + 2, &ethertype, sizeof(ethertype)))
            return TC_ACT_UNSPEC;
        l3 += 4;
    }
    if (ethertype == bpf_htons(ETH_P_IP)
            ? !load_v4(skb, l3, &packet)
            : ethertype != bpf_htons(ETH_P_IPV6) || !load_v6(skb, l3, &packet))
        return TC_ACT_UNSPEC;
    if (packet.is_later)
        return TC_ACT_UNSPEC;
    if (packet.protocol == (packet.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        return restore_error(skb, &packet);

    struct bbe_vip *vip = bpf_map_lookup_elem(&vips, &packet.source);

    if (!vip)
        return TC_ACT_UNSPEC;
    if (packet.protocol == IPPROTO_TCP)
        return restore_tcp(skb, &packet, vip);
    if (packet.protocol == IPPROTO_UDP && !bpf_skb_load_bytes(skb, packet.l4, &udp, sizeof(udp)))
        return restore_port(skb, &packet, udp.source);
    return TC_ACT_UNSPEC;
}

#endif
