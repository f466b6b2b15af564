/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Arrival: takes a balancer's packets out of their tunnel, IPv4 or IPv6 in either, by IP (RFC 2003,
 * RFC 2473, RFC 4213) or UDP (GUE, draft-ietf-intarea-gue-09). A tunnel ends here only when it
 * comes from a balancer of the configuration, is for an address of this host that is no VIP, and
 * holds a packet for a VIP that is configured for this kind of tunnel. A stranger's tunnel packet
 * for a VIP is dropped; what is not about a VIP is given to Linux untouched, always.
 *
 * The outer UDP checksum is not verified: a balancer sends none (RFC 6935), and the inner packet
 * has its own.
 */
#ifndef BASCULE_BACKEND_BPF_UNWRAP_H
#define BASCULE_BACKEND_BPF_UNWRAP_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "maps.h"

#define MAX_TAGS 2
#define IP_FRAGMENT 0x3fff /* offset or more */

/* RFC 3168. */
#define ECN_MASK 3
#define ECN_NONE 0
#define ECN_1 1
#define ECN_CE 3

struct tag {
    __be16 control;
    __be16 ethertype;
};

/* Ethernet header with its tags, as it is put before the inner packet. */
struct link_header {
    __u8 macs[12];
    struct tag tags[MAX_TAGS];
};

struct tunnel {
    struct bbe_address source; /* outer */
    struct bbe_address destination;
    struct bbe_address inner_destination;
    void *inner;       /* IP header */
    __u32 inner_bytes; /* that the outer headers say are left for the inner packet */
    __u32 outer_bytes; /* between the link header and `inner` */
    __u32 link_bytes;
    __u8 protocol;     /* of the outer header */
    __u8 inner_family; /* 4, 6 */
    __u8 ecn;          /* of the outer header */
    __u8 is_fragment;
    __u8 is_gue;
    __u8 is_known_header; /* of GUE */
};

/* Finds the L3 header behind up to two tags; its ethertype, 0: too short. */
static __always_inline __u16 parse_link(void *data, void *end, void **l3)
{
    struct ethhdr *ethernet = data;

    if ((void *)(ethernet + 1) > end)
        return 0;

    __be16 ethertype = ethernet->h_proto;
    void *next = ethernet + 1;

#pragma unroll
    for (int i = 0; i < MAX_TAGS; i++) {
        struct tag *tag = next;

        if (ethertype != bpf_htons(ETH_P_8021Q) && ethertype != bpf_htons(ETH_P_8021AD))
            break;
        if ((void *)(tag + 1) > end)
            return 0;
        ethertype = tag->ethertype;
        next = tag + 1;
    }
    *l3 = next;
    return bpf_ntohs(ethertype);
}

static __always_inline int is_tunnel_protocol(__u8 protocol)
{
    return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_UDP;
}

/* 1: may be a tunnel; `inner` stands behind the IP header. `left`: bytes of the frame from `l3`. */
static __always_inline int parse_outer_v4(void *l3, void *end, __u32 left, struct tunnel *tunnel)
{
    struct iphdr *ip = l3;

    if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
        return 0;

    __u32 header = ip->ihl * 4;
    __u32 total = bpf_ntohs(ip->tot_len);

    if (!is_tunnel_protocol(ip->protocol) || total < header || total > left)
        return 0;
    tunnel->source = mapped_v4(ip->saddr);
    tunnel->destination = mapped_v4(ip->daddr);
    tunnel->protocol = ip->protocol;
    tunnel->is_fragment = (ip->frag_off & bpf_htons(IP_FRAGMENT)) != 0;
    tunnel->ecn = ip->tos & ECN_MASK;
    tunnel->inner = l3 + header;
    tunnel->inner_bytes = total - header;
    tunnel->outer_bytes = header;
    return 1;
}

struct fragment_header {
    __u8 next;
    __u8 reserved;
    __be16 offset;
    __be32 id;
};

/* A balancer sends no extension headers; of those that come from elsewhere only a fragment's is
 * looked at, so that it can be told. */
static __always_inline int parse_outer_v6(void *l3, void *end, __u32 left, struct tunnel *tunnel)
{
    struct ipv6hdr *ip = l3;

    if ((void *)(ip + 1) > end || ip->version != 6)
        return 0;

    __u32 payload = bpf_ntohs(ip->payload_len);

    if (payload + sizeof(*ip) > left)
        return 0;
    tunnel->source = address_v6(&ip->saddr);
    tunnel->destination = address_v6(&ip->daddr);
    tunnel->protocol = ip->nexthdr;
    tunnel->ecn = ip->flow_lbl[0] >> 4 & ECN_MASK;
    tunnel->inner = ip + 1;
    tunnel->inner_bytes = payload;
    tunnel->outer_bytes = sizeof(*ip);
    if (ip->nexthdr == IPPROTO_FRAGMENT) {
        struct fragment_header *fragment = (void *)(ip + 1);

        if ((void *)(fragment + 1) > end)
            return 0;
        tunnel->protocol = fragment->next;
        tunnel->is_fragment = 1;
    }
    return is_tunnel_protocol(tunnel->protocol);
}

