/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The session table: sets of ways, shared by XDP on every CPU and by user space, without a lock.
 * This file is the protocol, compiled for both; whoever touches the table does it by these
 * functions and by no others.
 *
 *   insert   claim a way by CAS on B (state busy, version + 1), write the key, store B.
 *            Then look for another way with the same key: of two that were inserted at once the
 *            less advanced one, or else the later one, is freed. Both inserters store before they
 *            look, with a full barrier between, so at least one of them sees the other.
 *   read     B, key, B, key: believed when the version stood still and the key is there again.
 *            B may change between (another CPU's packet of the same flow); its latest value counts.
 *            The second look at the key is for a reader that slept while versions went full circle.
 *   change   CAS on B: the state, the target or the stamp of a session that was read.
 *   free     CAS on B to state free; the version stays.
 *
 * `words` is the number of key words, a constant where it is called, so one text serves both
 * families. Words of IPv4 and IPv6 keys stand in contract.h.
 */
#ifndef BASCULE_BPF_SESSION_TABLE_H
#define BASCULE_BPF_SESSION_TABLE_H

#include "session_word.h"

#ifdef __cplusplus
#pragma GCC system_header /* C casts and conversions */
#endif

/* Defined by the includer, who knows the idle limits: bsc_weight() of the way's word. (Two worlds,
 * and in BPF a function that is verified by itself, or eight ways would be 4^8 paths.) */
BSC_INLINE __u32 bsc_weigh(const void *limits, __u64 b, __u32 now);

/* ---- where a flow may be ------------------------------------------------------------------- */

struct bsc_place {
    __u32 first; /* index of a set; both lie in one page, so one TLB entry serves both */
    __u32 second;
};

/* Multiply and fold, keyed: cheap, since all that an aimed collision could win is to displace
 * unproven sessions. (What chooses a backend is SipHash, in siphash.h.) */
BSC_INLINE __u64 bsc_fold(__u64 value, __u64 key)
{
    value = (value ^ key) * 0x9e3779b97f4a7c15ULL;
    return value ^ (value >> 32);
}

/* The service counts, too: a client that uses one port towards many VIPs (SIP, IKE, DNS) must not
 * crowd a single pair of sets. The words of an IPv6 key are multiplied side by side. Whoever
 * changes this, or bsc_place_of, raises BSC_PLACEMENT. */
BSC_INLINE __u64 bsc_place_hash(const __u64 *key, const int words, __u32 service, __u64 table_key0,
                                __u64 table_key1)
{
    __u64 hash = bsc_fold(key[0], table_key0);

    if (words > 1) {
        __u64 low = bsc_fold(key[1], table_key1);

        hash += (low << 24 | low >> 40) + key[2] * 0xff51afd7ed558ccdULL;
    }
    return bsc_fold(hash + service, table_key1) * 0xd6e8feb86659fd93ULL;
}

BSC_INLINE struct bsc_place bsc_place_of(__u64 hash, __u32 pages, const __u32 sets_per_page)
{
    __u32 page = ((hash >> 32) * pages) >> 32;
    __u32 first = (hash >> 8) & (sets_per_page - 1);
    /* odd, so never 0: the two sets differ */
    __u32 other = ((hash >> 16) & (sets_per_page - 1)) | 1;
    struct bsc_place place = {page * sets_per_page + first, page * sets_per_page + (first ^ other)};

    return place;
}

/* ---- reading --------------------------------------------------------------------------------- */

BSC_INLINE __u64 *bsc_way(__u64 *set, int index, const int words)
{
    return set + index * (words + 1);
}

BSC_INLINE int bsc_key_is(const __u64 *way, const __u64 *key, const int words)
{
    if (bsc_load(way) != key[0])
        return 0;
    return words == 1 || (bsc_load(way + 1) == key[1] && bsc_load(way + 2) == key[2]);
}

/* B when the way holds this key of this service, else 0. */
BSC_INLINE __u64 bsc_read_way(const __u64 *way, const __u64 *key, const int words, __u32 service)
{
    if (bsc_load(way) != key[0]) /* only a hint: saves the rest for nearly all ways */
        return 0;

    __u64 before = bsc_load(way + words);
    int same = bsc_key_is(way, key, words);
    __u64 after = bsc_load(way + words);

    if (!same || !bsc_is_live(before) || !bsc_is_live(after))
        return 0;
    if ((before ^ after) & BSC_B_VERSION_MASK)
        return 0;
    if (!bsc_key_is(way, key, words))
        return 0;
    return bsc_service_of(after) == service ? after : 0;
}

struct bsc_found {
    __u64 *way; /* 0: not found */
    __u64 b;
};

BSC_INLINE struct bsc_found bsc_find_in(__u64 *set, const __u64 *key, const int words,
                                        __u32 service)
{
    struct bsc_found found = {0, 0};

    for (int i = 0; i < BSC_WAYS_PER_SET; i++) {
        __u64 *way = bsc_way(set, i, words);
        __u64 b = bsc_read_way(way, key, words, service);

        if (b) {
            found.way = way;
            found.b = b;
            return found;
        }
    }
    return found;
}

/* ---- who makes room -------------------------------------------------------------------------- */

/* The order of victims. A newcomer may take a way whose rank is at most what it is allowed. */
enum bsc_rank {
    BSC_RANK_FREE = 0,
    BSC_RANK_EXPIRED = 1,
    BSC_RANK_UNPROVEN = 2,
    BSC_RANK_CLOSING = 3,
    BSC_RANK_ESTABLISHED = 4,
    BSC_RANK_NEVER = 5, /* being written */
};

/* `idle_limit`: of the session's service and state, seconds; 0 when the service is gone. */
BSC_INLINE __u32 bsc_rank_of(__u64 b, __u32 now, __u32 idle_limit)
{
    __u32 state = bsc_state_of(b);

    if (state == BSC_FREE)
        return BSC_RANK_FREE;
    if (state == BSC_BUSY)
        return BSC_RANK_NEVER;
    if (bsc_age(b, now) > idle_limit)
        return BSC_RANK_EXPIRED;
    if (state == BSC_ESTABLISHED)
        return BSC_RANK_ESTABLISHED;
    return state == BSC_CLOSING ? BSC_RANK_CLOSING : BSC_RANK_UNPROVEN;
}

/* The lowest weight makes room: by rank, then the longest idle. */
BSC_INLINE __u32 bsc_weight(__u64 b, __u32 now, __u32 idle_limit)
{
    return bsc_rank_of(b, now, idle_limit) << 20 | (0xfffff - bsc_age(b, now));
}

/* Ways of both candidate sets in one count: 0..3 in the first, 4..7 in the second. */
#define BSC_NO_WAY (2 * BSC_WAYS_PER_SET)

BSC_INLINE __u64 *bsc_way_at(__u64 *first, __u64 *second, __u32 position, const int words)
{
    __u64 *set = position < BSC_WAYS_PER_SET ? first : second;

    return bsc_way(set, position % BSC_WAYS_PER_SET, words);
}

/* How many ways of the set are free; `*index` is one of them. */
BSC_INLINE __u32 bsc_free_ways(const __u64 *set, const int words, __u32 *index)
{
    __u32 count = 0;

    for (int i = BSC_WAYS_PER_SET - 1; i >= 0; i--) {
        if (bsc_state_of(bsc_load(set + i * (words + 1) + words)) == BSC_FREE) {
            *index = i;
            count++;
        }
    }
    return count;
}

/* What bsc_choose answers: a position, and the rank of what stands there; or BSC_NO_WAY. */
BSC_INLINE __u32 bsc_choice(__u32 position, __u32 rank)
{
    return rank << 4 | position;
}

BSC_INLINE __u32 bsc_position_of(__u32 choice)
{
    return choice % BSC_NO_WAY;
}

BSC_INLINE __u32 bsc_chosen_rank(__u32 choice)
{
    return choice >> 4;
}

/*
 * The way that a newcomer should take. A free one, if there is any: in the first set
 * while two are free there (so that most flows are found at the first look), else in the emptier
 * set (two choices: Azar et al., "Balanced Allocations", 1994). Else the best victim whose rank is
 * allowed; else BSC_NO_WAY.
 */
BSC_INLINE __u32 bsc_choose(__u64 *first, __u64 *second, const int words, __u32 now,
                            const void *limits, __u32 allowed)
{
    __u32 in_first = 0, in_second = 0;
    __u32 free_first = bsc_free_ways(first, words, &in_first);
    __u32 free_second = bsc_free_ways(second, words, &in_second);
    __u32 best = (allowed + 1) << 20, choice = BSC_NO_WAY;

    if (free_first && (free_first >= 2 || free_first >= free_second))
        return bsc_choice(in_first, BSC_RANK_FREE);
    if (free_second)
        return bsc_choice(BSC_WAYS_PER_SET + in_second, BSC_RANK_FREE);
    for (__u32 i = 0; i < 2 * BSC_WAYS_PER_SET; i++) {
        __u32 weight =
            bsc_weigh(limits, bsc_load(bsc_way_at(first, second, i, words) + words), now);

        if (weight < best) {
            best = weight;
            choice = bsc_choice(i, weight >> 20);
        }
    }
    return choice;
}

/* ---- inserting ------------------------------------------------------------------------------- */

struct bsc_claim {
    __u64 *way;  /* 0: the race for it was lost */
    __u64 b;     /* the busy word that stands there now */
    __u64 taken; /* what stood there before */
    __u32 rank;  /* of what was taken */
};

/* Takes the way, if what stands there has a rank that is allowed: the one that was chosen, or a
 * better victim. What another CPU has put there since is left alone. */
BSC_INLINE struct bsc_claim bsc_claim(__u64 *way, const int words, __u32 now, const void *limits,
                                      __u32 allowed)
{
    __u64 old = bsc_load(way + words);
    __u64 version = (old + (1ULL << BSC_B_VERSION_SHIFT)) & BSC_B_VERSION_MASK;
    __u64 busy = BSC_BUSY | version | (__u64)now << BSC_B_STAMP_SHIFT;
    struct bsc_claim claim = {0, busy, old, bsc_weigh(limits, old, now) >> 20};

    if (claim.rank <= allowed && bsc_cas(way + words, old, busy))
        claim.way = way;
    return claim;
}

/* The key, then B with a full barrier behind it. Returns B as it stands. */
BSC_INLINE __u64 bsc_publish(const struct bsc_claim *claim, const __u64 *key, const int words,
                             __u64 b)
{
    __u64 value = (b & ~BSC_B_VERSION_MASK) | (claim->b & BSC_B_VERSION_MASK);

    bsc_store(claim->way, key[0]);
    if (words > 1) {
        bsc_store(claim->way + 1, key[1]);
        bsc_store(claim->way + 2, key[2]);
    }
    bsc_store_fenced(claim->way + words, value);
    return value;
}

BSC_INLINE int bsc_free(__u64 *way, const int words, __u64 b)
{
    return bsc_cas(way + words, b, b & BSC_B_VERSION_MASK);
}

/* Is there another way with this key in the set? */
BSC_INLINE struct bsc_found bsc_find_other(__u64 *set, const __u64 *key, const int words,
                                           __u32 service, const __u64 *mine)
{
    struct bsc_found found = {0, 0};

    for (int i = 0; i < BSC_WAYS_PER_SET; i++) {
        __u64 *way = bsc_way(set, i, words);
        __u64 b = way == mine ? 0 : bsc_read_way(way, key, words, service);

        if (b) {
            found.way = way;
            found.b = b;
        }
    }
    return found;
}

/*
 * After publishing: if another CPU inserted the same key at once, the less advanced copy goes, or
 * of equals the one that stands later in the two sets as every inserter of this key sees them.
 * Returns the copy that stays; `*removed` is set when one went.
 */
BSC_INLINE struct bsc_found bsc_settle(__u64 *first, __u64 *second, const __u64 *key,
                                       const int words, __u32 service, struct bsc_found mine,
                                       int *removed)
{
    struct bsc_found other = bsc_find_other(first, key, words, service, mine.way);

    if (!other.way)
        other = bsc_find_other(second, key, words, service, mine.way);
    if (!other.way)
        return mine;

    __u32 my_state = bsc_state_of(mine.b), its_state = bsc_state_of(other.b);
    int mine_stays = my_state != its_state ? my_state > its_state : mine.way < other.way;

    if (mine_stays) {
        *removed = bsc_free(other.way, words, other.b);
        return mine;
    }
    *removed = bsc_free(mine.way, words, mine.b);
    return other;
}

#endif
