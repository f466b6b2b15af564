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

#define BSC_LAYOUT_VERSION 5

/* ---- limits ------------------------------------------------------------------------------ */

#define BSC_MAX_SERVICES 1024  /* slots; 12 bits in a session word would allow 4096 */
#define BSC_MAX_BACKENDS 16384 /* slots over all services; slot 0 is never used: "none" */
#define BSC_MAX_VIPS 256
#define BSC_MAX_PORTS 16  /* network interfaces with an XDP program */
#define BSC_PROBE_PORT 16 /* index in `ports` of our own end of the probes' veth pair */
#define BSC_PORT_ENTRIES 17
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
    X(OTHER_INTERFACE, "other_interface",                                                          \
      "the backend is reached by another interface, and that one cannot send")                     \
    X(FRAGMENT_HEADER, "fragment_header",                                                          \
      "first fragment that does not hold the whole TCP or UDP header")                             \
    X(MARTIAN_SOURCE, "martian_source",                                                            \
      "source address that no client can have: unspecified, loopback, multicast, the VIP itself")  \
    X(ICMP_INNER, "icmp_inner",                                                                    \
      "ICMP error whose quoted packet is cut short or is no answer of a service")                  \
    X(NOT_HELD, "not_held", "for no service of a VIP that this node does not hold")                \
    X(REFUSED, "refused", "no backend, and on_empty = reset: the client was told")                 \
    X(TOO_BIG, "too_big", "does not fit the way to the backend: the client was told by ICMP")      \
    X(TOO_BIG_UNTOLD, "too_big_untold",                                                            \
      "does not fit, and the client was not told: the budget of ICMP answers is spent")            \
    X(TOO_BIG_NO_DF, "too_big_no_df",                                                              \
      "does not fit, and may not be told: IPv4 without \"don't fragment\"")                        \
    X(NO_HEADROOM, "no_headroom", "the driver leaves no room for another header")                  \
    X(PROBE, "probe", "a health check's packet that came back, or an answer to none under way")    \
    X(NOT_FOUND, "not_found",                                                                      \
      "asks who has a VIP that this node does not hold, or no longer surely")

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
    X(DELTA_LOST, "delta_lost", "a delta log was full: the daemon has to walk the table")          \
    X(FRAGMENT_FOLLOWED, "fragment_followed", "a later fragment went where its first one went")    \
    X(ICMP_FOLLOWED, "icmp_followed", "an ICMP error went to the backend of its flow")             \
    X(MSS_CLAMPED, "mss_clamped", "a SYN's maximum segment size was lowered")

enum bsc_event {
#define X(symbol, name, text) BSC_EVENT_##symbol,
    BSC_EVENTS(X)
#undef X
        BSC_EVENT_COUNT
};

/* ---- who is found by a VIP ---------------------------------------------------------------------
 */

/* Of a cluster's VIPs; addresses v4-mapped. A VIP without an entry is left to Linux. */
struct bsc_guard_key {
    __u64 be_address[2];
};
BSC_ASSERT(sizeof(struct bsc_guard_key) == 16, "bsc_guard_key");

/* ARP requests and neighbour solicitations for it are dropped from then on; where BSC_GUARD_YIELDS
 * is set also from the moment on at which another host announces it. What this node has announced
 * may come back, by the other part of a bond; its own MAC address tells. */
struct bsc_guard {
    __u64 until;      /* CLOCK_MONOTONIC, nanoseconds, but for the last bit */
    __u8 own_mac[6];  /* that this node announces it with; zeros: not known */
    __u8 reserved[2]; /* zeros */
};
#define BSC_GUARD_YIELDS 1
BSC_ASSERT(sizeof(struct bsc_guard) == 16, "bsc_guard");

/* Who else on the link has said that he has it, as last seen. Written without a lock: a reader may
 * see the parts of two. */
