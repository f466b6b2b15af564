/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds or remembers the flow, and says which backend its packet goes to. The table's protocol is
 * in session_table.h, a session's life in session_word.h; here they meet packets, services and
 * backends, and what changes is announced.
 *
 * Whatever goes wrong with the table (full, races lost), the packet still goes where the ring
 * says: a session is memory, not permission, unless the service asks for that (unknown = drop).
 */
#ifndef BASCULE_BPF_SESSION_H
#define BASCULE_BPF_SESSION_H

#include "delta.h"
#include "maps.h"
#include "parse.h"
#include "pick.h"
#include "session_table.h"

#define CLAIM_TRIES 3

/* Where the packet goes, or why nowhere. */
struct destination {
    __u32 backend; /* slot */
    __u32 drop;    /* enum bsc_drop_reason, when hop is 0 */
    __u64 hop;
};

/* A packet's flow in terms of the table. Plain numbers, so that functions which the verifier
 * checks by themselves can be given it. */
struct flow {
    __u64 key[BSC_KEY_WORDS_V6];
    struct bsc_place place;
    __u32 now;
    __u32 slot; /* of the service */
};

static __always_inline int words_of(const int family)
{
    return family == 4 ? BSC_KEY_WORDS_V4 : BSC_KEY_WORDS_V6;
}

static __always_inline __u64 *set_at(__u32 index, const int family)
{
    return family == 4 ? bpf_map_lookup_elem(&sessions4, &index)
                       : bpf_map_lookup_elem(&sessions6, &index);
}

static __always_inline void locate(const struct packet *packet, __u32 slot, struct flow *flow,
                                   const int family)
{
    __u64 be_ports = packet->be_source_port | (__u32)packet->be_destination_port << 16;

    flow->now = seconds_now();
    flow->slot = slot;
    flow->key[0] = packet->be_source[0];
    if (family == 4) {
        flow->key[0] |= be_ports << 32;
    } else {
        flow->key[1] = packet->be_source[1];
        flow->key[2] = be_ports;
    }

    __u64 hash = bsc_place_hash(flow->key, words_of(family), slot, table_key[0], table_key[1]);

    flow->place = family == 4 ? bsc_place_of(hash, pages4, BSC_SETS_PER_PAGE_V4)
                              : bsc_place_of(hash, pages6, BSC_SETS_PER_PAGE_V6);
}

static __always_inline __u32 idle_limit(const struct bsc_service *service, __u32 state)
{
    if (!(service->flags & BSC_SERVICE_IN_USE))
        return 0;
    if (state == BSC_ESTABLISHED)
        return service->limit_established;
    return state == BSC_CLOSING ? service->limit_closing : service->limit_embryonic;
}

/* ---- verified by themselves: what most packets do not need ----------------------------------- */

__noinline __u32 weigh(__u64 b, __u32 now)
{
    __u32 slot = bsc_service_of(b);
    struct bsc_service *service = bpf_map_lookup_elem(&services, &slot);

    return bsc_weight(b, now, service ? idle_limit(service, bsc_state_of(b)) : 0);
}

BSC_INLINE __u32 bsc_weigh(const void *limits, __u64 b, __u32 now)
{
    (void)limits;
    return weigh(b, now);
}

static __always_inline void count_new_session(__u64 b)
{
    __u32 service = bsc_service_of(b), backend = bsc_backend_of(b);
    struct bsc_traffic *of_service = bpf_map_lookup_elem(&service_traffic, &service);
    struct bsc_traffic *of_backend = bpf_map_lookup_elem(&backend_traffic, &backend);

    if (of_service)
        of_service->new_sessions++;
    if (of_backend)
        of_backend->new_sessions++;
    count_event(BSC_EVENT_SESSION_ESTABLISHED);
}

/* `after` has replaced `before`: counts and announces what that means to others. */
static __always_inline void tell_change(const struct flow *flow, __u64 before, __u64 after,
                                        const int family)
{
    __u32 from = bsc_state_of(before), to = bsc_state_of(after);

    if (to == BSC_ESTABLISHED && from != BSC_ESTABLISHED) {
        if (from != BSC_CLOSING)
            count_new_session(after);
        announce(BSC_DELTA_ESTABLISHED, flow->key, after, flow->now, family);
    } else if (to == BSC_CLOSING && from == BSC_ESTABLISHED) {
        count_event(BSC_EVENT_SESSION_CLOSED);
        announce(BSC_DELTA_CLOSED, flow->key, after, flow->now, family);
    } else if (from == BSC_ESTABLISHED &&
               bsc_is_unproven(to)) { /* was idle too long, begins anew */
        announce(BSC_DELTA_CLOSED, flow->key, before, flow->now, family);
    } else if (to == BSC_ESTABLISHED) {
        announce(BSC_DELTA_MOVED, flow->key, after, flow->now, family);
    }
}

