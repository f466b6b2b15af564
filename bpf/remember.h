/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What most packets do not need: room for a new session, and telling others what became of one.
 * Functions that the verifier checks by themselves. The table's protocol is in session_table.h.
 */
#ifndef BASCULE_BPF_REMEMBER_H
#define BASCULE_BPF_REMEMBER_H

#include "delta.h"
#include "flow.h"
#include "maps.h"

#define CLAIM_TRIES 3

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

#endif