struct bsc_rival {
    __u64 count;       /* frames */
    __u64 nanoseconds; /* CLOCK_MONOTONIC, of the last */
    __u32 ifindex;
    __u8 mac[6];
    __u8 reserved[2];
};
BSC_ASSERT(sizeof(struct bsc_rival) == 32, "bsc_rival");

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

/* By VIP id, one word each, so that one store changes it. Lengths: which port prefixes shorter than
 * 16 bits lead to a service of this VIP; none for most. */
#define BSC_VIP_TCP_LENGTHS_SHIFT 0  /* bit L: a prefix of L bits, 0 <= L < 16 */
#define BSC_VIP_UDP_LENGTHS_SHIFT 16 /* the same */
#define BSC_VIP_LENGTHS_MASK 0xffffU
#define BSC_VIP_HELD                                                                               \
    (1ULL << 32) /* this node has the address: Linux answers what fits no service */
#define BSC_VIP_STATES (BSC_MAX_VIPS + 1)

/* ---- services -------------------------------------------------------------------------------- */

/*
 * (VIP, port prefix, protocol) -> service slot, in one word, so that one 8-byte store publishes it:
 *   bits  0..31  IPv4: the VIP as on the wire; IPv6: the VIP id
 *   bits 32..47  port prefix, low 16 bits of its code
 *   bit  48      1 UDP, 0 TCP
 *   bit  49      1 IPv6, 0 IPv4
 *   bit  50      1, so that no used word is 0
 *   bit  51      port prefix, bit 16 of its code
 *   bits 52..63  service slot
 * The code of a prefix of L bits is its bits, then a 1, then zeros, 17 bits in all: one port is
 * port << 1 | 1, any port 0x10000. A range of ports is at most 30 prefixes, each a word.
 * A bucket is a cache line of eight, filled from the front; a reader stops at the first 0. A word
 * never moves, or a reader might miss it: what is taken out before others leaves a word that fits
 * no packet (BSC_SERVICE_WORD_GONE), to be used again.
 */
#define BSC_SERVICE_WORDS_PER_BUCKET 8
#define BSC_SERVICE_BUCKETS 4096
#define BSC_SERVICE_WORD_UDP (1ULL << 48)
#define BSC_SERVICE_WORD_IPV6 (1ULL << 49)
#define BSC_SERVICE_WORD_USED (1ULL << 50)
#define BSC_SERVICE_WORD_KEY_MASK ((1ULL << 52) - 1)
#define BSC_SERVICE_WORD_SLOT_SHIFT 52
#define BSC_SERVICE_WORD_GONE (1ULL << 63)
struct bsc_service_bucket {
    __u64 word[BSC_SERVICE_WORDS_PER_BUCKET];
};
BSC_ASSERT(sizeof(struct bsc_service_bucket) == 64, "bsc_service_bucket");