/* Variant 1: the inner IP header follows at once, told by its version. Variant 0: a header of four
 * bytes without options, flags and extensions. */
static __always_inline int parse_gue(void *end, struct tunnel *tunnel)
{
    struct udphdr *udp = tunnel->inner;

    if ((void *)(udp + 1) > end || tunnel->inner_bytes < sizeof(*udp) || udp->dest != be_gue_port ||
        bpf_ntohs(udp->len) < sizeof(*udp) || bpf_ntohs(udp->len) > tunnel->inner_bytes)
        return 0;
    tunnel->inner_bytes = bpf_ntohs(udp->len) - sizeof(*udp);
    tunnel->inner = udp + 1;
    tunnel->outer_bytes += sizeof(*udp);

    __u8 *gue = tunnel->inner;

    if ((void *)(gue + 4) > end || tunnel->inner_bytes < 4)
        return 1;
    if (*gue >> 6 == 1) {
        tunnel->is_known_header = 1;
        return 1;
    }
    if (gue[0] || gue[2] || gue[3] || (gue[1] != IPPROTO_IPIP && gue[1] != IPPROTO_IPV6))
        return 1;
    tunnel->protocol = gue[1];
    tunnel->inner = gue + 4;
    tunnel->inner_bytes -= 4;
    tunnel->outer_bytes += 4;
    tunnel->is_known_header = 1;
    return 1;
}

/* Sets family and destination; 0: the inner packet is not whole, or none. */
static __always_inline int parse_inner(void *end, struct tunnel *tunnel)
{
    struct iphdr *v4 = tunnel->inner;
    struct ipv6hdr *v6 = tunnel->inner;

    if ((void *)(v4 + 1) > end || tunnel->inner_bytes < sizeof(*v4))
        return 0;
    if (v4->version == 4 && tunnel->protocol != IPPROTO_IPV6) {
        tunnel->inner_family = 4;
        tunnel->inner_destination = mapped_v4(v4->daddr);
        return v4->ihl >= 5 && bpf_ntohs(v4->tot_len) >= v4->ihl * 4 &&
               bpf_ntohs(v4->tot_len) <= tunnel->inner_bytes;
    }
    if (v4->version != 6 || tunnel->protocol == IPPROTO_IPIP || (void *)(v6 + 1) > end ||
        tunnel->inner_bytes < sizeof(*v6))
        return 0;
    tunnel->inner_family = 6;
    tunnel->inner_destination = address_v6(&v6->daddr);
    return bpf_ntohs(v6->payload_len) + sizeof(*v6) <= tunnel->inner_bytes;
}

static __always_inline int is_from_balancer(const struct tunnel *tunnel)
{
    struct bbe_prefix key = {.length = 128};

    __builtin_memcpy(key.be_address, &tunnel->source, sizeof(key.be_address));
    return bpf_map_lookup_elem(&balancers, &key) != 0;
}

/* RFC 6040, section 4.2. -1: the packet has to be dropped. */
static __always_inline int ecn_after(__u8 inner, __u8 outer)
{
    if (outer == ECN_CE)
        return inner == ECN_NONE ? -1 : ECN_CE;
    if (outer == ECN_1 && inner != ECN_NONE && inner != ECN_CE)
        return ECN_1;
    return inner;
}

static __always_inline __u8 ecn_of(const struct tunnel *tunnel)
{
    const __u8 *bytes = tunnel->inner;

    return (tunnel->inner_family == 4 ? bytes[1] : bytes[1] >> 4) & ECN_MASK;
}

static __always_inline void set_ecn(void *l3, int family, __u8 ecn)
{
    if (family == 4) {
        struct iphdr *ip = l3;
        __be16 before = *(__be16 *)l3;

        ip->tos = (ip->tos & ~ECN_MASK) | ecn;
        ip->check = checksum_after(ip->check, before, *(__be16 *)l3);
    } else {
        struct ipv6hdr *ip = l3;

        ip->flow_lbl[0] = (ip->flow_lbl[0] & ~(ECN_MASK << 4)) | ecn << 4;
    }
}

static __always_inline int drop(enum bbe_counter why)
{
    count(why);
    return XDP_DROP;
}

