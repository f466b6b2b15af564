// SPDX-License-Identifier: Apache-2.0
// A session's life, packet by packet, and the ages that its stamps tell.
#include "bpf/session_word.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

enum Kind { syn, ack, data, fin, rst, udp };

struct Packet {
    std::uint32_t at;  // seconds
    Kind kind;
    std::uint32_t sequence = 0;
};

bsc_sign sign_of(const Packet& packet) {
    bsc_sign sign{};
    sign.sequence = packet.sequence;
    sign.udp = packet.kind == udp;
    sign.syn = packet.kind == syn;
    sign.fin = packet.kind == fin;
    sign.rst = packet.kind == rst;
    sign.payload = packet.kind == data || packet.kind == udp;
    return sign;
}

struct Life {
    std::string name;
    std::vector<Packet> packets;  // the first one makes the session
    bsc_state state;              // afterwards
    std::uint32_t stamped;        // when its stamp says
};

void PrintTo(const Life& life, std::ostream* out) {
    *out << life.name;
}

class SessionLife : public testing::TestWithParam<Life> {};

constexpr std::uint32_t service = 0x5a5;
constexpr __u64 version = 9ULL << BSC_B_VERSION_SHIFT;

TEST_P(SessionLife, EndsInTheRightState) {
    const Life& life = GetParam();
    const bsc_sign first = sign_of(life.packets.front());
    const __u64 target = bsc_target(0x1234, 0x77);
    __u64 b = bsc_newborn(&first, service, target, life.packets.front().at) | version;
    for (std::size_t i = 1; i < life.packets.size(); i++) {
        const bsc_sign sign = sign_of(life.packets[i]);
        b = bsc_live(b, &sign, life.packets[i].at);
    }
    EXPECT_EQ(bsc_state_of(b), static_cast<std::uint32_t>(life.state));
    EXPECT_EQ(bsc_age(b, life.stamped), 0U);
    EXPECT_EQ(bsc_age(b, life.stamped + 3), 3U);
    EXPECT_EQ(bsc_service_of(b), service);
    EXPECT_EQ(b & BSC_B_TARGET_MASK, target);
    EXPECT_EQ(b & BSC_B_VERSION_MASK, version);
}

constexpr std::uint32_t isn = 0xfffffffe;  // its successor is not far from going round

