// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The wrapper of packet_bench. BPF_PROG_TEST_RUN with `repeat` does not restore the packet between
 * rounds, so the program under test is called from here: what the last round put before the packet
 * is taken off, the template is written over it with the next flow's source address and port, and
 * then a tail call leads to the program. What the wrapper costs by itself is measured with
 * `bare_drop` behind it and subtracted; it does the same for every program.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TEMPLATE_WORDS 10 /* of 8 bytes: Ethernet, IPv6, TCP and no more */
#define TEMPLATE_BYTES (TEMPLATE_WORDS * 8)

/* Where the (last 32 bits of the) source address and the source port stand. */
#define IPV4_SOURCE 26
#define IPV4_PORT 34
#define IPV6_SOURCE 34
#define IPV6_PORT 54

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} under_test SEC(".maps");

struct plan {
    __u64 bytes[TEMPLATE_WORDS];
    __u32 ipv6;
    __u32 flows; /* how many; 0: every packet is a new flow */
    __u32 next;  /* state of the walk over the flows */
    __u32 reserved;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct plan);
} plans SEC(".maps");

/* Flows are visited in an order that no prefetcher follows. */
static __always_inline __u32 next_flow(struct plan *plan)
{
    __u32 step = plan->next++;
    __u64 mixed;

    if (!plan->flows)
        return step;
    mixed = step * 0x9e3779b1U;
    mixed ^= mixed >> 15;
    mixed = (__u32)(mixed * 0x85ebca77U);
    return mixed * plan->flows >> 32;
}

SEC("xdp")
int wrap(struct xdp_md *ctx)
{
    __u32 zero = 0;
    struct plan *plan = bpf_map_lookup_elem(&plans, &zero);
    long grown = (long)ctx->data_end - (long)ctx->data - TEMPLATE_BYTES;
    __u64 *packet;

    /* Also by nothing, so that all programs pay for it alike. */
    if (!plan || bpf_xdp_adjust_head(ctx, grown))
        return XDP_ABORTED;
    packet = (void *)(long)ctx->data;
    if ((void *)(packet + TEMPLATE_WORDS) > (void *)(long)ctx->data_end)
        return XDP_ABORTED;
    for (int i = 0; i < TEMPLATE_WORDS; i++)
        packet[i] = plan->bytes[i];

    __u32 flow = next_flow(plan);
    __u32 source = 0x0a000001 + (flow >> 14) * 0x100; /* 2^14 ports an address */
    __u16 port = 0x400 + (flow & 0x3fff);

    if (plan->ipv6) {
        *(__u32 *)((void *)packet + IPV6_SOURCE) = source;
        *(__u16 *)((void *)packet + IPV6_PORT) = port;
    } else {
        *(__u32 *)((void *)packet + IPV4_SOURCE) = source;
        *(__u16 *)((void *)packet + IPV4_PORT) = port;
    }
    bpf_tail_call(ctx, &under_test, 0);
    return XDP_ABORTED;
}

SEC("xdp")
int bare_drop(struct xdp_md *ctx)
{
    (void)ctx;
    return XDP_DROP;
}

/* The least that a program which sends a packet back can do: swap the MAC addresses. */
SEC("xdp")
int minimal_tx(struct xdp_md *ctx)
{
    struct ethhdr *ethernet = (void *)(long)ctx->data;
    __u8 mac[ETH_ALEN];

    if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
        return XDP_DROP;
    __builtin_memcpy(mac, ethernet->h_dest, ETH_ALEN);
    __builtin_memcpy(ethernet->h_dest, ethernet->h_source, ETH_ALEN);
    __builtin_memcpy(ethernet->h_source, mac, ETH_ALEN);
    return XDP_TX;
}

/* Ends of a tunnel; no program knows them beforehand. */
struct ends {
    struct in6_addr source, destination;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ends);
} tunnels SEC(".maps");

/* What no tunnel can do without: where it ends, room, a swapped Ethernet header, an outer IP
 * header. */
