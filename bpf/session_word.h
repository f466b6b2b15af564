/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A session's word B: packing, ages, and its life: what a packet makes of it. Pure; compiled for
 * BPF and for user space. The layout stands in contract.h.
 */
#ifndef BASCULE_BPF_SESSION_WORD_H
#define BASCULE_BPF_SESSION_WORD_H

#include "atomics.h"
#include "contract.h"

#ifdef __cplusplus
#pragma GCC system_header /* C casts and conversions */
#endif

#define BSC_B_STATE_MASK 7ULL
#define BSC_B_FROM_PEER (1ULL << 3) /* brought by a peer; no packet of it was seen here since */
#define BSC_B_VERSION_SHIFT 4
#define BSC_B_VERSION_MASK (15ULL << 4)
#define BSC_B_SERVICE_SHIFT 8
#define BSC_B_SERVICE_MASK (0xfffULL << 8)
#define BSC_B_BACKEND_SHIFT 20
#define BSC_B_GENERATION_SHIFT 36
#define BSC_B_TARGET_MASK (0xffffffULL << 20) /* backend and generation */
#define BSC_B_STAMP_SHIFT 44
#define BSC_B_STAMP_MASK (0xfffffULL << 44)
#define BSC_B_SHORT_STAMP_SHIFT 56
#define BSC_B_SEQUENCE_SHIFT 44
#define BSC_B_SEQUENCE_MASK 0xfffU

/* A flow that spans more than a second by a clock of whole seconds is at least two of them old. */
#define BSC_SPAN_SECONDS 2U

BSC_INLINE __u32 bsc_state_of(__u64 b)
{
    return b & BSC_B_STATE_MASK;
}

BSC_INLINE __u32 bsc_service_of(__u64 b)
{
    return (b >> BSC_B_SERVICE_SHIFT) & 0xfff;
}

BSC_INLINE __u32 bsc_backend_of(__u64 b)
{
    return (b >> BSC_B_BACKEND_SHIFT) & 0xffff;
}

BSC_INLINE __u32 bsc_generation_of(__u64 b)
{
    return (b >> BSC_B_GENERATION_SHIFT) & 0xff;
}

BSC_INLINE int bsc_is_unproven(__u32 state)
{
    return state == BSC_EMBRYONIC || state == BSC_ADOPTED;
}

/* Neither free nor being written. */
BSC_INLINE int bsc_is_live(__u64 b)
{
    return bsc_state_of(b) >= BSC_EMBRYONIC;
}

/* Backend slot and generation, in place. */
BSC_INLINE __u64 bsc_target(__u32 backend, __u32 generation)
{
    return (__u64)backend << BSC_B_BACKEND_SHIFT | (__u64)generation << BSC_B_GENERATION_SHIFT;
}

BSC_INLINE __u64 bsc_stamp(__u32 state, __u32 now)
{
    if (bsc_is_unproven(state))
        return (__u64)now << BSC_B_SHORT_STAMP_SHIFT;
    return (__u64)now << BSC_B_STAMP_SHIFT;
}

/* Seconds since the stamp. CPUs read the clock at slightly different times: a stamp that is a few
 * seconds ahead is now, not a whole turn of the stamp ago. */
BSC_INLINE __u32 bsc_age(__u64 b, __u32 now)
{
    if (bsc_is_unproven(bsc_state_of(b))) {
        __u32 age = (now - (__u32)(b >> BSC_B_SHORT_STAMP_SHIFT)) & 0xff;
        return age >= 0xfc ? 0 : age;
    }
    __u32 age = (now - (__u32)(b >> BSC_B_STAMP_SHIFT)) & 0xfffff;
    return age >= 0xffff0 ? 0 : age;
}

/* The same session by a packet that was seen here: in another state or at another time, and no
 * longer a peer's. Keeps version, service, target. */
BSC_INLINE __u64 bsc_restate(__u64 b, __u32 state, __u32 now)
{
    return (b & ~(BSC_B_STATE_MASK | BSC_B_FROM_PEER | BSC_B_STAMP_MASK)) | state |
           bsc_stamp(state, now);
}

/* Established, seen here in this second: a packet that neither begins nor ends anything changes
 * nothing of it. */
