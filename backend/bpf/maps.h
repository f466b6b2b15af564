/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of a real server's programs. User space fills them before a program is attached; of
 * those that are attached only `hosts` and `mtus` change, as the host does. A new configuration
 * is a new set of programs and tables, put in place at once.
 */
#ifndef BASCULE_BACKEND_BPF_MAPS_H
#define BASCULE_BACKEND_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"

const volatile __u16 be_gue_port;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, BBE_MAX_VIPS);
    __type(key, struct bbe_address);
    __type(value, struct bbe_vip);
} vips SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, BBE_MAX_PORTS);
    __type(key, struct bbe_port_key);
    __type(value, struct bbe_port);
} server_ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, BBE_MAX_BALANCERS);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct bbe_prefix);
    __type(value, __u32);
} balancers SEC(".maps");

/* Addresses of this host but its VIPs: a tunnel ends here only when it is for one of them. What is
 * sent to a VIP is a client's, whatever it says of its source. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, BBE_MAX_HOSTS);
    __type(key, struct bbe_address);
    __type(value, __u32);
} hosts SEC(".maps");

/* MTU by interface index. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, BBE_MAX_INTERFACES);
    __type(key, __u32);
    __type(value, __u32);
} mtus SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, BBE_COUNTER_COUNT);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(enum bbe_counter counter)
{
    __u32 index = counter;
    __u64 *value = bpf_map_lookup_elem(&counters, &index);

    if (value)
        (*value)++;
}

static __always_inline struct bbe_address mapped_v4(__be32 be_address)
{
    struct bbe_address address = {{0, 0xffff0000ULL | (__u64)be_address << 32}};

    return address;
}

static __always_inline struct bbe_address address_v6(const void *bytes)
{
    struct bbe_address address;

    __builtin_memcpy(&address, bytes, sizeof(address));
    return address;
}

/* RFC 1624: the checksum after one of its 16-bit words changed. */
static __always_inline __u16 checksum_after(__u16 checksum, __u16 before, __u16 after)
{
    __u32 sum = (__u16)~checksum;

    sum += (__u16)~before;
    sum += after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)~sum;
}

#endif