INSTANTIATE_TEST_SUITE_P(
    All, SessionLife,
    testing::Values(
        Life{"syn", {{100, syn, isn}}, BSC_EMBRYONIC, 100},
        Life{"syn_again_is_the_newest", {{100, syn, isn}, {103, syn, isn}}, BSC_EMBRYONIC, 103},
        Life{"handshake", {{100, syn, isn}, {100, ack, isn + 1}}, BSC_ESTABLISHED, 100},
        Life{"handshake_over_zero", {{100, syn, 0xffffffff}, {100, ack, 0}}, BSC_ESTABLISHED, 100},
        Life{"first_data_fits", {{100, syn, isn}, {101, data, isn + 1}}, BSC_ESTABLISHED, 101},
        Life{"blind_ack", {{100, syn, isn}, {101, ack, isn + 77}}, BSC_EMBRYONIC, 100},
        Life{"ack_of_the_older_syn",
             {{100, syn, 5}, {101, syn, 500}, {101, ack, 6}},
             BSC_EMBRYONIC,
             101},
        Life{"ack_of_the_newer_syn",
             {{100, syn, 5}, {101, syn, 500}, {101, ack, 501}},
             BSC_ESTABLISHED,
             101},
        Life{"unfitting_but_spans", {{100, syn, isn}, {102, ack, 7}}, BSC_ESTABLISHED, 102},
        Life{"rst_of_unproven", {{100, syn, isn}, {105, rst, isn + 1}}, BSC_EMBRYONIC, 100},
        Life{"fin_that_fits", {{100, syn, isn}, {100, fin, isn + 1}}, BSC_CLOSING, 100},
        Life{"fin_that_does_not", {{100, syn, isn}, {100, fin, 9}}, BSC_EMBRYONIC, 100},
        Life{"adopted", {{100, ack, 1}}, BSC_ADOPTED, 100},
        Life{"adopted_at_once", {{100, ack, 1}, {101, data, 2}}, BSC_ADOPTED, 100},
        Life{"adopted_spans", {{100, ack, 1}, {101, ack, 2}, {102, data, 3}}, BSC_ESTABLISHED, 102},
        Life{"adopted_never_fits", {{100, ack, 0}, {100, ack, 0}}, BSC_ADOPTED, 100},
        Life{"kept_alive", {{100, syn, 1}, {100, ack, 2}, {5000, ack, 2}}, BSC_ESTABLISHED, 5000},
        Life{"syn_for_established_changes_nothing",
             {{100, syn, 1}, {100, ack, 2}, {150, syn, 9}},
             BSC_ESTABLISHED,
             100},
        Life{"fin", {{100, syn, 1}, {100, ack, 2}, {110, fin, 3}}, BSC_CLOSING, 110},
        Life{"rst", {{100, syn, 1}, {100, ack, 2}, {110, rst, 3}}, BSC_CLOSING, 110},
        Life{"last_ack_stays_closing",
             {{100, syn, 1}, {100, ack, 2}, {110, fin, 3}, {115, ack, 4}},
             BSC_CLOSING,
             113},
        Life{"reordered_data_stays_closing",
             {{100, syn, 1}, {100, ack, 2}, {110, rst, 3}, {111, data, 3}},
             BSC_CLOSING,
             110},
        Life{"a_busy_flow_outlives_a_blind_rst",
             {{100, syn, 1},
              {100, ack, 2},
              {110, rst, 9},
              {110, data, 2},
              {111, data, 3},
              {111, ack, 4},
              {112, ack, 4},
              {112, data, 5}},
             BSC_ESTABLISHED,
             112},
        Life{"data_after_a_pause_revives",
             {{100, syn, 1}, {100, ack, 2}, {110, rst, 3}, {112, data, 3}},
             BSC_ESTABLISHED,
             112},
        Life{"repeated_rst_does_not_prolong",
             {{100, syn, 1}, {100, ack, 2}, {110, rst, 3}, {114, rst, 3}},
             BSC_CLOSING,
             110},
        Life{"udp_once", {{100, udp}}, BSC_EMBRYONIC, 100},
        Life{"udp_twice", {{100, udp}, {100, udp}}, BSC_ESTABLISHED, 100},
        Life{"udp_goes_on", {{100, udp}, {100, udp}, {400, udp}}, BSC_ESTABLISHED, 400}),
    [](const auto& of) { return of.param.name; });

TEST(SessionWord, AReusedPortBeginsAnewOnlyWhereTheOldOneEnds) {
    const bsc_sign start = sign_of({0, syn, 5});
    const bsc_sign other = sign_of({0, ack, 5});
    const __u64 newborn = bsc_newborn(&start, 1, bsc_target(1, 1), 50);
    EXPECT_TRUE(bsc_begins_anew(bsc_restate(newborn, BSC_CLOSING, 50), &start, 52));
    EXPECT_FALSE(bsc_begins_anew(bsc_restate(newborn, BSC_CLOSING, 50), &start, 51));
    EXPECT_FALSE(bsc_begins_anew(bsc_restate(newborn, BSC_CLOSING, 50), &other, 52));
    EXPECT_FALSE(bsc_begins_anew(bsc_restate(newborn, BSC_ESTABLISHED, 50), &start, 52));
    EXPECT_FALSE(bsc_begins_anew(newborn, &start, 52));
}

TEST(SessionWord, ABusySessionIsWrittenOnceASecond) {
    const bsc_sign start = sign_of({0, udp});
    __u64 b = bsc_newborn(&start, 1, bsc_target(1, 1), 50);
    b = bsc_live(b, &start, 50);
    EXPECT_EQ(bsc_live(b, &start, 50), b);
    EXPECT_NE(bsc_live(b, &start, 51), b);
}

