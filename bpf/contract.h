/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The only layout that both worlds see: what XDP and basculed read and write in shared maps.
 *
 * Compiled as BPF C and as C++20; every struct is size-asserted here, so both compilers check it.
 * Byte order: fields named `be_*` and addresses are as on the wire; all else is the host's (amd64,
 * little endian). Whatever changes a layout here raises BSC_LAYOUT_VERSION, which is part of the
 * pin path, so that a new daemon never adopts tables it would misread.
 */
#ifndef BASCULE_BPF_CONTRACT_H
#define BASCULE_BPF_CONTRACT_H

#include <linux/types.h>

#ifdef __cplusplus
#define BSC_ASSERT(condition, text) static_assert(condition, text)
#else
#define BSC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#define BSC_LAYOUT_VERSION 1

/* ---- limits ------------------------------------------------------------------------------ */

#define BSC_MAX_SERVICES 1024  /* slots; 12 bits in a session word would allow 4096 */
#define BSC_MAX_BACKENDS 16384 /* slots over all services; slot 0 is never used: "none" */
#define BSC_MAX_VIPS 256
#define BSC_MAX_PORTS 16     /* network interfaces with an XDP program */
#define BSC_RING_MAX 1048573 /* largest prime accepted as a ring size */
#define BSC_RING_DEFAULT 65537

/* ---- why a packet is dropped --------------------------------------------------------------- */

/* X(symbol, name an operator sees, what it means). The order is the index of the `drops` map;
 * new reasons go to the end. */
#define BSC_DROP_REASONS(X)                                                                        \
    X(IP_HEADER, "ip_header", "IP header is broken: version, header length or a cut header")       \
    X(IP_LENGTH, "ip_length", "IP says more bytes than the frame holds, or fewer than its header") \
    X(IPV6_EXTENSIONS, "ipv6_extensions",                                                          \
      "more IPv6 extension headers than are followed, or a cut one")                               \
    X(FRAGMENT, "fragment", "IP fragment: its flow is not known")                                  \
    X(L4_TRUNCATED, "l4_truncated", "TCP or UDP header is cut short")                              \
    X(TCP_HEADER, "tcp_header", "TCP data offset is below 20 bytes or beyond the packet")          \
    X(TCP_FLAGS, "tcp_flags", "TCP flags that no client sends: none, SYN with FIN, RST or ACK")    \
    X(UDP_LENGTH, "udp_length", "UDP length is below 8 or beyond the packet")                      \
    X(UNKNOWN_SESSION, "unknown_session",                                                          \
      "not a SYN, no session, and the service says unknown = drop")                                \
    X(NO_BACKEND, "no_backend", "no backend of the service can take a new flow")                   \
    X(NO_NEIGHBOUR, "no_neighbour", "the backend's MAC address is not known")                      \
    X(OTHER_INTERFACE, "other_interface", "the backend is reached by another interface")

enum bsc_drop_reason {
#define X(symbol, name, text) BSC_DROP_##symbol,
    BSC_DROP_REASONS(X)
#undef X
        BSC_DROP_REASON_COUNT
};

/* ---- what else is counted once a packet ---------------------------------------------------- */

/* X(symbol, name, meaning): index of the `events` map. None of these is a drop. */
#define BSC_EVENTS(X)                                                                              \
    X(VIP_NO_SERVICE, "vip_no_service", "for a VIP but for no service: given to Linux")            \
    X(VIP_OTHER_PROTOCOL, "vip_other_protocol", "for a VIP, neither TCP nor UDP: given to Linux")  \
    X(OTHER_HOST, "other_host", "for a VIP but for another station's MAC address: given to Linux") \
    X(SESSION_INSERTED, "session_inserted", "a session was remembered")                            \
    X(SESSION_ESTABLISHED, "session_established", "a session became established")                  \
    X(SESSION_CLOSED, "session_closed", "a FIN or RST put a session into closing")                 \
    X(SESSION_MOVED, "session_moved", "a session's backend went away: given a new one")            \
    X(VICTIM_EXPIRED, "victim_expired", "an expired session made room")                            \
    X(VICTIM_EMBRYONIC, "victim_embryonic", "an unproven session made room for a newer one")       \
    X(VICTIM_CLOSING, "victim_closing", "a closing session made room")                             \
    X(TABLE_FULL, "table_full", "no room: the packet went by the ring, without a session")         \
    X(CLAIM_LOST, "claim_lost", "lost every race for a way: the packet went by the ring")          \
    X(DUPLICATE, "duplicate", "two CPUs inserted one flow at once: one copy was removed")          \
    X(DELTA_LOST, "delta_lost", "a delta log was full: the daemon has to walk the table")

enum bsc_event {
#define X(symbol, name, text) BSC_EVENT_##symbol,
    BSC_EVENTS(X)
#undef X
        BSC_EVENT_COUNT
};

/* ---- VIPs ------------------------------------------------------------------------------------ */