BSC_INLINE int bsc_is_steady(__u64 b, __u32 now)
{
    return (b & (BSC_B_STATE_MASK | BSC_B_FROM_PEER)) == BSC_ESTABLISHED &&
           b >> BSC_B_STAMP_SHIFT == (now & (BSC_B_STAMP_MASK >> BSC_B_STAMP_SHIFT));
}

/* What of a packet matters to a session's life. */
struct bsc_sign {
    __u32 sequence; /* TCP, host order */
    __u8 udp;
    __u8 syn; /* SYN without ACK; the parser lets no other SYN through */
    __u8 fin;
    __u8 rst;
    __u8 payload; /* carries data */
};

/* The word of a new session: version and claim are the table's. */
BSC_INLINE __u64 bsc_newborn(const struct bsc_sign *sign, __u32 service, __u64 target, __u32 now)
{
    __u32 state = sign->udp || sign->syn ? BSC_EMBRYONIC : BSC_ADOPTED;
    __u64 b = state | (__u64)service << BSC_B_SERVICE_SHIFT | target | bsc_stamp(state, now);

    if (sign->syn)
        b |= (__u64)((sign->sequence + 1) & BSC_B_SEQUENCE_MASK) << BSC_B_SEQUENCE_SHIFT;
    return b;
}

/* An unproven TCP session, by a packet that is not a SYN. */
BSC_INLINE __u64 bsc_live_unproven(__u64 b, const struct bsc_sign *sign, __u32 now)
{
    __u32 expected = (b >> BSC_B_SEQUENCE_SHIFT) & BSC_B_SEQUENCE_MASK;
    int fits =
        bsc_state_of(b) == BSC_EMBRYONIC && (sign->sequence & BSC_B_SEQUENCE_MASK) == expected;

    if (sign->rst)
        return b;
    if (!fits && bsc_age(b, now) < BSC_SPAN_SECONDS)
        return b;
    return bsc_restate(b, sign->fin ? BSC_CLOSING : BSC_ESTABLISHED, now);
}

/* A TCP session that is closing: what still comes keeps it, data a while after the FIN or RST
 * revives it, since that may have been a stranger's. (Data right behind it is only reordering.) An
 * ACK never makes it younger than that while, or a busy flow could never come back. */
BSC_INLINE __u64 bsc_live_closing(__u64 b, const struct bsc_sign *sign, __u32 now)
{
    if (sign->fin || sign->rst || bsc_age(b, now) < BSC_SPAN_SECONDS)
        return b;
    if (sign->payload)
        return bsc_restate(b, BSC_ESTABLISHED, now);
    return bsc_restate(b, BSC_CLOSING, now - BSC_SPAN_SECONDS);
}

/*
 * What a packet of a known session makes of its word; the same word when nothing changes, so a
 * busy session is written at most once a second. A SYN for a closing session is a new connection
 * and does not come here (bsc_begins_anew).
 */
BSC_INLINE __u64 bsc_live(__u64 b, const struct bsc_sign *sign, __u32 now)
{
    __u32 state = bsc_state_of(b);

    if (state == BSC_ESTABLISHED) {
        if (sign->fin || sign->rst)
            return bsc_restate(b, BSC_CLOSING, now);
        return sign->syn ? b : bsc_restate(b, BSC_ESTABLISHED, now);
    }
    if (sign->udp)
        return bsc_restate(b, BSC_ESTABLISHED, now);
    if (bsc_is_unproven(state)) {
        if (sign->syn) /* sent again, or another connection's: the newest one counts */
            return bsc_newborn(sign, bsc_service_of(b), b & BSC_B_TARGET_MASK, now) |
                   (b & BSC_B_VERSION_MASK);
        return bsc_live_unproven(b, sign, now);
    }
    return bsc_live_closing(b, sign, now);
}

/* A SYN where the old connection was ending: the client's port is used again. Not right behind the
 * FIN or RST: both may be a stranger's, and the flow's own data has to have its chance to revive
 * it. */
BSC_INLINE int bsc_begins_anew(__u64 b, const struct bsc_sign *sign, __u32 now)
{
    return sign->syn && bsc_state_of(b) == BSC_CLOSING && bsc_age(b, now) >= BSC_SPAN_SECONDS;
}

#endif