// A peer brought it: what is seen of it here, even in the very second of the peer's stamp, makes it
// this node's.
TEST(SessionWord, APacketSeenHereMakesItOurs) {
    const __u64 copy =
        BSC_ESTABLISHED | BSC_B_FROM_PEER | bsc_target(7, 3) | bsc_stamp(BSC_ESTABLISHED, 50);
    EXPECT_FALSE(bsc_is_steady(copy, 50));
    EXPECT_TRUE(bsc_is_steady(copy & ~BSC_B_FROM_PEER, 50));
    EXPECT_FALSE(bsc_is_steady(copy & ~BSC_B_FROM_PEER, 51));
    for (const Kind kind : {ack, data, fin, rst, udp}) {
        const bsc_sign sign = sign_of({50, kind});
        const __u64 after = bsc_live(copy, &sign, 50);
        EXPECT_EQ(after & BSC_B_FROM_PEER, 0U) << kind;
        EXPECT_EQ(after & BSC_B_TARGET_MASK, bsc_target(7, 3)) << kind;
        const bool ends = kind == fin || kind == rst;
        EXPECT_EQ(bsc_state_of(after),
                  static_cast<std::uint32_t>(ends ? BSC_CLOSING : BSC_ESTABLISHED));
    }
}

// A SYN there says nothing: it may be a stranger's, or an old one that comes late.
TEST(SessionWord, ASynLeavesACopyThePeers) {
    const __u64 copy =
        BSC_ESTABLISHED | BSC_B_FROM_PEER | bsc_target(7, 3) | bsc_stamp(BSC_ESTABLISHED, 50);
    const bsc_sign sign = sign_of({60, syn});
    EXPECT_EQ(bsc_live(copy, &sign, 60), copy);
}

// Stamps of 8 and 20 bits: right across their wrap, and for a writer whose clock is ahead.
TEST(SessionWord, AgesCrossTheWrap) {
    for (const std::uint32_t born : {0U, 200U, 255U, 256U, 0xfffffU, 0x100000U, 0xffffffffU}) {
        const __u64 unproven = BSC_EMBRYONIC | bsc_stamp(BSC_EMBRYONIC, born);
        for (const std::uint32_t age : {0U, 1U, 59U, 120U, 251U})
            EXPECT_EQ(bsc_age(unproven, born + age), age) << born;
        const __u64 established = BSC_ESTABLISHED | bsc_stamp(BSC_ESTABLISHED, born);
        for (const std::uint32_t age : {0U, 1U, 3600U, 432'000U, 1'000'000U})
            EXPECT_EQ(bsc_age(established, born + age), age) << born;
        for (const std::uint32_t ahead : {1U, 2U, 4U}) {
            EXPECT_EQ(bsc_age(unproven, born - ahead), 0U) << born;
            EXPECT_EQ(bsc_age(established, born - ahead), 0U) << born;
        }
    }
}

TEST(SessionWord, FieldsDoNotTouch) {
    bsc_sign start = sign_of({0, syn, 0xfffffffe});
    const __u64 b = bsc_newborn(&start, 0xfff, bsc_target(0xffff, 0xff), 0xff);
    EXPECT_EQ(bsc_state_of(b), static_cast<std::uint32_t>(BSC_EMBRYONIC));
    EXPECT_EQ(b & (BSC_B_FROM_PEER | BSC_B_VERSION_MASK), 0U);
    EXPECT_EQ(bsc_service_of(b), 0xfffU);
    EXPECT_EQ(bsc_backend_of(b), 0xffffU);
    EXPECT_EQ(bsc_generation_of(b), 0xffU);
    EXPECT_EQ((b >> BSC_B_SEQUENCE_SHIFT) & BSC_B_SEQUENCE_MASK, 0xfffU);
    EXPECT_EQ(b >> BSC_B_SHORT_STAMP_SHIFT, 0xffU);
}

}  // namespace