__noinline int tell_change4(const struct flow *flow, __u64 before, __u64 after)
{
    if (flow)
        tell_change(flow, before, after, 4);
    return 0;
}

__noinline int tell_change6(const struct flow *flow, __u64 before, __u64 after)
{
    if (flow)
        tell_change(flow, before, after, 6);
    return 0;
}

static __always_inline void count_victim(__u32 rank)
{
    if (rank == BSC_RANK_EXPIRED)
        count_event(BSC_EVENT_VICTIM_EXPIRED);
    else if (rank == BSC_RANK_UNPROVEN)
        count_event(BSC_EVENT_VICTIM_EMBRYONIC);
    else if (rank == BSC_RANK_CLOSING)
        count_event(BSC_EVENT_VICTIM_CLOSING);
}

static __always_inline __u32 choose(const struct flow *flow, const int family)
{
    __u64 *first = set_at(flow->place.first, family);
    __u64 *second = set_at(flow->place.second, family);

    if (!first || !second)
        return BSC_NO_WAY;
    return bsc_choose(first, second, words_of(family), flow->now, 0, BSC_RANK_CLOSING);
}

__noinline __u32 choose4(const struct flow *flow)
{
    return flow ? choose(flow, 4) : BSC_NO_WAY;
}

__noinline __u32 choose6(const struct flow *flow)
{
    return flow ? choose(flow, 6) : BSC_NO_WAY;
}

/* The flow's session was published at `position` as `b`: another CPU may have done so, too. */
static __always_inline void settle(const struct flow *flow, __u32 position, __u64 b,
                                   const int family)
{
    const int words = words_of(family);
    __u64 *first = set_at(flow->place.first, family);
    __u64 *second = set_at(flow->place.second, family);
    int removed = 0;

    if (!first || !second)
        return;

    struct bsc_found mine = {bsc_way_at(first, second, position, words), b};

    bsc_settle(first, second, flow->key, words, flow->slot, mine, &removed);
    if (removed)
        count_event(BSC_EVENT_DUPLICATE);
}

__noinline int settle4(const struct flow *flow, __u32 position, __u64 b)
{
    if (flow)
        settle(flow, position, b, 4);
    return 0;
}

__noinline int settle6(const struct flow *flow, __u32 position, __u64 b)
{
    if (flow)
        settle(flow, position, b, 6);
    return 0;
}

/* One try at making `b` the flow's session where `choice` says; B as published, or 0. */
static __always_inline __u64 try_remember(const struct flow *flow, __u32 choice, __u64 b,
                                          const int family)
{
    const int words = words_of(family);
    __u32 position = bsc_position_of(choice);
    __u32 index = position < BSC_WAYS_PER_SET ? flow->place.first : flow->place.second;
    __u64 *set = set_at(index, family);

    if (!set)
        return 0;

    __u64 *way = bsc_way(set, position % BSC_WAYS_PER_SET, words);
    struct bsc_claim claim = bsc_claim(way, words, flow->now, 0, bsc_chosen_rank(choice));

    if (!claim.way)
        return 0;
    count_event(BSC_EVENT_SESSION_INSERTED);
    count_victim(claim.rank);
    if (bsc_state_of(claim.taken) == BSC_ESTABLISHED) /* expired, and the sweep will not see it */
        announce(BSC_DELTA_CLOSED, claim.way, claim.taken, flow->now, family);
    return bsc_publish(&claim, flow->key, words, b);
}

/* A new flow. Never displaces an established session. */
static __always_inline int remember(const struct flow *flow, __u64 b, const int family)
{
#pragma clang loop unroll(disable)
    for (int i = 0; i < CLAIM_TRIES; i++) {
        __u32 choice = family == 4 ? choose4(flow) : choose6(flow);

        if (choice == BSC_NO_WAY) {
            count_event(BSC_EVENT_TABLE_FULL);
            return 0;
        }

        __u64 published = try_remember(flow, choice, b, family);

        if (published)
            return family == 4 ? settle4(flow, bsc_position_of(choice), published)
                               : settle6(flow, bsc_position_of(choice), published);
    }
    count_event(BSC_EVENT_CLAIM_LOST);
    return 0;
}

