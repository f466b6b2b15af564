// SPDX-License-Identifier: Apache-2.0
#include "sync/echo_book.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace bascule::sync {
namespace {

using namespace std::chrono_literals;

const Moment start{1'000'000s};

Heartbeat of(Incarnation incarnation, std::uint64_t sent = 1) {
    Heartbeat heartbeat;
    heartbeat.incarnation = incarnation;
    heartbeat.sequence = sent * 10;
    heartbeat.sent = sent;
    return heartbeat;
}

TEST(EchoBook, SaysTheNewestAndHowLongItWasHeld) {
    EchoBook book;
    EXPECT_TRUE(book.echoes(start, start).empty());
    book.heard(of(5, 2), start, false);
    book.heard(of(5, 1), start + 1ms, false);  // was overtaken
    const auto echoes = book.echoes(start, start + 3ms);
    ASSERT_EQ(echoes.size(), 1U);
    EXPECT_EQ(echoes[0].incarnation, 5U);
    EXPECT_EQ(echoes[0].sequence, 20U);
    EXPECT_EQ(echoes[0].sent, 2U);
    EXPECT_EQ(echoes[0].held, 3'000'000U);
}

TEST(EchoBook, DoesNotSayWhatItDoesNotKnow) {
    EchoBook book;
    book.heard(of(5), start, true);
    const auto echoes = book.echoes(start, start + 3ms);
    ASSERT_EQ(echoes.size(), 1U);
    EXPECT_EQ(echoes[0].held, std::numeric_limits<std::uint64_t>::max());
}

TEST(EchoBook, ForgetsWhatWasHeardLongAgo) {
    EchoBook book;
    book.heard(of(5), start, false);
    EXPECT_TRUE(book.echoes(start + 1ms, start + 2ms).empty());
}

TEST(EchoBook, TheOneThatCountsComesFirstAndAlways) {
    EchoBook book;
    book.heard(of(5), start, false);
    book.adopt(5);
    for (Incarnation other = 100; other < 200; ++other) {
        book.heard(of(other), start, false);
        const auto echoes = book.echoes(start, start);
        ASSERT_EQ(echoes.size(), 2U);
        EXPECT_EQ(echoes[0].incarnation, 5U);
        EXPECT_EQ(echoes[1].incarnation, other) << "the one that was never echoed";
    }
}

TEST(EchoBook, UnprovenOnesTakeTurns) {
    EchoBook book;
    std::multiset<Incarnation> told;
    for (int round = 0; round < 40; ++round) {
        for (const Incarnation each : {1U, 2U, 3U, 4U})
            book.heard(of(each, 1 + round), start + round * 1ms, false);
        const auto echoes = book.echoes(start, start + 1s);
        ASSERT_EQ(echoes.size(), 1U);
        told.insert(echoes[0].incarnation);
    }
    for (const Incarnation each : {1U, 2U, 3U, 4U})
        EXPECT_EQ(told.count(each), 10U);
}

TEST(EchoBook, WhatWasReplacedIsNoLongerEchoed) {
    EchoBook book;
    book.heard(of(5), start, false);
    book.adopt(5);
    book.heard(of(6), start, false);
    book.adopt(6);
    const auto echoes = book.echoes(start, start);
    ASSERT_EQ(echoes.size(), 1U);
    EXPECT_EQ(echoes[0].incarnation, 6U);
}

}  // namespace
}  // namespace bascule::sync