#define BSC_SERVICE_IN_USE 1U
#define BSC_SERVICE_UDP 2U
#define BSC_SERVICE_IPV6 4U
#define BSC_SERVICE_UNKNOWN_DROP 8U
#define BSC_SERVICE_AFFINITY_SOURCE 16U
#define BSC_SERVICE_ON_EMPTY_RESET 32U
#define BSC_SERVICE_COPY_DSCP 64U /* to the outer header; ECN always is (RFC 6040) */
struct bsc_service {
    __u32 flags;
    __u32 limit_embryonic;   /* seconds idle, at most 120: its stamp has 8 bits */
    __u32 limit_established; /* seconds idle, at most 5 days: its stamp has 20 bits */
    __u32 limit_closing;     /* seconds idle */
    __u8 be_address[16];     /* identity, for adoption; IPv4 stands v4-mapped */
    __u16 be_port;           /* first and last of its ports; any port: 0 and 0xffff */
    __u16 be_last_port;
    __u16 mss_clamp; /* largest MSS that a SYN may go on with; 0: as it is */
    __u16 reserved[13];
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
/*
 * `route` is how it gets there, in one word:
 *   bits  0..31  interface index
 *   bits 32..47  destination port to write, as on the wire; 0: as it is
 *   bits 48..59  VLAN id to send with; 0: untagged
 *   bits 60..61  enum bsc_forward
 * The common case, L2 by the interface that the packet came from, is one comparison.
 */
#define BSC_ROUTE_PORT_SHIFT 32
#define BSC_ROUTE_VLAN_SHIFT 48
#define BSC_ROUTE_FORWARD_SHIFT 60
enum bsc_forward {
    BSC_FORWARD_L2 = 0,
    BSC_FORWARD_IPIP = 1,
    BSC_FORWARD_GUE = 2,
    BSC_FORWARD_LOCAL = 3,
};

/* A packet that reads while the words change, one after the other, may be lost; it never reaches
 * another backend: be_address is written only while the slot is not in use. */
struct bsc_backend {
    __u64 hop;
    __u64 route;
    __u8 be_address[16];      /* identity, and outer destination; all zero: the slot is free */
    __u16 service;            /* slot */
    __u16 be_port;            /* identity */
    __u16 mtu;                /* of the way there: largest IP packet, outer header included */
    __u16 be_gue_port;        /* outer UDP destination port */
    __u8 be_outer_source[16]; /* its last `entropy_bits` bits are the flow's */
    __u64 source;             /* bytes 0..5 our MAC address on `ifindex`, byte 6 entropy_bits */
};
#define BSC_SOURCE_ENTROPY_SHIFT 48
#define BSC_MOST_ENTROPY_BITS 32
BSC_ASSERT(sizeof(struct bsc_backend) == 64, "bsc_backend");

/* GUE variant 1 (draft-ietf-intarea-gue-09, section 4): the inner IP header follows the UDP header
 * at once. The UDP checksum is 0 (RFC 6935 for IPv6). */
#define BSC_GUE_PORT_DEFAULT 6080
#define BSC_OUTER_TTL 64

/* ---- interfaces ------------------------------------------------------------------------------ */

struct bsc_port {
    __u64 mac; /* bytes 0..5 as on the wire, the rest 0 */
    __u32 ifindex;
    __u32
        route_ifindex; /* as routes name it: the bond's index for a bond's slave, else `ifindex` */
};
BSC_ASSERT(sizeof(struct bsc_port) == 16, "bsc_port");

/* Interfaces that frames may be redirected to: a device map, by interface index. */
#define BSC_MAX_EGRESS 64

/* ---- fragments ------------------------------------------------------------------------------- */

/* Where the first fragment of a packet went, for the later ones, which have no ports. LRU. */
#define BSC_FRAGMENTS 8192
#define BSC_FRAGMENT_SECONDS 30 /* RFC 791 and RFC 8200 let a receiver wait 15 to 60 */
struct bsc_fragment_key {
    __u64 be_source[2]; /* IPv4: word 0, low half */
    __u64 be_destination[2];
    __u32 be_id;
    __u8 protocol;
    __u8 family; /* 4, 6 */
    __u16 zero;
};
BSC_ASSERT(sizeof(struct bsc_fragment_key) == 40, "bsc_fragment_key");
struct bsc_fragment {
    __u16 service; /* slot */
    __u16 backend; /* slot */
    __u8 generation;
    __u8 zero[3];
    __u32 seconds; /* when the first one came */
    __u32 hash;    /* of the flow, for the outer header */
};
BSC_ASSERT(sizeof(struct bsc_fragment) == 16, "bsc_fragment");

/* ---- probes on the true path ------------------------------------------------------------------
 */

/*
 * A probe of a backend by the VIP is sent to a made-up address, whose last 22 bits name the
 * backend: slot | generation << 14. It leaves by a veth pair of our own; XDP at its far end puts
 * the VIP in the made-up address's place and delivers it to that very backend. XDP of the other
 * interfaces knows the answers by `probe_flows`, puts the made-up address back, and redirects them
 * to the pair.
 */
#define BSC_PROBE_SLOT_BITS 14
#define BSC_PROBE_ADDRESS_BITS 22
BSC_ASSERT(BSC_MAX_BACKENDS == 1 << BSC_PROBE_SLOT_BITS, "a slot fits a made-up address");

/* LRU, one entry a probe under way; probes bind their port, so that no two share a key. */
#define BSC_PROBE_FLOWS 65536
struct bsc_probe_flow_key {
    __u64 be_vip[2]; /* IPv4 stands v4-mapped, as in all of these */
    __u64 be_node[2];
    __u16 be_node_port;
    __u8 protocol; /* TCP, UDP */
    __u8 zero[5];
};
BSC_ASSERT(sizeof(struct bsc_probe_flow_key) == 40, "bsc_probe_flow_key");
struct bsc_probe_flow {
    __u64 be_made_up[2];
    __u16 be_vip_port;
    __u16 backend; /* slot */
    __u8 generation;
    __u8 zero;
    __u16 sequence; /* low bits of the SYN's number: one that is sent again is no new probe */
};
BSC_ASSERT(sizeof(struct bsc_probe_flow) == 24, "bsc_probe_flow");

/* What was last seen of the probes of a backend: tells the reasons of a silent one apart. */
enum bsc_probe_event {
    BSC_PROBE_NOTHING = 0,
    BSC_PROBE_SENT = 1,
    BSC_PROBE_NOT_SENT = 2,   /* `detail`: enum bsc_drop_reason */
    BSC_PROBE_ANSWERED = 3,   /* `detail`: TCP flags; 0 for UDP */
    BSC_PROBE_OTHER_PORT = 4, /* answered from another port of the VIP: `be_port` */
    BSC_PROBE_BOUNCED = 5,    /* came back, still addressed to the VIP */
    BSC_PROBE_ICMP = 6,       /* `detail`: type << 8 | code; `be_from` says so */
    BSC_PROBE_ICMP_OUTER = 7, /* the same about the tunnel's packet */
};
/* By backend slot. Written in any order by XDP, and read as one hint among others. SENT and
 * NOT_SENT of a new probe replace what stands; of what comes back the last stays. */
struct bsc_probe_note {
    __u64 nanoseconds; /* CLOCK_MONOTONIC; of the event */
    __u32 event;       /* enum bsc_probe_event */
    __u32 detail;
    __u64 be_from[2]; /* sender of the ICMP error */
    __u16 be_port;
    __u8 generation; /* of the backend whose probe it was */
    __u8 family;     /* 4, 6: of the ICMP error */
    __u32 zero;
    __u64 reserved[3];
};
BSC_ASSERT(sizeof(struct bsc_probe_note) == 64, "bsc_probe_note");

/* A packet to a VIP may be a probe that came back only if its source is one that probes have: a bit
 * for each, by hash, so that a client's new flow costs one look here and no more. */
#define BSC_PROBE_GATE_WORDS 64
#define BSC_PROBE_GATE_BITS (64 * BSC_PROBE_GATE_WORDS)
struct bsc_probe_gate {
    __u64 word[BSC_PROBE_GATE_WORDS]; /* bit b of word w: hash w * 64 + b; lookup.h */
};
BSC_ASSERT(sizeof(struct bsc_probe_gate) == 512, "bsc_probe_gate");

/* ICMP answers that XDP makes itself, so many a CPU and second. */
#define BSC_ICMP_ANSWERS_PER_SECOND 100
struct bsc_icmp_budget {
    __u32 second;
    __u32 used;
};
BSC_ASSERT(sizeof(struct bsc_icmp_budget) == 8, "bsc_icmp_budget");

/* ---- watching: trace and capture ------------------------------------------------------------- */

/* X(symbol): what happened to a packet on its walk, bits of bsc_notes.steps. */
#define BSC_STEPS(X)                                                                               \
    X(VIP)             /* the destination is a VIP */                                              \
    X(SERVICE)         /* by its own port */                                                       \
    X(SERVICE_RANGE)   /* by a range of ports, or any port */                                      \
    X(ICMP_ERROR)      /* followed by what it quotes */                                            \
    X(FRAGMENT_FIRST)  /* remembered for the later ones */                                         \
    X(FRAGMENT_LATER)  /* found by its first one */                                                \
    X(SESSION)         /* a live session of the flow is there */                                   \
    X(SESSION_EXPIRED) /* it was idle too long, or begins anew */                                  \
    X(SESSION_MOVES)   /* its backend is gone */                                                   \
    X(PICKED)          /* the ring decided */                                                      \
    X(PORT_REWRITTEN)                                                                              \
    X(MSS_CLAMPED)                                                                                 \
    X(RETAGGED) /* VLAN tags put on, taken off or changed */                                       \
    X(ENCAPSULATED)                                                                                \
    X(ANSWERED)   /* what leaves is our own answer to the client */                                \
    X(REDIRECTED) /* out of another interface */

enum bsc_step_index {
#define X(symbol) BSC_STEP_INDEX_##symbol,
    BSC_STEPS(X)
#undef X
        BSC_STEP_COUNT
};
enum bsc_step {
#define X(symbol) BSC_STEP_##symbol = 1 << BSC_STEP_INDEX_##symbol,
    BSC_STEPS(X)
#undef X
};

#define BSC_NONE 0xffffffffU
/* What the walk noted of one packet. Written only by copies of the program that trace or capture;
 * per CPU. */
struct bsc_notes {
    __u32 steps;
    __u32 drop;    /* enum bsc_drop_reason; BSC_NONE: not dropped */
    __u32 vip;     /* id; 0: none */
    __u32 service; /* slot; BSC_NONE: none */
    __u64 session; /* word B of the session that was found; 0: none */
    __u64 events;  /* bit by enum bsc_event */
    __u64 flow_hash;
    __u32 ring_slot; /* BSC_NONE: the ring was not asked */
    __u32 ring_size;
    __u32 backend; /* slot; 0: none */
    __u32 generation;
    __u32 forward;          /* enum bsc_forward */
    __u32 redirect_ifindex; /* 0: not redirected */
};
BSC_ASSERT(sizeof(struct bsc_notes) == 64, "bsc_notes");

/* What capture wants; all that is set must match. Addresses v4-mapped. */
#define BSC_CAPTURE_ARRIVES 1U
#define BSC_CAPTURE_LEAVES 2U /* what XDP sends on or answers, as it leaves */
#define BSC_CAPTURE_DROPPED 4U
#define BSC_CAPTURE_PASSED 8U /* given to Linux */
struct bsc_capture_filter {
    __u32 what;                            /* BSC_CAPTURE_*; 0: nothing is captured */
    __u32 snap_bytes;                      /* at most so many of each frame */
    __u32 sample;                          /* one in so many, by chance; 0 and 1: all */
    __u32 deadline;                        /* the data plane's clock: nothing from then on */
    __u64 reasons;                         /* bit by enum bsc_drop_reason; 0: every reason */
    __u64 be_client[2], be_client_mask[2]; /* source */
    __u64 be_vip[2];                       /* destination; all zero: any */
    __u16 be_port;                         /* destination port; 0: any */
    __u8 protocol;                         /* 0: any */
    __u8 reserved[5];
    __u64 serial; /* of this capture; told with each record */
};
BSC_ASSERT(sizeof(struct bsc_capture_filter) == 88, "bsc_capture_filter");

/* Stands before the bytes of each frame in the perf event. */
struct bsc_capture_record {
    __u64 nanoseconds; /* CLOCK_MONOTONIC */
    __u64 serial;
    __u32 frame_bytes; /* whole length */
    __u32 captured;    /* bytes that follow */
    __u32 what;        /* one of BSC_CAPTURE_* */
    __u32 ifindex;     /* where it came in */
    struct bsc_notes notes;
};
BSC_ASSERT(sizeof(struct bsc_capture_record) == 96, "bsc_capture_record");

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
