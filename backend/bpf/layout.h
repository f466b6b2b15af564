/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a real server's programs in the kernel and their user space both see: keys and values of
 * the maps, and what is counted. Multi-byte fields named be_ are as on the wire; addresses stand
 * v4-mapped.
 */
#ifndef BASCULE_BACKEND_BPF_LAYOUT_H
#define BASCULE_BACKEND_BPF_LAYOUT_H

#include <linux/types.h>

#ifdef __cplusplus
#define BBE_ASSERT(condition, text) static_assert(condition, text)
#else
#define BBE_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#define BBE_MAX_VIPS 256
#define BBE_MAX_PORTS 4096
#define BBE_MAX_BALANCERS 256
#define BBE_MAX_HOSTS 4096 /* addresses of this host that tunnels may be for */
#define BBE_MAX_INTERFACES 16

struct bbe_address {
    __u64 be_word[2];
};

/* By address of the VIP. */
#define BBE_VIP_IPIP 1U /* tunnels that it may arrive by */
#define BBE_VIP_GUE 2U
struct bbe_vip {
    __u32 modes;    /* BBE_VIP_* */
    __u16 overhead; /* bytes that its largest tunnel adds to a packet; 0: the MSS is left alone */
    __u16 mss;      /* largest MSS of its SYN+ACKs; 0: by the interface's MTU and `overhead` */
};
BBE_ASSERT(sizeof(struct bbe_vip) == 8, "bbe_vip");

/* Which port of a server stands for which port of the service. */
struct bbe_port_key {
    struct bbe_address vip;
    __u16 be_server_port;
    __u8 protocol;
    __u8 zero[5];
};
BBE_ASSERT(sizeof(struct bbe_port_key) == 24, "bbe_port_key");
struct bbe_port {
    __u16 be_service_port;
    __u16 zero;
};
BBE_ASSERT(sizeof(struct bbe_port) == 4, "bbe_port");

/* Longest prefix; 96 + n bits for n bits of IPv4. */
struct bbe_prefix {
    __u32 length;
    __u8 be_address[16];
};
BBE_ASSERT(sizeof(struct bbe_prefix) == 20, "bbe_prefix");

/* X(symbol, name, 1 when the packet is dropped, text) */
#define BBE_COUNTERS(X)                                                                            \
    X(DECAPSULATED_IPIP, "decapsulated_ipip", 0, "taken out of an IP header")                      \
    X(DECAPSULATED_GUE, "decapsulated_gue", 0, "taken out of a UDP header")                        \
    X(PORT_RESTORED, "port_restored", 0, "left with the service's port")                           \
    X(ICMP_RESTORED, "icmp_restored", 0,                                                           \
      "ICMP error left with the service's port in what it quotes")                                 \
    X(MSS_CLAMPED, "mss_clamped", 0, "SYN+ACK left with a lowered maximum segment size")           \
    X(INNER_NOT_VIP, "inner_not_vip", 0,                                                           \
      "passed untouched: a balancer's tunnel packet for no VIP of the configuration")              \
    X(OTHER_HOST, "other_host", 0,                                                                 \
      "passed untouched: a tunnel packet for a VIP, sent to a VIP or to an address that is not "   \
      "this host's")                                                                               \
    X(UNKNOWN_BALANCER, "unknown_balancer", 1,                                                     \
      "tunnel packet for a VIP from a source that is not in 'balancers'")                          \
    X(OTHER_MODE, "other_mode", 1, "tunnel packet of a kind that is not in the VIP's 'forward'")   \
    X(OUTER_FRAGMENT, "outer_fragment", 1, "fragment of a balancer's IPIP packet")                 \
    X(TRUNCATED, "truncated", 1, "a balancer's tunnel packet whose inner packet is cut short")     \
    X(GUE_HEADER, "gue_header", 1, "a balancer's GUE packet with a header that is not known")      \
    X(CONGESTION, "congestion", 1,                                                                 \
      "marked as congested on the way, and its ends do not know such marks (RFC 6040)")            \
    X(UNWRITABLE, "unwritable", 1, "the kernel refused to change the packet")

enum bbe_counter {
#define X(symbol, name, dropped, text) BBE_##symbol,
    BBE_COUNTERS(X)
#undef X
        BBE_COUNTER_COUNT
};

#endif
