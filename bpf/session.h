/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds or remembers the flow, and says which backend its packet goes to. The table's protocol is
 * in session_table.h, a session's life in session_word.h; here they meet packets, services and
 * backends, and what changes is announced.
 *
 * A packet that changes nothing, of an established session that was seen in this very second, is
 * done by one look (follow). Everything else is decided by a function of its own, which looks
 * again.
 *
 * Whatever goes wrong with the table (full, races lost), the packet still goes where the ring
 * says: a session is memory, not permission, unless the service asks for that (unknown = drop).
 */
#ifndef BASCULE_BPF_SESSION_H
#define BASCULE_BPF_SESSION_H

#include "flow.h"
#include "maps.h"
#include "parse.h"
#include "pick.h"
#include "remember.h"

struct decision {
    struct destination to;
    __u64 newborn; /* word of the session that is to be remembered; 0: none */
};

/* ---- what there is, what it means ------------------------------------------------------------ */

static __always_inline void note_session(__u64 b, __u32 steps)
{
    struct bsc_notes *kept = notes_kept();

    if (!kept)
        return;
    kept->session = b;
    kept->steps |= steps;
}

/* Where a live session goes; `hop` is 0 when its backend is gone. */
static __always_inline struct destination destination_of(__u64 b, const struct flow *flow)
{
    __u32 backend = bsc_backend_of(b);
    struct destination to = {hop_of_generation(backend, bsc_generation_of(b)), backend,
                             BSC_DROP_NO_BACKEND, flow->hash, 0};

    return to;
}

static __always_inline struct destination ask_ring(const struct flow *flow,
                                                   const struct bsc_service *service,
                                                   const int family)
{
    __u32 backend = pick(flow, service, family);
    struct destination to = {backend ? hop_of(backend) : 0, backend, BSC_DROP_NO_BACKEND,
                             flow->hash, 0};

    return to;
}

/* ---- changing a session ---------------------------------------------------------------------- */

/* Puts `after` where `found` was read; false when another CPU was there first. */
static __always_inline int replace(const struct flow *flow, struct bsc_found found, __u64 after,
                                   const int family)
{
    if (!bsc_cas(found.way + words_of(family), found.b, after))
        return 0;
    if ((found.b ^ after) & (BSC_B_STATE_MASK | BSC_B_TARGET_MASK)) {
        if (family == 4)
            tell_change4(flow, found.b, after);
        else
            tell_change6(flow, found.b, after);
    }
    return 1;
}

/* The session goes on with its backend. When another CPU changes the word at the same moment, the
 * newer word is read and tried once; what is lost even then comes with the next packet. */
static __always_inline void keep(const struct flow *flow, struct bsc_found found, const int family)
{
#pragma unroll
    for (int i = 0; i < 2; i++) {
        __u64 after = bsc_live(found.b, &flow->sign, flow->now);

        if (after == found.b || replace(flow, found, after, family))
            return;
        found.b = bsc_read_way(found.way, flow->key, words_of(family), flow->slot);
        if (!found.b)
            return;
    }
}

/* The session's backend is gone: it goes on with another one. Is the word taken by another CPU,
 * that one has moved it, or the next packet does. */
static __always_inline void move(const struct flow *flow, struct bsc_found found, __u64 target,
                                 const int family)
{
    __u64 after = bsc_live((found.b & ~BSC_B_TARGET_MASK) | target, &flow->sign, flow->now);

    if (replace(flow, found, after, family))
        count_event(BSC_EVENT_SESSION_MOVED);
}

/* A new session: in the way of the flow's old one, if there is any; else `newborn` is set, for the
 * caller to remember. The end of nothing is not remembered. */
static __always_inline void begin(const struct flow *flow, struct bsc_found old, __u64 target,
                                  __u64 *newborn, const int family)
{
    if (flow->sign.fin || flow->sign.rst)
        return;

    __u64 b = bsc_newborn(&flow->sign, flow->slot, target, flow->now);

    if (!old.way || !replace(flow, old, b | (old.b & BSC_B_VERSION_MASK), family))
        *newborn = b;
}

/* ---- verified by themselves ------------------------------------------------------------------ */

