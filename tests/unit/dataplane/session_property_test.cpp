// SPDX-License-Identifier: Apache-2.0
// What the table promises: it holds what it is sized for, and no flood of new flows ever costs an
// established session.
#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <vector>

#include "support/native_table.h"

namespace bascule::test {
namespace {

constexpr std::uint32_t now = 100'000;
constexpr NativeLimits limits;

// How clients come: anywhere, from one net, or many ports of a few hosts (a proxy, a load test).
enum class Crowd { anywhere, one_net, few_hosts };
constexpr Crowd crowds[] = {Crowd::anywhere, Crowd::one_net, Crowd::few_hosts};

template <int Words>
NativeKey<Words> key_of(Crowd crowd, std::uint64_t i) {
    std::uint64_t host = 0;
    std::uint64_t port = 0;
    switch (crowd) {
        case Crowd::anywhere: {
            const std::uint64_t mixed = (i + 1) * 0x9e3779b97f4a7c15ULL;  // a bijection
            host = mixed & 0xffffffff;
            port = mixed >> 48;
            break;
        }
        case Crowd::one_net:
            host = 10 | (i & 0xffff) << 16;
            port = 1024 + (i >> 16);
            break;
        case Crowd::few_hosts:
            host = 10 | (i / 50'000) << 24;
            port = 10'000 + i % 50'000;
            break;
    }
    NativeKey<Words> key;
    if constexpr (Words == BSC_KEY_WORDS_V4) {
        key.word[0] = host | port << 32 | 0x5000ULL << 48;
    } else {
        key.word[0] = 0xb80d0120;
        key.word[1] = host << 32;
        key.word[2] = port | 0x5000 << 16;
    }
    key.service = 3;
    return key;
}

__u64 word(bsc_state state, std::uint32_t age = 0) {
    return state | bsc_target(1, 1) | bsc_stamp(state, now - age);
}

template <int Words>
void expect_room_for(std::uint32_t sessions, std::uint32_t sessions_per_page,
                     std::size_t bytes_each) {
    for (const Crowd crowd : crowds) {
        NativeTable<Words> table(sessions / sessions_per_page);
        std::uint32_t displaced = 0;
        for (std::uint32_t i = 0; i < sessions; i++)
            displaced += table.insert(key_of<Words>(crowd, i), word(BSC_ESTABLISHED), now, &limits,
                                      BSC_RANK_ESTABLISHED) != Inserted::in_free;
        std::uint32_t found = 0;
        for (std::uint32_t i = 0; i < sessions; i++)
            found += table.find(key_of<Words>(crowd, i)).way != nullptr;
        const double bytes = static_cast<double>(table.bytes()) / sessions;
        std::cout << "crowd " << static_cast<int>(crowd) << ": " << sessions << " sessions, "
                  << bytes << " bytes each, " << displaced << " displaced\n";
        EXPECT_LE(displaced, sessions / 1000);
        EXPECT_EQ(found + displaced, sessions);
        EXPECT_LE(bytes, static_cast<double>(bytes_each));
    }
}

TEST(SessionCapacity, AMillionV4) {
    expect_room_for<1>(1'000'000, 128, 32);
}

TEST(SessionCapacity, TwoHundredThousandV6) {
    expect_room_for<3>(200'000, 64, 64);
}

template <int Words>
void expect_flood_costs_nothing(std::uint32_t sessions, std::uint32_t sessions_per_page,
                                std::uint32_t flood) {
    NativeTable<Words> table(sessions / sessions_per_page);
    std::vector<std::uint32_t> standing;
    for (std::uint32_t i = 0; i < sessions; i++)
        if (table.insert(key_of<Words>(Crowd::few_hosts, i), word(BSC_ESTABLISHED), now, &limits,
                         BSC_RANK_CLOSING) == Inserted::in_free)
            standing.push_back(i);
    std::uint64_t in_free = 0;
    std::uint64_t displaced = 0;
    std::uint64_t without_room = 0;
    for (std::uint32_t i = 0; i < flood; i++) {
        __u64 taken = 0;
        switch (table.insert(key_of<Words>(Crowd::anywhere, i), word(BSC_EMBRYONIC), now, &limits,
                             BSC_RANK_CLOSING, &taken)) {
            case Inserted::in_free:
                in_free++;
                break;
            case Inserted::displaced:
                displaced++;
                break;
            default:
                without_room++;
                break;
        }
        ASSERT_NE(bsc_state_of(taken), static_cast<std::uint32_t>(BSC_ESTABLISHED));
    }
    std::uint64_t lost = 0;
    for (const std::uint32_t i : standing)
        lost += table.find(key_of<Words>(Crowd::few_hosts, i)).way == nullptr;
    std::cout << standing.size() << " established; of " << flood << " SYNs " << in_free
              << " found a free way, " << displaced << " took another's, " << without_room
              << " found no room\n";
    EXPECT_GT(standing.size(), sessions - sessions / 1000);
    EXPECT_GT(displaced, 0U);
    EXPECT_EQ(lost, 0U);
}

TEST(SessionFlood, AMillionSynsCostNoEstablishedV4Session) {
    expect_flood_costs_nothing<1>(500'000, 128, 1'500'000);
}

TEST(SessionFlood, AMillionSynsCostNoEstablishedV6Session) {
    expect_flood_costs_nothing<3>(200'000, 64, 1'000'000);
}

// Keys that all have the same two sets.
std::vector<TableV4::Key> rivals(const TableV4& table, std::size_t count) {
    std::vector<TableV4::Key> keys;
    const auto wanted = table.place(key_of<1>(Crowd::anywhere, 0));
    for (std::uint64_t i = 0; keys.size() < count; i++) {
        const auto key = key_of<1>(Crowd::anywhere, i);
        const auto at = table.place(key);
        if (at.first == wanted.first && at.second == wanted.second) keys.push_back(key);
    }
    return keys;
}

TEST(SessionVictims, GoInOrder) {
    const TableV4 table(1);
    const auto keys = rivals(table, 20);
    // Of each kind an older and a younger one; expired ones of two kinds.
    const __u64 standing[8] = {word(BSC_ESTABLISHED, 5), word(BSC_ESTABLISHED, 900),
                               word(BSC_CLOSING, 3),     word(BSC_CLOSING, 20),
                               word(BSC_EMBRYONIC, 1),   word(BSC_ADOPTED, 40),
                               word(BSC_EMBRYONIC, 100), word(BSC_ESTABLISHED, 4000)};
    for (std::size_t i = 0; i < 8; i++)
        ASSERT_EQ(table.insert(keys[i], standing[i], now, &limits, BSC_RANK_NEVER - 1),
                  Inserted::in_free);
    // Newcomers that are never victims themselves: just established.
    std::vector<std::size_t> order;
    for (std::size_t n = 0; n < 8; n++) {
        __u64 taken = 0;
        ASSERT_EQ(table.insert(keys[8 + n], word(BSC_ESTABLISHED, 0), now, &limits,
                               BSC_RANK_ESTABLISHED, &taken),
                  Inserted::displaced);
        for (std::size_t i = 0; i < 8; i++)
            if ((taken & ~(BSC_B_VERSION_MASK | BSC_B_SERVICE_MASK)) == standing[i])
                order.push_back(i);
    }
    EXPECT_EQ(order, (std::vector<std::size_t>{7, 6, 5, 4, 3, 2, 1, 0}));
}

TEST(SessionVictims, NoneWhereAllAreWorthMore) {
    const TableV4 table(1);
    const auto keys = rivals(table, 9);
    for (std::size_t i = 0; i < 8; i++)
        table.insert(keys[i], word(BSC_ESTABLISHED, 10), now, &limits, BSC_RANK_CLOSING);
    EXPECT_EQ(table.insert(keys[8], word(BSC_EMBRYONIC), now, &limits, BSC_RANK_CLOSING),
              Inserted::no_room);
}

TEST(SessionVictims, ABusyWayIsNobodys) {
    const TableV4 table(1);
    const auto keys = rivals(table, 1);
    const bsc_place at = table.place(keys[0]);
    const __u64 busy = BSC_BUSY | bsc_stamp(BSC_BUSY, now - 5000);
    for (const std::uint32_t set : {at.first, at.second})
        for (int i = 0; i < BSC_WAYS_PER_SET; i++)
            bsc_store(bsc_way(table.set(set), i, 1) + 1, busy);
    EXPECT_EQ(table.insert(keys[0], word(BSC_ESTABLISHED), now, &limits, BSC_RANK_ESTABLISHED),
              Inserted::no_room);
}

// Each claim of a way has another version, round and round.
TEST(SessionVersions, GoUpAtEachClaim) {
    const TableV4 table(1);
    const auto keys = rivals(table, 1);
    std::uint32_t expected = 0;
    for (int round = 0; round < 40; round++) {
        table.insert(keys[0], word(BSC_EMBRYONIC), now, &limits, BSC_RANK_CLOSING);
        const bsc_found found = table.find(keys[0]);
        ASSERT_NE(found.way, nullptr);
        expected = (expected + 1) % 16;
        EXPECT_EQ((found.b & BSC_B_VERSION_MASK) >> BSC_B_VERSION_SHIFT, expected);
        EXPECT_TRUE(bsc_free(found.way, 1, found.b));
        EXPECT_EQ(table.find(keys[0]).way, nullptr);
    }
}

// A page's sets are used by both choices, and the two always differ.
TEST(SessionPlaces, TwoSetsOfOnePage) {
    std::vector<std::uint32_t> hits(std::size_t{50} * BSC_SETS_PER_PAGE_V6);
    std::mt19937_64 random(7);
    for (int i = 0; i < 200'000; i++) {
        const bsc_place at = bsc_place_of(random(), 50, BSC_SETS_PER_PAGE_V6);
        ASSERT_NE(at.first, at.second);
        ASSERT_EQ(at.first / BSC_SETS_PER_PAGE_V6, at.second / BSC_SETS_PER_PAGE_V6);
        ASSERT_LT(at.first, hits.size());
        hits[at.first]++;
        hits[at.second]++;
    }
    for (const std::uint32_t count : hits)
        EXPECT_GT(count, 100U);  // 250 on average
}

}  // namespace
}  // namespace bascule::test
