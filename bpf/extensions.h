/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IPv6 extension headers (RFC 8200): from the first of them to what they stand before. A function
 * that the verifier checks by itself, for a packet and for what an ICMP error quotes.
 */
#ifndef BASCULE_BPF_EXTENSIONS_H
#define BASCULE_BPF_EXTENSIONS_H

#include <linux/bpf.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_IPV6_EXTENSIONS 6

/* No header that is looked at begins further into a frame. */
#define MOST_OFFSET 0x3fff

/* The first 8 bytes, which every one has. */
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
    __be32 be_id; /* of a fragment header */
};

/* Offset and "more" in a fragment header. With neither it is a whole packet (RFC 6946). */
#define IPV6_OFFSET 0xfff8
#define IPV6_OFFSET_MORE 0xfff9

enum extensions {
    EXTENSIONS_END, /* what follows is no extension header */
    EXTENSIONS_FIRST_FRAGMENT,
    EXTENSIONS_LATER_FRAGMENT,
    EXTENSIONS_OTHER,  /* not to be followed: Linux deals with it */
    EXTENSIONS_BROKEN, /* more than are followed, or one that is cut */
};

static __always_inline int is_extension(__u8 protocol)
{
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
           protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT;
}

/* What skip_extensions() answers, in one word. */
static __always_inline __u64 skipped(enum extensions how, __u8 protocol, __u32 to, __u32 fragment)
{
    return (__u64)how << 40 | (__u64)protocol << 32 | (fragment & 0xffff) << 16 | (to & 0xffff);
}

static __always_inline enum extensions skipped_end(__u64 skipped)
{
    return skipped >> 40;
}

static __always_inline __u8 skipped_protocol(__u64 skipped)
{
    return skipped >> 32;
}

/* Offset of the fragment header; 0: there is none, or it says that the packet is whole. */
static __always_inline __u16 skipped_fragment(__u64 skipped)
{
    return skipped >> 16;
}

/* Offset of what follows. */
static __always_inline __u16 skipped_to(__u64 skipped)
{
    return skipped;
}

/* A fragment header: is there more to look at behind it? */
static __always_inline enum extensions meet_fragment(const struct ipv6_extension *header)
{
    if (header->next != IPPROTO_TCP && header->next != IPPROTO_UDP)
        return EXTENSIONS_OTHER; /* whole or not, Linux deals with it */
    if (header->offset_more & bpf_htons(IPV6_OFFSET))
        return EXTENSIONS_LATER_FRAGMENT;
    if (header->offset_more & bpf_htons(IPV6_OFFSET_MORE))
        return EXTENSIONS_FIRST_FRAGMENT;
    return EXTENSIONS_END;
}

/* From the header of type `protocol` at offset `at`; all of it ends at offset `end`. */
__noinline __u64 skip_extensions(struct xdp_md *ctx, __u32 at, __u32 end, __u32 protocol)
{
    void *data = (void *)(long)ctx->data;
    void *data_end = (void *)(long)ctx->data_end;

#pragma unroll
    for (int i = 0; i < MAX_IPV6_EXTENSIONS; i++) {
        struct ipv6_extension *header = data + (at & MOST_OFFSET);

        if (!is_extension(protocol))
            return skipped(EXTENSIONS_END, protocol, at, 0);
        if (at > MOST_OFFSET || (void *)(header + 1) > data_end)
            return skipped(EXTENSIONS_BROKEN, protocol, at, 0);

        __u32 bytes =
            protocol == IPPROTO_FRAGMENT ? sizeof(*header) : (header->length + 1) * sizeof(*header);

        if (at + bytes > end)
            return skipped(EXTENSIONS_BROKEN, protocol, at, 0);
        if (protocol == IPPROTO_ROUTING && header->segments_left)
            return skipped(EXTENSIONS_OTHER, protocol, at, 0); /* the VIP is a hop on the way */
        if (protocol == IPPROTO_FRAGMENT) {
            enum extensions how = meet_fragment(header);

            if (how == EXTENSIONS_OTHER) /* `protocol` stays "fragment" */
                return skipped(how, protocol, at, at);
            if (how != EXTENSIONS_END)
                return skipped(how, header->next, at + bytes, at);
        }
        protocol = header->next;
        at += bytes;
    }
    if (!is_extension(protocol))
        return skipped(EXTENSIONS_END, protocol, at, 0);
    return skipped(EXTENSIONS_BROKEN, protocol, at, 0);
}

#endif
