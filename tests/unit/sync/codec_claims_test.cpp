// SPDX-License-Identifier: Apache-2.0
// Claims of VIPs in heartbeats: what fits, what comes back, what is refused.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <stdexcept>

#include "sync/codec.h"
#include "sync/codec_bounds.h"
#include "sync/seal.h"
#include "tests/unit/sync/wire_bytes.h"

namespace bascule::sync {
namespace {

using test::bytes_of;
using test::fixed;
using test::fixed64;
using test::nested;
using test::number;
using test::numbers;

constexpr std::uint64_t most64 = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t most32 = std::numeric_limits<std::uint32_t>::max();

Heartbeat beat() {
    Heartbeat out;
    out.node = "lb1";
    out.to = "lb2";
    out.incarnation = 1;
    return out;
}

std::vector<VipClaim> most_claims() {
    std::vector<VipClaim> out;
    for (std::uint32_t i = 0; i < most_vips; ++i)
        out.push_back({.vip = most32 - i,
                       .role = VipRole::offering,
                       .epoch = most_epoch,
                       .priority = 255,
                       .moved = true,
                       .heard = false,
                       .holder = 255});
    return out;
}

// With everything at its greatest: 64 VIPs and the longest names.
Heartbeat greatest() {
    Heartbeat out;
    out.version = most32;
    out.needs = protocol_version;
    out.node = std::string(most_name, 'a');
    out.to = std::string(most_name, 'b');
    out.incarnation = most64;
    out.path = most32;
    out.sequence = out.sent = out.wall = most64;
    out.echoes.assign(most_echoes, {most64, most64, most64, most64});
    out.probe = out.hears = true;
    out.facts = {.attached = true,
                 .links_up = true,
                 .witness = true,
                 .synced = true,
                 .leaving = true,
                 .config_hash = most64,
                 .ring_hash = most64,
                 .shared_digest = most64,
                 .release = std::string(most_release, '9')};
    out.claims = most_claims();
    return out;
}

TEST(CodecClaims, TheGreatestHeartbeatFitsADatagram) {
    const Heartbeat heartbeat = greatest();
    const std::string bytes = encode_heartbeat(heartbeat);
    EXPECT_EQ(decode_heartbeat(bytes_of(bytes)), heartbeat);
    ClusterKeys keys;
    keys.keys.emplace_back();
    HeartbeatSealer sealer(keys, "main", heartbeat.node);
    const auto datagram = sealer.seal(heartbeat);
    EXPECT_FALSE(datagram.empty());
    EXPECT_LE(datagram.size(), most_datagram);
    HeartbeatOpener opener(keys, "main", heartbeat.to, {heartbeat.node});
    const auto opened = opener.open(datagram);
    EXPECT_EQ(opened.why, Unopened::none);
    EXPECT_EQ(opened.heartbeat, heartbeat);
    Heartbeat without = heartbeat;
    without.claims.clear();
    std::printf("%zu bytes of plain text, %zu of them claims; a datagram of %zu, at most %zu\n",
                bytes.size(), bytes.size() - encode_heartbeat(without).size(), datagram.size(),
                most_datagram);
}

TEST(CodecClaims, EachRoleComesBack) {
    Heartbeat heartbeat = beat();
    for (const VipRole role :
         {VipRole::unfit, VipRole::fit, VipRole::ready, VipRole::holding, VipRole::offering})
        for (const bool moved : {false, true})
            heartbeat.claims.push_back({.vip = static_cast<VipId>(heartbeat.claims.size() + 1),
                                        .role = role,
                                        .epoch = 7,
                                        .priority = 100,
                                        .moved = moved});
    heartbeat.claims.push_back(heartbeat.claims[2]);
    heartbeat.claims.back().vip = 99;
    heartbeat.claims.back().heard = true;
    heartbeat.claims.back().holder = 16;
    heartbeat.claims.push_back({});  // all of it nothing: VIP 0 is one as well
    EXPECT_EQ(decode_heartbeat(bytes_of(encode_heartbeat(heartbeat))), heartbeat);
}

// As bytes, written by hand: numbers of fields and of roles are for ever.
const std::string head =
    number(1, 1) + number(2, 1) + nested(3, "lb1") + nested(4, "lb2") + fixed64(5, 1);

std::string claims(const std::string& columns) {
    return head + nested(14, columns);
}

TEST(CodecClaims, TheBytesOnTheWire) {
    const std::string states("\x00\x02\x84\x06\x09", 5);
    const auto heartbeat = decode_heartbeat(bytes_of(
        claims(fixed(1, 4, {1, 2, 3, 4, 0xdeadbeef}) + numbers(2, {0, 1, 2, 3, 1ull << 34}) +
               nested(3, std::string("\x00\x01\x64\xff\x32", 5)) + nested(4, states))));
    ASSERT_TRUE(heartbeat);
    const std::vector<VipClaim> expected = {{1, VipRole::unfit, 0, 0, false},
                                            {2, VipRole::fit, 1, 1, false},
                                            {3, VipRole::ready, 2, 100, false, true},
                                            {4, VipRole::holding, 3, 255, false},
                                            {0xdeadbeef, VipRole::offering, 1ull << 34, 50, true}};
    EXPECT_EQ(heartbeat->claims, expected);
}

TEST(CodecClaims, WhoIsHeardToHaveIt) {
    const std::string two = fixed(1, 4, {1, 2}) + numbers(2, {7, 7}) +
                            nested(3, std::string("\x01\x01", 2)) +
                            nested(4, std::string("\x84\x04", 2));
    const auto silent = decode_heartbeat(bytes_of(claims(two)));
    ASSERT_TRUE(silent);
    EXPECT_EQ(silent->claims[0].holder, 0) << "an earlier release does not say";
    const auto said =
        decode_heartbeat(bytes_of(claims(two + nested(5, std::string("\x03\x00", 2)))));
    ASSERT_TRUE(said);
    EXPECT_EQ(said->claims[0].holder, 3);
    EXPECT_EQ(said->claims[1].holder, 0);
    EXPECT_FALSE(decode_heartbeat(bytes_of(claims(two + nested(5, std::string("\x03", 1))))));
}

// One whose release has no claims yet, and one whose release says more of VIPs than this.
TEST(CodecClaims, OfOtherReleases) {
    const auto older = decode_heartbeat(bytes_of(head));
    ASSERT_TRUE(older);
    EXPECT_TRUE(older->claims.empty());
    const auto newer = decode_heartbeat(
        bytes_of(claims(fixed(1, 4, {9}) + numbers(2, {4}) + nested(3, "d") + nested(4, "\x06") +
                        nested(1999, "more of VIPs") + numbers(6, {1, 2, 3})) +
                 nested(15, "more of the node")));
    ASSERT_TRUE(newer);
    EXPECT_EQ(newer->claims, (std::vector<VipClaim>{{9, VipRole::holding, 4, 100, false}}));
}

TEST(CodecClaims, ARoleThatIsNotKnownIsNone) {
    for (const char* state : {"\x0a", "\x80", "\xff"}) {
        const auto heartbeat = decode_heartbeat(bytes_of(
            claims(fixed(1, 4, {9}) + numbers(2, {4}) + nested(3, "d") + nested(4, state))));
        ASSERT_TRUE(heartbeat);
        EXPECT_EQ(heartbeat->claims.at(0).role, VipRole::unfit);
        EXPECT_EQ(heartbeat->claims.at(0).epoch, 4u);
    }
}

// Of who needs a newer release it is known that he lives, and which VIPs he has; what else he says
// of them may mean anything.
TEST(CodecClaims, OfWhoNeedsMoreThanThisReleaseOnlyWhatItHasCounts) {
    const std::string newest = number(1, 9) + number(2, protocol_version + 1) + nested(3, "lb1") +
                               nested(4, "lb2") + fixed64(5, 1);
    const auto said = [&](const std::string& columns) {
        const auto heartbeat = decode_heartbeat(bytes_of(newest + nested(14, columns)));
        EXPECT_TRUE(heartbeat);
        if (!heartbeat) return std::vector<VipClaim>();
        EXPECT_EQ(heartbeat->needs, protocol_version + 1);
        return heartbeat->claims;
    };
    // It holds the first, offers the second (by the operator's word), and could have the third.
    const std::string had = fixed(1, 4, {7, 8, 9}) + nested(4, "\x06\x09\x04");
    const std::vector<VipClaim> held{{.vip = 7, .role = VipRole::holding},
                                     {.vip = 8, .role = VipRole::holding}};
    EXPECT_EQ(said(had + numbers(2, {4, 5, 6}) + nested(3, "ddd")), held);
    EXPECT_EQ(said(had + numbers(2, {most64})), held) << "whatever the others have become";
    EXPECT_TRUE(said(fixed(1, 4, {9, 9, 9}) + numbers(2, {most64})).empty());
    EXPECT_TRUE(said(fixed(1, 4, {7, 8}) + nested(4, "\x06")).empty());
    std::string many;
    for (std::size_t i = 0; i <= most_vips; ++i)
        many += fixed(1, 4, {7});
    EXPECT_TRUE(said(many + nested(4, std::string(most_vips + 1, '\x06'))).empty());
}

TEST(CodecClaims, WhatBreaksABoundIsRefused) {
    const std::string good =
        fixed(1, 4, {7, 8}) + numbers(2, {1, 2}) + nested(3, "dd") + nested(4, "\x02\x02");
    ASSERT_TRUE(decode_heartbeat(bytes_of(claims(good))));
    const std::vector<std::string> bad = {
        fixed(1, 4, {7}) + numbers(2, {1, 2}) + nested(3, "dd") + nested(4, "\x02\x02"),
        fixed(1, 4, {7, 8}) + numbers(2, {1}) + nested(3, "dd") + nested(4, "\x02\x02"),
        fixed(1, 4, {7, 8}) + numbers(2, {1, 2, 3}) + nested(3, "dd") + nested(4, "\x02\x02"),
        fixed(1, 4, {7, 8}) + numbers(2, {1, 2}) + nested(3, "d") + nested(4, "\x02\x02"),
        fixed(1, 4, {7, 8}) + numbers(2, {1, 2}) + nested(3, "dd") + nested(4, "\x02\x02\x02"),
        fixed(1, 4, {7, 8}) + numbers(2, {1, 2}) + nested(3, "dd"),
        fixed(1, 4, {7, 7}) + numbers(2, {1, 2}) + nested(3, "dd") + nested(4, "\x02\x02"),
        fixed(1, 4, {7, 8}) + numbers(2, {1, most_epoch + 1}) + nested(3, "dd") +
            nested(4, "\x02\x02"),
        fixed(1, 4, {7, 8}) + numbers(2, {1, most64}) + nested(3, "dd") + nested(4, "\x02\x02"),
        fixed(1, 3, {7, 8}) + numbers(2, {1, 2}) + nested(3, "dd") + nested(4, "\x02\x02"),
        // The same columns once more, and others in addition: protobuf joins them.
        good + good,
    };
    for (std::size_t i = 0; i < bad.size(); ++i)
        EXPECT_FALSE(decode_heartbeat(bytes_of(claims(bad[i])))) << i;
    EXPECT_FALSE(decode_heartbeat(bytes_of(claims(good) + nested(14, good))));
}

TEST(CodecClaims, AtMostSixtyFour) {
    const auto of = [](std::size_t count) {
        std::string vips, epochs;
        for (std::size_t i = 0; i < count; ++i) {
            vips += test::little_endian(i, 4);
            epochs += test::varint(1);
        }
        return claims(nested(1, vips) + nested(2, epochs) + nested(3, std::string(count, 'd')) +
                      nested(4, std::string(count, '\x02')));
    };
    EXPECT_TRUE(decode_heartbeat(bytes_of(of(most_vips))));
    EXPECT_FALSE(decode_heartbeat(bytes_of(of(most_vips + 1))));
    EXPECT_FALSE(decode_heartbeat(bytes_of(of(10'000))));
}

// What would be refused is not sent.
TEST(CodecClaims, ABugIsNotSent) {
    const auto refused = [](const std::function<void(Heartbeat&)>& spoil) {
        Heartbeat heartbeat = beat();
        heartbeat.claims = most_claims();
        spoil(heartbeat);
        EXPECT_THROW(encode_heartbeat(heartbeat), std::logic_error);
    };
    refused([](Heartbeat& one) { one.claims.push_back({}); });
    refused([](Heartbeat& one) { one.claims[1].vip = one.claims[0].vip; });
    refused([](Heartbeat& one) { one.claims[3].epoch = most_epoch + 1; });
    refused([](Heartbeat& one) { one.claims[5].priority = 256; });
}

}  // namespace
}  // namespace bascule::sync
