// SPDX-License-Identifier: Apache-2.0
#include "model/maglev.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>

#include "bpf/contract.h"

namespace bascule::model {
namespace {

constexpr std::uint32_t ring_size = 65537;

RingMember member(unsigned n, std::uint32_t weight) {
    const Address address =
        Address::v4({10, 9, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n & 255)});
    return {{address, 80}, weight, static_cast<std::uint16_t>(n)};
}

std::vector<RingMember> members(const std::vector<std::uint32_t>& weights) {
    std::vector<RingMember> all;
    for (const std::uint32_t weight : weights)
        all.push_back(member(static_cast<unsigned>(all.size()) + 1, weight));
    return all;
}

std::map<std::uint16_t, double> shares(const std::vector<std::uint16_t>& ring) {
    std::map<std::uint16_t, double> share;
    for (const std::uint16_t value : ring)
        share[value] += 1.0 / static_cast<double>(ring.size());
    return share;
}

double moved(const std::vector<std::uint16_t>& a, const std::vector<std::uint16_t>& b) {
    EXPECT_EQ(a.size(), b.size());
    std::size_t different = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        different += a[i] != b[i] ? 1 : 0;
    return static_cast<double>(different) / static_cast<double>(a.size());
}

TEST(Maglev, OrderOfMembersDoesNotMatter) {
    std::vector<RingMember> all = members({100, 50, 100, 7, 100, 0, 300, 1});
    const auto ring = build_ring(all, ring_size);
    std::mt19937 random(7);
    for (int round = 0; round < 5; ++round) {
        std::shuffle(all.begin(), all.end(), random);
        EXPECT_EQ(build_ring(all, ring_size), ring);
    }
}

TEST(Maglev, ValueIsNoPartOfTheIdentity) {
    std::vector<RingMember> all = members({100, 100, 100});
    const auto ring = build_ring(all, 307);
    for (RingMember& one : all)
        one.value = static_cast<std::uint16_t>(one.value + 500);
    auto expected = ring;
    for (std::uint16_t& value : expected)
        value = static_cast<std::uint16_t>(value + 500);
    EXPECT_EQ(build_ring(all, 307), expected);
}

// Nodes of different versions share flows, so the ring may never change for the same members.
TEST(Maglev, StaysTheSameForEver) {
    std::vector<RingMember> all = members({100, 50, 200});
    all.push_back({{Address::parse("2001:db8::7").value(), 443}, 100, 4});
    std::uint64_t checksum = 0;
    for (const std::uint16_t value : build_ring(all, ring_size))
        checksum = checksum * 31 + value;
    EXPECT_EQ(checksum, 11602968392554306441u);
    EXPECT_EQ(build_ring(all, 13),
              (std::vector<std::uint16_t>{1, 4, 1, 2, 3, 3, 1, 4, 3, 3, 4, 3, 2}));
}

TEST(Maglev, EqualWeightsGetEqualShares) {
    for (const auto& [value, share] : shares(build_ring(members(std::vector(10, 100u)), ring_size)))
        EXPECT_NEAR(share, 0.1, 0.001) << value;
}

TEST(Maglev, SharesFollowWeights) {
    const std::vector<std::vector<std::uint32_t>> sets = {
        {1, 2, 7}, {100, 1}, {1, 1, 1, 97}, {50, 100, 150, 200}, {65535, 1}, {3}, {10, 0, 10}};
    for (const auto& weights : sets) {
        const auto share = shares(build_ring(members(weights), ring_size));
        double total = 0;
        for (const std::uint32_t weight : weights)
            total += weight;
        for (std::size_t i = 0; i < weights.size(); ++i) {
            const auto value = static_cast<std::uint16_t>(i + 1);
            const double expected = weights[i] / total;
            EXPECT_EQ(share.contains(value), weights[i] > 0);
            // Within 1 % of the share, and two slots for those that have nearly none.
            if (weights[i] == 0) continue;
            EXPECT_NEAR(share.at(value), expected, expected * 0.01 + 2.0 / ring_size);
        }
    }
}

TEST(Maglev, EveryMemberWithWeightGetsASlot) {
    std::vector<std::uint32_t> weights(101, 1);
    weights[40] = 65535;
    EXPECT_EQ(shares(build_ring(members(weights), 101)).size(), 101u);
}

TEST(Maglev, RemovingOneOfTenMovesLittle) {
    const auto all = members(std::vector(10, 100u));
    const auto ring = build_ring(all, ring_size);
    for (std::size_t gone = 0; gone < all.size(); ++gone) {
        auto rest = all;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(gone));
        const auto less = build_ring(rest, ring_size);
        // The same two rings are adding one to nine, read backwards.
        EXPECT_LE(moved(ring, less), 0.12) << gone;
        EXPECT_GE(moved(ring, less), 0.09) << gone;
    }
}

TEST(Maglev, WeightChangeMovesLittle) {
    auto all = members(std::vector(10, 100u));
    const auto ring = build_ring(all, ring_size);
    all[3].weight = 50;  // its share falls from 10 % to 5.3 %
    EXPECT_LE(moved(ring, build_ring(all, ring_size)), 0.10);
    all[3].weight = 200;  // 10 % to 18.2 %
    EXPECT_LE(moved(ring, build_ring(all, ring_size)), 0.20);
}

TEST(Maglev, ThousandBackendsShareEvenly) {
    const auto ring = build_ring(members(std::vector(1000, 100u)), smallest_ring(1000));
    const auto share = shares(ring);
    ASSERT_EQ(share.size(), 1000u);
    for (const auto& [value, part] : share)
        EXPECT_NEAR(part, 0.001, 0.00002);
}

TEST(Maglev, NoWeightNoRing) {
    EXPECT_TRUE(build_ring({}, ring_size).empty());
    EXPECT_TRUE(build_ring(members({0, 0}), ring_size).empty());
}

TEST(Maglev, SizeThatIsNoPrimeGivesNoRing) {
    for (const std::uint32_t size : {0u, 1u, 2u, 4u, 65536u})
        EXPECT_TRUE(build_ring(members({1, 1}), size).empty()) << size;
    EXPECT_EQ(build_ring(members({1, 1}), 3).size(), 3u);
}

TEST(Primes, KnowsThem) {
    for (const std::uint32_t n : {2u, 3u, 5u, 7u, 251u, 65537u, 1048573u, 4294967291u})
        EXPECT_TRUE(is_prime(n)) << n;
    for (const std::uint32_t n : {0u, 1u, 4u, 9u, 65535u, 65536u, 1048575u, 4294967295u})
        EXPECT_FALSE(is_prime(n)) << n;
    EXPECT_TRUE(is_prime(BSC_RING_MAX));
    EXPECT_TRUE(is_prime(BSC_RING_DEFAULT));
}

TEST(Primes, SmallestRingHasAHundredSlotsABackend) {
    EXPECT_EQ(smallest_ring(0), 101u);
    EXPECT_EQ(smallest_ring(1), 101u);
    EXPECT_EQ(smallest_ring(10), 1009u);
    EXPECT_EQ(smallest_ring(655), 65519u);
    EXPECT_LE(smallest_ring(10485), std::uint32_t{BSC_RING_MAX});
    EXPECT_GE(smallest_ring(10485), 1048500u);
    EXPECT_EQ(smallest_ring(10486), 0u);
    EXPECT_EQ(smallest_ring(70000), 0u);
}

}  // namespace
}  // namespace bascule::model