/* Any packet of any flow. A tracing copy decides alike and changes nothing. */
static __always_inline void decide(const struct flow *flow, struct decision *decision,
                                   const int family)
{
    __u32 slot = flow->slot;
    struct bsc_service *service = bpf_map_lookup_elem(&services, &slot);
    struct bsc_found found = find_session(flow, family);
    int moves = 0;

    if (!service)
        return;
    if (found.way) {
        int is_over = bsc_begins_anew(found.b, &flow->sign, flow->now) ||
                      bsc_age(found.b, flow->now) > idle_limit(service, bsc_state_of(found.b));

        note_session(found.b, is_over ? BSC_STEP_SESSION_EXPIRED : BSC_STEP_SESSION);
        if (!is_over) {
            decision->to = destination_of(found.b, flow);
            if (decision->to.hop) {
                if (!tracing)
                    keep(flow, found, family);
                return;
            }
            moves = 1;
            note_step(BSC_STEP_SESSION_MOVES);
        }
    }
    if (!moves && !flow->sign.udp && !flow->sign.syn && service->flags & BSC_SERVICE_UNKNOWN_DROP) {
        decision->to.drop = BSC_DROP_UNKNOWN_SESSION;
        return;
    }
    decision->to = ask_ring(flow, service, family);
    if (tracing || !decision->to.hop)
        return;

    __u64 target = bsc_target(decision->to.backend, generation_of(decision->to.hop));

    if (moves)
        move(flow, found, target, family);
    else
        begin(flow, found, target, &decision->newborn, family);
}

__noinline int decide4(const struct flow *flow, struct decision *decision)
{
    if (flow && decision)
        decide(flow, decision, 4);
    return 0;
}

__noinline int decide6(const struct flow *flow, struct decision *decision)
{
    if (flow && decision)
        decide(flow, decision, 6);
    return 0;
}

/* What belongs to a flow without being part of it (an ICMP error): goes where its packets go, and
 * changes nothing. */
static __always_inline void look_up(const struct flow *flow, struct destination *to,
                                    const int family)
{
    __u32 slot = flow->slot;
    struct bsc_service *service = bpf_map_lookup_elem(&services, &slot);
    struct bsc_found found = find_session(flow, family);

    if (!service)
        return;
    if (found.way) {
        if (bsc_age(found.b, flow->now) <= idle_limit(service, bsc_state_of(found.b))) {
            note_session(found.b, BSC_STEP_SESSION);
            *to = destination_of(found.b, flow);
            if (to->hop)
                return;
            note_step(BSC_STEP_SESSION_MOVES);
        } else {
            note_session(found.b, BSC_STEP_SESSION_EXPIRED);
        }
    }
    *to = ask_ring(flow, service, family);
}

__noinline int look_up4(const struct flow *flow, struct destination *to)
{
    if (flow && to)
        look_up(flow, to, 4);
    return 0;
}

__noinline int look_up6(const struct flow *flow, struct destination *to)
{
    if (flow && to)
        look_up(flow, to, 6);
    return 0;
}

/* ---- in the walk itself ---------------------------------------------------------------------- */

/* This packet changes nothing. */
static __always_inline int is_steady(__u64 b, __u8 tcp_flags, __u32 now)
{
    return bsc_is_steady(b, now) && !(tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST));
}

/* Where a packet goes that changes nothing; `hop` is 0 when that takes a decision. A copy that
 * is watched decides each packet, and notes how. */
static __always_inline struct destination follow(const struct flow *flow, __u8 tcp_flags,
                                                 const int family)
{
    struct bsc_found found = find_session(flow, family);
    struct destination none = {};

    if (!found.way || !is_steady(found.b, tcp_flags, flow->now) || tracing || capturing)
        return none;
    return destination_of(found.b, flow);
}

/* For all other packets. The flow's sign is set. */
static __always_inline void decide_and_remember(const struct flow *flow, struct decision *decision,
                                                const int family)
{
    if (family == 4) {
        decide4(flow, decision);
        if (decision->newborn)
            remember4(flow, decision->newborn);
    } else {
        decide6(flow, decision);
        if (decision->newborn)
            remember6(flow, decision->newborn);
    }
}

#endif
