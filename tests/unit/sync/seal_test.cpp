// SPDX-License-Identifier: Apache-2.0
// Every reason for which a datagram is not opened, and that no reason is given to a good one.
#include "sync/seal.h"

#include <gtest/gtest.h>

#include <numeric>
#include <optional>
#include <set>

#include "sync/codec.h"
#include "tests/unit/sync/sealed.h"

namespace bascule::sync {
namespace {

const std::string cluster = "main";

SecretKey key_from(std::uint8_t first) {
    SecretKey key;
    std::iota(key.begin(), key.end(), first);
    return key;
}

ClusterKeys keys_of(std::vector<SecretKey> keys) {
    ClusterKeys out;
    out.keys = std::move(keys);
    return out;
}

const ClusterKeys keys = keys_of({key_from(0)});

Heartbeat heartbeat(const std::string& from = "lb1", const std::string& to = "lb2") {
    Heartbeat out;
    out.node = from;
    out.to = to;
    out.incarnation = 0x1122334455667788;
    out.sequence = 42;
    out.sent = 1'000'000;
    out.wall = 1'700'000'000'000;
    out.echoes = {{7, 8, 9, 10}, {11, 12, 13, 14}};
    out.hears = true;
    out.facts.release = "0.1.0";
    out.facts.config_hash = 99;
    return out;
}

Datagram copy(std::span<const std::uint8_t> datagram) {
    return {datagram.begin(), datagram.end()};
}

Datagram seal(const Heartbeat& what, const ClusterKeys& with = keys,
              const std::string& in = cluster) {
    return copy(HeartbeatSealer(with, in, what.node).seal(what));
}

HeartbeatOpener opener(const ClusterKeys& with = keys, const std::string& self = "lb2") {
    std::vector<std::string> peers{"lb1", "lb2", "lb3"};
    std::erase(peers, self);
    return HeartbeatOpener(with, cluster, self, peers);
}

Unopened why(std::span<const std::uint8_t> datagram) {
    return opener().open(datagram).why;
}

Datagram encoded(const Heartbeat& what) {
    const std::string bytes = encode_heartbeat(what);
    return {bytes.begin(), bytes.end()};
}

TEST(Seal, WhatIsSealedOpens) {
    const auto opened = opener().open(seal(heartbeat()));
    ASSERT_EQ(opened.why, Unopened::none);
    EXPECT_EQ(opened.peer, 0u);
    EXPECT_EQ(encode_heartbeat(opened.heartbeat), encode_heartbeat(heartbeat()));
    const auto of_third = opener().open(seal(heartbeat("lb3")));
    ASSERT_EQ(of_third.why, Unopened::none);
    EXPECT_EQ(of_third.peer, 1u);
}

// Made by another program (Python's cryptography) after the description in seal.h.
TEST(Seal, KnownAnswer) {
    const std::string hex =
        "4253430116b44205c83fa343948e922460ded069a0a1a2a3a4a5a6a700000007bfed777db42fe653"
        "b17998ac42157f04d50938834fd8c9c11055c397a0f9febdddce942df51b81ec13aa7c71e6";
    Datagram datagram;
    for (std::size_t i = 0; i < hex.size(); i += 2)
        datagram.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    const auto opened = opener().open(datagram);
    ASSERT_EQ(opened.why, Unopened::none);
    EXPECT_EQ(opened.heartbeat.incarnation, 0x1122334455667788u);
    EXPECT_EQ(opened.heartbeat.sequence, 42u);
    EXPECT_EQ(opened.heartbeat.sent, 1'000'000u);
}

// No byte of it can be another one.
TEST(Seal, AnyChangedBitIsRefused) {
    const Datagram good = seal(heartbeat());
    auto open = opener();
    for (std::size_t byte = 0; byte < good.size(); ++byte) {
        for (int bit = 0; bit < 8; ++bit) {
            Datagram bad = good;
            bad[byte] = static_cast<std::uint8_t>(bad[byte] ^ (1 << bit));
            const Unopened reason = open.open(bad).why;
            ASSERT_NE(reason, Unopened::none) << "byte " << byte << " bit " << bit;
            // All behind what names cluster, key and sender is found out by the tag alone.
            if (byte < 20) continue;
            ASSERT_EQ(reason, Unopened::not_authentic) << "byte " << byte;
        }
    }
    EXPECT_EQ(open.open(good).why, Unopened::none);
}

TEST(Seal, AnyOtherLengthIsRefused) {
    const Datagram good = seal(heartbeat());
    for (std::size_t size = 0; size < good.size(); ++size)
        ASSERT_EQ(why(std::span(good).first(size)),
                  size <= 48 ? Unopened::too_short : Unopened::not_authentic)
            << size;
    Datagram longer = good;
    longer.push_back(0);
    EXPECT_EQ(why(longer), Unopened::not_authentic);
    longer.resize(most_datagram);
    EXPECT_EQ(why(longer), Unopened::not_authentic);
    longer.resize(most_datagram + 1);
    EXPECT_EQ(why(longer), Unopened::too_short);
}

TEST(Seal, WhatIsNotOursAtAll) {
    EXPECT_EQ(why({}), Unopened::too_short);
    EXPECT_EQ(why(Datagram(100, 0)), Unopened::too_short);
    Datagram later = seal(heartbeat());
    later[3] = 2;
    EXPECT_EQ(why(later), Unopened::other_format);
}

TEST(Seal, OtherCluster) {
    EXPECT_EQ(why(seal(heartbeat(), keys, "other")), Unopened::other_cluster);
    // Nor does one pass that names ours: its cluster's name is in the key.
    Datagram renamed = seal(heartbeat(), keys, "other");
    const Datagram ours = seal(heartbeat());
    std::copy_n(ours.begin() + 4, 4, renamed.begin() + 4);
    EXPECT_EQ(why(renamed), Unopened::not_authentic);
}

TEST(Seal, OtherKey) {
    const ClusterKeys others = keys_of({key_from(1)});
    EXPECT_EQ(why(seal(heartbeat(), others)), Unopened::unknown_key);
    Datagram renamed = seal(heartbeat(), others);
    const Datagram ours = seal(heartbeat());
    std::copy_n(ours.begin() + 8, 4, renamed.begin() + 8);
    EXPECT_EQ(why(renamed), Unopened::not_authentic);
}

TEST(Seal, OtherSender) {
    EXPECT_EQ(why(seal(heartbeat("lb4"))), Unopened::unknown_sender);
    // A node cannot speak for another one: neither by the name outside ...
    Datagram renamed = seal(heartbeat("lb3"));
    const Datagram first = seal(heartbeat("lb1"));
    std::copy_n(first.begin() + 12, 8, renamed.begin() + 12);
    EXPECT_EQ(why(renamed), Unopened::not_authentic);
    // ... nor by the one inside.
    const Datagram inside = encoded(heartbeat("lb1"));
    EXPECT_EQ(why(sealed(keys.keys[0], cluster, "lb3", inside)), Unopened::not_understood);
}

TEST(Seal, NotForUs) {
    EXPECT_EQ(why(seal(heartbeat("lb1", "lb3"))), Unopened::not_for_us);
    // Its own ones, sent back.
    EXPECT_EQ(why(seal(heartbeat("lb2", "lb1"))), Unopened::not_for_us);
}

TEST(Seal, AuthenticAndNoHeartbeat) {
    const SecretKey& key = keys.keys[0];
    const Datagram noise{0xff, 0xff, 0xff, 0xff};
    EXPECT_EQ(why(sealed(key, cluster, "lb1", noise)), Unopened::not_understood);
    EXPECT_EQ(why(sealed(key, cluster, "lb1", encoded(heartbeat()))), Unopened::none);
    // A field that this release does not know is no reason.
    Datagram newer = encoded(heartbeat());
    const Datagram field{0xf8, 0x7f, 0x01};  // number 2047, a varint
    newer.insert(newer.end(), field.begin(), field.end());
    EXPECT_EQ(why(sealed(key, cluster, "lb1", newer)), Unopened::none);
}

// What was heard before opens again: it is Membership that knows what it has heard.
TEST(Seal, ARepeatedOneOpens) {
    const Datagram datagram = seal(heartbeat());
    auto open = opener();
    EXPECT_EQ(open.open(datagram).why, Unopened::none);
    EXPECT_EQ(open.open(datagram).why, Unopened::none);
}

TEST(Seal, NoTwoDatagramsAreAlike) {
    HeartbeatSealer sealer(keys, cluster, "lb1");
    std::set<Datagram> seen;
    for (int i = 0; i < 1000; ++i)
        seen.insert(copy(sealer.seal(heartbeat())));
    seen.insert(copy(HeartbeatSealer(keys, cluster, "lb1").seal(heartbeat())));
    EXPECT_EQ(seen.size(), 1001u);
}

TEST(Seal, TheLongestHeartbeatFits) {
    Heartbeat longest = heartbeat(std::string(63, 'a'), std::string(63, 'b'));
    longest.facts = {true, true, true, true, true, ~0ull, ~0ull, ~0ull, std::string(63, 'r')};
    longest.sequence = longest.sent = longest.wall = ~0ull;
    longest.version = longest.needs = longest.path = ~0u;
    longest.probe = true;
    longest.echoes = {{~0ull, ~0ull, ~0ull, ~0ull}, {~0ull, ~0ull, ~0ull, ~0ull}};
    const Datagram datagram = seal(longest);
    ASSERT_FALSE(datagram.empty());
    std::printf("bytes: %zu at most, %zu as a rule\n", datagram.size(), seal(heartbeat()).size());
    HeartbeatOpener open(keys, cluster, longest.to, {longest.node});
    EXPECT_EQ(open.open(datagram).why, Unopened::none);
}

// Step by step on one node after the other: whoever is ahead, each opens what the other says.
TEST(Seal, RotationNeverClosesADoor) {
    const SecretKey old_key = key_from(0);
    const SecretKey new_key = key_from(100);
    const std::vector<ClusterKeys> steps{
        keys_of({old_key}), keys_of({old_key, new_key}),  // added
        keys_of({new_key, old_key}),                      // spoken by
        keys_of({new_key}),                               // the old one dropped
    };
    for (std::size_t step = 0; step + 1 < steps.size(); ++step) {
        const ClusterKeys& behind = steps[step];
        const ClusterKeys& ahead = steps[step + 1];
        EXPECT_EQ(opener(ahead).open(seal(heartbeat(), behind)).why, Unopened::none) << step;
        EXPECT_EQ(opener(behind).open(seal(heartbeat(), ahead)).why, Unopened::none) << step;
    }
    // Two steps at once do close it, and the reason leads to the cause.
    EXPECT_EQ(opener(steps[0]).open(seal(heartbeat(), steps[2])).why, Unopened::unknown_key);
}

TEST(Seal, EveryReasonHasWords) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < unopened_reasons; ++i) {
        names.insert(name_of(static_cast<Unopened>(i)));
        EXPECT_GT(std::string(meaning_of(static_cast<Unopened>(i))).size(), 5u);
    }
    EXPECT_EQ(names.size(), unopened_reasons);
    EXPECT_STREQ(name_of(Unopened::not_for_us), "not_for_us");
    EXPECT_STREQ(name_of(Unopened::not_authentic), "not_authentic");
    EXPECT_STREQ(name_of(Unopened::too_short), "too_short");
}

}  // namespace
}  // namespace bascule::sync