static __always_inline void *with_room(struct xdp_md *ctx, const int bytes, __u16 ethertype)
{
    struct ethhdr *before = (void *)(long)ctx->data, *after;
    struct ethhdr ethernet;

    if ((void *)(before + 1) > (void *)(long)ctx->data_end)
        return NULL;
    __builtin_memcpy(ethernet.h_dest, before->h_source, ETH_ALEN);
    __builtin_memcpy(ethernet.h_source, before->h_dest, ETH_ALEN);
    ethernet.h_proto = bpf_htons(ethertype);
    if (bpf_xdp_adjust_head(ctx, -bytes))
        return NULL;
    after = (void *)(long)ctx->data;
    if ((void *)(after + 1) + bytes > (void *)(long)ctx->data_end)
        return NULL;
    __builtin_memcpy(after, &ethernet, sizeof(ethernet));
    return after + 1;
}

SEC("xdp")
int add_ipv4(struct xdp_md *ctx)
{
    __u32 bytes = ctx->data_end - ctx->data - sizeof(struct ethhdr) + sizeof(struct iphdr);
    __u16 *half = with_room(ctx, sizeof(struct iphdr), ETH_P_IP);
    __u32 zero = 0, sum = 0;
    struct ends *ends = bpf_map_lookup_elem(&tunnels, &zero);

    if (!half || !ends)
        return XDP_DROP;

    struct iphdr *ip = (void *)half;

    ip->version = 4;
    ip->ihl = 5;
    ip->tos = 0;
    ip->tot_len = bpf_htons(bytes);
    ip->id = 0;
    ip->frag_off = bpf_htons(0x4000);
    ip->ttl = 64;
    ip->protocol = IPPROTO_IPIP;
    ip->check = 0;
    ip->saddr = ends->source.s6_addr32[3];
    ip->daddr = ends->destination.s6_addr32[3];
#pragma unroll
    for (unsigned int i = 0; i < sizeof(*ip) / 2; i++)
        sum += half[i];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    ip->check = ~sum;
    return XDP_TX;
}

SEC("xdp")
int add_ipv6(struct xdp_md *ctx)
{
    __u32 bytes = ctx->data_end - ctx->data - sizeof(struct ethhdr);
    struct ipv6hdr *ip = with_room(ctx, sizeof(*ip), ETH_P_IPV6);
    __u32 zero = 0;
    struct ends *ends = bpf_map_lookup_elem(&tunnels, &zero);

    if (!ip || !ends)
        return XDP_DROP;
    *(__be32 *)ip = bpf_htonl(6U << 28);
    ip->payload_len = bpf_htons(bytes);
    ip->nexthdr = IPPROTO_IPIP;
    ip->hop_limit = 64;
    ip->saddr = ends->source;
    ip->daddr = ends->destination;
    return XDP_TX;
}

/* As large as the session table that it is compared with: the loader sets it. */
struct line {
    __u64 word[8];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct line);
} memory SEC(".maps");

const volatile __u32 memory_lines = 1;

/* What no program that keeps a flow in a large table can do without: the packet's flow, one read
 * at a place that depends on it, and a verdict that depends on what was read. */
SEC("xdp")
int memory_access(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data;

    if (data + TEMPLATE_BYTES > (void *)(long)ctx->data_end)
        return XDP_DROP;

    __u64 flow = *(__u64 *)(data + IPV4_SOURCE) ^ *(__u64 *)(data + IPV6_SOURCE) ^
                 (__u64) * (__u16 *)(data + IPV4_PORT) << 32 ^
                 (__u64) * (__u16 *)(data + IPV6_PORT) << 48;
    __u64 hash = flow * 0x9e3779b97f4a7c15ULL;

    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93ULL;

    __u32 index = (hash >> 32) * memory_lines >> 32;
    struct line *line = bpf_map_lookup_elem(&memory, &index);

    if (!line || line->word[flow & 7])
        return XDP_DROP;
    return minimal_tx(ctx);
}

char _license[] SEC("license") = "Dual BSD/GPL";