__noinline int remember4(const struct flow *flow, __u64 b)
{
    return flow ? remember(flow, b, 4) : 0;
}

__noinline int remember6(const struct flow *flow, __u64 b)
{
    return flow ? remember(flow, b, 6) : 0;
}

/* ---- in the walk itself ---------------------------------------------------------------------- */

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
static __always_inline void keep(const struct flow *flow, struct bsc_found found,
                                 const struct bsc_sign *sign, const int family)
{
#pragma unroll
    for (int i = 0; i < 2; i++) {
        __u64 after = bsc_live(found.b, sign, flow->now);

        if (after == found.b || replace(flow, found, after, family))
            return;
        found.b = bsc_read_way(found.way, flow->key, words_of(family), flow->slot);
        if (!found.b)
            return;
    }
}

/* The hop word of a backend that may be given packets, else 0. */
static __always_inline __u64 hop_of(__u32 backend)
{
    struct bsc_backend *entry = bpf_map_lookup_elem(&backends, &backend);

    if (!entry)
        return 0;

    __u64 hop = bsc_load(&entry->hop);

    return hop & BSC_HOP_UP ? hop : 0;
}

static __always_inline __u32 generation_of(__u64 hop)
{
    return (hop >> BSC_HOP_GENERATION_SHIFT) & 0xff;
}

static __always_inline struct destination nowhere(__u32 reason)
{
    struct destination destination = {0, reason, 0};

    return destination;
}

/*
 * No session, one that is over, or one whose backend is gone (`moves`): the ring decides, and the
 * decision is remembered, in the old session's way where there is one.
 */
static __always_inline struct destination decide(const struct packet *packet,
                                                 const struct bsc_service *service,
                                                 const struct flow *flow, struct bsc_found old,
                                                 int moves, const int family)
{
    const struct bsc_sign *sign = &packet->sign;

    if (!moves && !sign->udp && !sign->syn && service->flags & BSC_SERVICE_UNKNOWN_DROP)
        return nowhere(BSC_DROP_UNKNOWN_SESSION);

    struct destination destination = {pick(packet, service, flow->slot, family), 0, 0};

    if (destination.backend)
        destination.hop = hop_of(destination.backend);
    if (!destination.hop)
        return nowhere(BSC_DROP_NO_BACKEND);
    if (!moves && (sign->fin || sign->rst)) /* the end of nothing is not remembered */
        return destination;

    __u64 target = bsc_target(destination.backend, generation_of(destination.hop));
    __u64 after = bsc_newborn(sign, flow->slot, target, flow->now);

    if (moves) {
        after = bsc_live((old.b & ~BSC_B_TARGET_MASK) | target, sign, flow->now);
    }
    after = (after & ~BSC_B_VERSION_MASK) | (old.b & BSC_B_VERSION_MASK);
    if (old.way && replace(flow, old, after, family)) {
        if (moves)
            count_event(BSC_EVENT_SESSION_MOVED);
        return destination;
    }
    if (moves) /* another CPU has moved it, or the next packet does */
        return destination;
    if (family == 4)
        remember4(flow, after);
    else
        remember6(flow, after);
    return destination;
}

static __always_inline struct bsc_found find_at(const struct flow *flow, __u32 index,
                                                const int family)
{
    struct bsc_found none = {};
    __u64 *set = set_at(index, family);

    return set ? bsc_find_in(set, flow->key, words_of(family), flow->slot) : none;
}

static __always_inline struct destination follow(const struct packet *packet,
                                                 const struct bsc_service *service, __u32 slot,
                                                 const int family)
{
    struct destination destination = {};
    struct bsc_found found;
    struct flow flow = {};

    locate(packet, slot, &flow, family);
    found = find_at(&flow, flow.place.first, family);
    if (!found.way)
        found = find_at(&flow, flow.place.second, family);
    if (!found.way || bsc_begins_anew(found.b, &packet->sign, flow.now) ||
        bsc_age(found.b, flow.now) > idle_limit(service, bsc_state_of(found.b)))
        return decide(packet, service, &flow, found, 0, family);

    destination.backend = bsc_backend_of(found.b);
    destination.hop = hop_of(destination.backend);
    if (!destination.hop || generation_of(destination.hop) != bsc_generation_of(found.b))
        return decide(packet, service, &flow, found, 1, family);
    keep(&flow, found, &packet->sign, family);
    return destination;
}

#endif