/* Is this destination a VIP, and which? Asked for IPv6 packets, and for IPv4 ones that fit no
 * service or are broken. A bucket is a cache line of two; IPv4 addresses stand v4-mapped.
 * Written under the tag protocol: tag = 0, key, tag; a reader takes tag, key, tag. */
struct bsc_vip {
    __u64 be_address[2];
    __u64 tag; /* 0: empty; else (write counter << 16) | VIP id, id >= 1 */
    __u64 reserved;
};
BSC_ASSERT(sizeof(struct bsc_vip) == 32, "bsc_vip");

#define BSC_VIPS_PER_BUCKET 2
#define BSC_VIP_BUCKETS 1024
struct bsc_vip_bucket {
    struct bsc_vip vip[BSC_VIPS_PER_BUCKET];
};
BSC_ASSERT(sizeof(struct bsc_vip_bucket) == 64, "bsc_vip_bucket");

/* ---- services -------------------------------------------------------------------------------- */

/*
 * (VIP, port, protocol) -> service slot, in one word, so that one 8-byte store publishes it:
 *   bits  0..31  IPv4: the VIP as on the wire; IPv6: the VIP id
 *   bits 32..47  port as on the wire
 *   bit  48      1 UDP, 0 TCP
 *   bit  49      1 IPv6, 0 IPv4
 *   bit  50      1, so that no used word is 0
 *   bits 52..63  service slot
 * A bucket is a cache line of eight; it is filled from the front without holes, and a reader
 * stops at the first 0.
 */
#define BSC_SERVICE_WORDS_PER_BUCKET 8
#define BSC_SERVICE_BUCKETS 1024
#define BSC_SERVICE_WORD_UDP (1ULL << 48)
#define BSC_SERVICE_WORD_IPV6 (1ULL << 49)
#define BSC_SERVICE_WORD_USED (1ULL << 50)
#define BSC_SERVICE_WORD_KEY_MASK ((1ULL << 51) - 1)
#define BSC_SERVICE_WORD_SLOT_SHIFT 52
struct bsc_service_bucket {
    __u64 word[BSC_SERVICE_WORDS_PER_BUCKET];
};
BSC_ASSERT(sizeof(struct bsc_service_bucket) == 64, "bsc_service_bucket");

#define BSC_SERVICE_IN_USE 1U
#define BSC_SERVICE_UDP 2U
#define BSC_SERVICE_IPV6 4U
#define BSC_SERVICE_UNKNOWN_DROP 8U
#define BSC_SERVICE_AFFINITY_SOURCE 16U
struct bsc_service {
    __u32 flags;
    __u32 limit_embryonic;   /* seconds idle, at most 120: its stamp has 8 bits */
    __u32 limit_established; /* seconds idle, at most 5 days: its stamp has 20 bits */
    __u32 limit_closing;     /* seconds idle */
    __u8 be_address[16];     /* identity, for adoption; IPv4 stands v4-mapped */
    __u16 be_port;
    __u16 reserved[15];
};
BSC_ASSERT(sizeof(struct bsc_service) == 64, "bsc_service");

/* ---- rings ----------------------------------------------------------------------------------- */

/* `rings` is an array of maps by service slot; an inner map is an array of lines. Line 0 is the
 * header; ring slot i is line 1 + i / 32, half-word i % 32, and holds a backend slot (never 0).
 * A ring is built whole in a new inner map and swapped in by one update of the outer one. No
 * inner map: no backend takes new flows. */
#define BSC_RING_LINE_SLOTS 32
struct bsc_ring_line {
    union {
        __u16 slot[BSC_RING_LINE_SLOTS];
        struct {
            __u32 size; /* slots in the ring, a prime */
        } header;
    };
};
BSC_ASSERT(sizeof(struct bsc_ring_line) == 64, "bsc_ring_line");

/* ---- backends -------------------------------------------------------------------------------- */

/* `hop` is all that a packet needs, in one word, so that one store changes it:
 * bytes 0..5 MAC address, byte 6 generation, byte 7 flags. */
#define BSC_HOP_GENERATION_SHIFT 48
#define BSC_HOP_FLAGS_SHIFT 56
#define BSC_HOP_MAC_MASK ((1ULL << 48) - 1)
#define BSC_HOP_UP (1ULL << 56)       /* may be given packets; without it its sessions move */
#define BSC_HOP_RESOLVED (1ULL << 57) /* the MAC is known */
struct bsc_backend {
    __u64 hop;
    __u32 ifindex;
    __u16 service; /* slot */
    __u16 be_port;
    __u8 be_address[16]; /* identity, for adoption; all zero: the slot is free */
    __u64 reserved[4];
};
BSC_ASSERT(sizeof(struct bsc_backend) == 64, "bsc_backend");

/* ---- interfaces ------------------------------------------------------------------------------ */

struct bsc_port {
    __u64 mac; /* bytes 0..5 as on the wire, the rest 0 */
    __u32 ifindex;
    __u32 reserved;
};
BSC_ASSERT(sizeof(struct bsc_port) == 16, "bsc_port");

/* ---- counters, one copy a CPU ---------------------------------------------------------------- */