/* The link header moves up to the inner packet, and says what that is. */
static __always_inline int take_off(struct xdp_md *ctx, const struct tunnel *tunnel, int ecn)
{
    struct link_header kept;
    void *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    __u32 tags = (tunnel->link_bytes - sizeof(struct ethhdr)) / sizeof(struct tag);

    /* Behind a link header of any length there are the outer headers, so this is in the frame. */
    if (data + sizeof(struct ethhdr) + sizeof(kept.tags) > end)
        return drop(BBE_TRUNCATED);
    __builtin_memcpy(kept.macs, data, sizeof(kept.macs));
    /* A tag's first half is the ethertype that announces it. */
    __builtin_memcpy(kept.tags, data + sizeof(kept.macs), sizeof(kept.tags));
    if (bpf_xdp_adjust_head(ctx, (int)tunnel->outer_bytes))
        return drop(BBE_UNWRITABLE);
    data = (void *)(long)ctx->data;
    end = (void *)(long)ctx->data_end;

    struct ethhdr *ethernet = data;
    __u8 *behind_macs = data + sizeof(kept.macs);
    void *l3 = ethernet + 1;

    /* An IP header is left, so there is room for the tags; more there need not be. */
    if (l3 + sizeof(struct iphdr) > end)
        return drop(BBE_TRUNCATED);
    __builtin_memcpy(data, kept.macs, sizeof(kept.macs));
    if (tags >= 1) {
        __builtin_memcpy(behind_macs, &kept.tags[0], sizeof(struct tag));
        l3 += sizeof(struct tag);
    }
    if (tags == 2) {
        __builtin_memcpy(behind_macs + sizeof(struct tag), &kept.tags[1], sizeof(struct tag));
        l3 += sizeof(struct tag);
    }
    if (l3 + sizeof(struct iphdr) > end)
        return drop(BBE_TRUNCATED);
    *(__be16 *)(l3 - 2) = tunnel->inner_family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
    set_ecn(l3, tunnel->inner_family, (__u8)ecn);
    count(tunnel->is_gue ? BBE_DECAPSULATED_GUE : BBE_DECAPSULATED_IPIP);
    return XDP_PASS;
}

/* A tunnel packet whose inner packet cannot be seen: dropped only when it is a balancer's. */
static __always_inline int unreadable(const struct tunnel *tunnel, enum bbe_counter why)
{
    if (!is_from_balancer(tunnel) || !bpf_map_lookup_elem(&hosts, &tunnel->destination))
        return XDP_PASS;
    return drop(why);
}

static __always_inline int unwrap(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    void *l3 = data;
    struct tunnel tunnel = {};
    __u16 ethertype = parse_link(data, end, &l3);

    tunnel.link_bytes = l3 - data;

    __u32 left = (__u32)bpf_xdp_get_buff_len(ctx) - tunnel.link_bytes;

    if (ethertype == ETH_P_IP ? !parse_outer_v4(l3, end, left, &tunnel)
                              : ethertype != ETH_P_IPV6 || !parse_outer_v6(l3, end, left, &tunnel))
        return XDP_PASS;
    if (tunnel.is_fragment)
        /* Of a later fragment of UDP nobody knows the port, so it is Linux's. */
        return tunnel.protocol == IPPROTO_UDP ? XDP_PASS : unreadable(&tunnel, BBE_OUTER_FRAGMENT);
    if (tunnel.protocol == IPPROTO_UDP) {
        tunnel.is_gue = 1;
        if (!parse_gue(end, &tunnel))
            return XDP_PASS;
        if (!tunnel.is_known_header)
            return unreadable(&tunnel, BBE_GUE_HEADER);
    }

    int whole = parse_inner(end, &tunnel);

    if (!tunnel.inner_family)
        return unreadable(&tunnel, BBE_TRUNCATED);

    struct bbe_vip *vip = bpf_map_lookup_elem(&vips, &tunnel.inner_destination);
    int is_ours = bpf_map_lookup_elem(&hosts, &tunnel.destination) != 0;
    int is_known = is_from_balancer(&tunnel);

    if (!vip) {
        if (is_ours && is_known)
            count(BBE_INNER_NOT_VIP);
        return XDP_PASS;
    }
    if (!is_ours) {
        count(BBE_OTHER_HOST);
        return XDP_PASS;
    }
    if (!is_known)
        return drop(BBE_UNKNOWN_BALANCER);
    if (!(vip->modes & (tunnel.is_gue ? BBE_VIP_GUE : BBE_VIP_IPIP)))
        return drop(BBE_OTHER_MODE);
    if (!whole)
        return drop(BBE_TRUNCATED);

    int ecn = ecn_after(ecn_of(&tunnel), tunnel.ecn);

    if (ecn < 0)
        return drop(BBE_CONGESTION);
    return take_off(ctx, &tunnel, ecn);
}

#endif
