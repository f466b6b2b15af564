// SPDX-License-Identifier: Apache-2.0
// The derivation against RFC 5869's vectors, and each use against values that a program of its own
// has computed: they must never change, or two releases would not understand each other.
#include "sync/key_schedule.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <numeric>
#include <set>
#include <vector>

namespace bascule::sync {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes rising(std::uint8_t first, std::size_t count) {
    Bytes out(count);
    std::iota(out.begin(), out.end(), first);
    return out;
}

std::string hex(const SecretKey& key) {
    std::string out;
    for (const std::uint8_t byte : key) {
        char text[3];
        std::snprintf(text, sizeof text, "%02x", byte);
        out += text;
    }
    return out;
}

SecretKey key_0_to_31() {
    SecretKey key;
    std::iota(key.begin(), key.end(), std::uint8_t{0});
    return key;
}

// RFC 5869, A.1 to A.3; the first 32 bytes of what they give.
TEST(Hkdf, RfcVectors) {
    EXPECT_EQ(hex(hkdf_sha256(Bytes(22, 0x0b), rising(0, 13), rising(0xf0, 10))),
              "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
    EXPECT_EQ(hex(hkdf_sha256(rising(0, 80), rising(0x60, 80), rising(0xb0, 80))),
              "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c");
    EXPECT_EQ(hex(hkdf_sha256(Bytes(22, 0x0b), {}, {})),
              "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

TEST(KeySchedule, KnownAnswers) {
    const SecretKey key = key_0_to_31();
    EXPECT_EQ(hex(heartbeat_key(key, "main", "lb1")),
              "909a97b6d2a30e146968f89d6a8da0ca6839992c4ffeba71c23775ddabaab4ae");
    EXPECT_EQ(hex(stream_key(key, "main", "lb1", "lb2")),
              "5ef7af7711923b1dc28ca0bd8014adab8c991740399ab8e7eb4dae0a330b7d26");
    EXPECT_EQ(key_id(key), 0xc83fa343);
    EXPECT_EQ(cluster_id("main"), 0x16b44205U);
    EXPECT_EQ(node_id("lb1"), 0x948e922460ded069U);
}

TEST(KeySchedule, AStreamHasOneKeyAtBothEnds) {
    const SecretKey key = key_0_to_31();
    EXPECT_EQ(stream_key(key, "main", "lb1", "lb2"), stream_key(key, "main", "lb2", "lb1"));
}

TEST(KeySchedule, NoTwoUsesShareAKey) {
    const SecretKey key = key_0_to_31();
    SecretKey other = key;
    other[31] ^= 1;
    const std::vector<SecretKey> all{
        key,
        heartbeat_key(key, "main", "lb1"),
        heartbeat_key(key, "main", "lb2"),
        heartbeat_key(key, "mainl", "b1"),  // the same letters, parted elsewhere
        heartbeat_key(key, "", "mainlb1"),
        heartbeat_key(other, "main", "lb1"),
        stream_key(key, "main", "lb1", "lb2"),
        stream_key(key, "main", "lb1", "lb3"),
        stream_key(key, "main", "lb", "1lb2"),
        stream_key(key, "mainlb1", "", "lb2"),
        stream_key(other, "main", "lb1", "lb2"),
    };
    EXPECT_EQ(std::set<SecretKey>(all.begin(), all.end()).size(), all.size());
    EXPECT_NE(key_id(key), key_id(other));
    EXPECT_NE(cluster_id("main"), cluster_id("other"));
}

}  // namespace
}  // namespace bascule::sync