struct bsc_traffic { /* of a service and of a backend: what was sent on */
    __u64 packets;
    __u64 bytes;        /* frames, without the checksum */
    __u64 new_sessions; /* became established */
};
BSC_ASSERT(sizeof(struct bsc_traffic) == 24, "bsc_traffic");

/* ---- sessions -------------------------------------------------------------------------------- */

/*
 * A way is a key followed by one word, "B", that holds all else. IPv4: 1 key word; IPv6: 3.
 *   IPv4  word 0  source address | source port << 32 | destination port << 48, as on the wire
 *   IPv6  words 0, 1  source address;  word 2  source port | destination port << 16
 * The VIP and the protocol are in the key through the service slot in B.
 *
 * A set is 4 ways. A flow has two candidate sets, both in the same 4096-byte page.
 * Who may write what, and how a reader believes: session_table.h.
 *
 * B:  bits  0..2   state
 *     bit   3      1: replicated by a peer, 0: seen here
 *     bits  4..7   version, one more at each claim of the way
 *     bits  8..19  service slot
 *     bits 20..35  backend slot
 *     bits 36..43  backend generation
 *   established, closing:
 *     bits 44..63  last seen, seconds modulo 2^20
 *   embryonic, adopted:
 *     bits 44..55  embryonic: low 12 bits of the sequence number that completes the handshake
 *     bits 56..63  embryonic: last SYN; adopted: first seen; seconds modulo 2^8
 *   busy:
 *     bits 44..63  when claimed
 */
#define BSC_WAYS_PER_SET 4
#define BSC_KEY_WORDS_V4 1
#define BSC_KEY_WORDS_V6 3
#define BSC_SET_WORDS_V4 (BSC_WAYS_PER_SET * (BSC_KEY_WORDS_V4 + 1))
#define BSC_SET_WORDS_V6 (BSC_WAYS_PER_SET * (BSC_KEY_WORDS_V6 + 1))
struct bsc_set4 {
    __u64 word[BSC_SET_WORDS_V4];
};
struct bsc_set6 {
    __u64 word[BSC_SET_WORDS_V6];
};
BSC_ASSERT(sizeof(struct bsc_set4) == 64, "bsc_set4");
BSC_ASSERT(sizeof(struct bsc_set6) == 128, "bsc_set6");
#define BSC_SETS_PER_PAGE_V4 64
#define BSC_SETS_PER_PAGE_V6 32

/* In the order in which they are worth keeping. */
enum bsc_state {
    BSC_FREE = 0,
    BSC_BUSY = 1,      /* claimed, key being written */
    BSC_EMBRYONIC = 2, /* a SYN, or one UDP packet */
    BSC_ADOPTED = 3,   /* an ACK of no known session; ranks as embryonic */
    BSC_CLOSING = 4,   /* FIN or RST seen */
    BSC_ESTABLISHED = 5,
};

/* ---- deltas ---------------------------------------------------------------------------------- */

enum bsc_delta_kind {
    BSC_DELTA_ESTABLISHED = 1,
    BSC_DELTA_MOVED = 2,
    BSC_DELTA_CLOSED = 3,
};
struct bsc_delta {
    __u8 be_source[16]; /* IPv4 stands v4-mapped */
    __u16 be_source_port;
    __u16 be_destination_port;
    __u16 service; /* slot */
    __u16 backend; /* slot */
    __u8 generation;
    __u8 kind;
    __u16 reserved;
    __u32 seconds; /* the data plane's clock */
};
BSC_ASSERT(sizeof(struct bsc_delta) == 32, "bsc_delta");

/* One log a CPU: XDP on that CPU is its one producer, the daemon its one consumer. Both indexes
 * count up for ever; entry i is at i % BSC_DELTA_LOG_ENTRIES. */
#define BSC_DELTA_LOG_ENTRIES 8192
struct bsc_delta_log {
    __u64 head; /* written by XDP after the entry */
    __u64 lost; /* written by XDP: announcements that found the log full */
    __u64 pad0[6];
    __u64 tail; /* written by the daemon after it has read */
    __u64 pad1[7];
    struct bsc_delta entry[BSC_DELTA_LOG_ENTRIES];
};
BSC_ASSERT(sizeof(struct bsc_delta_log) == 128 + 32 * BSC_DELTA_LOG_ENTRIES, "bsc_delta_log");

/* ---- what outlives the daemon besides the tables --------------------------------------------- */

/* One more whenever bsc_place_hash() or bsc_place_of() answer otherwise than before: sessions are
 * then moved into new tables, as when the size changes. */
#define BSC_PLACEMENT 1
struct bsc_settings {
    __u64 table_key[2]; /* keys the placement in the session tables; made with the tables */
    __u32 pages4;       /* 4096-byte pages in each session table */
    __u32 pages6;
    __u64 serial;    /* one more each time that the set of maps is replaced */
    __u64 placement; /* BSC_PLACEMENT of those who filled the session tables */
    __u64 reserved[3];
};
BSC_ASSERT(sizeof(struct bsc_settings) == 64, "bsc_settings");

#endif
