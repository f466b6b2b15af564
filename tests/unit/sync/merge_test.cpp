// SPDX-License-Identifier: Apache-2.0
// Every row of merge.h, against every kind of record and every difference of time that matters.
#include "sync/merge.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace bascule::sync {
namespace {

using Kind = SessionRecord::Kind;
using State = StoredSession::State;
using Action = MergeResult::Action;

constexpr Seconds32 now = 5'000;
constexpr Seconds32 here_seen = 4'900;
constexpr std::uint32_t limit = 1'000;
constexpr TargetId low = 10;
constexpr TargetId middle = 20;
constexpr TargetId high = 30;

SessionRecord record_of(Kind kind, TargetId target, int newer) {
    SessionRecord record;
    record.kind = kind;
    record.target = target;
    record.seen = here_seen + static_cast<Seconds32>(newer);
    return record;
}

enum class Here { nothing, unproven, brought, own, closing_brought, closing_own };

std::optional<StoredSession> session_of(Here here) {
    switch (here) {
        case Here::nothing:
            return std::nullopt;
        case Here::unproven:
            return StoredSession{State::unproven, false, middle, here_seen};
        case Here::brought:
            return StoredSession{State::established, true, middle, here_seen};
        case Here::own:
            return StoredSession{State::established, false, middle, here_seen};
        case Here::closing_brought:
            return StoredSession{State::closing, true, middle, here_seen};
        case Here::closing_own:
            return StoredSession{State::closing, false, middle, here_seen};
    }
    return std::nullopt;
}

// What comes of it: g goes on at the record's target with the record's time; k the same, but keeps
// the later time from here; c closing; e erased; - ignored; s ignored, and the sender ought to hear
// ours.
char outcome(Here here, const SessionRecord& record) {
    const MergeResult result = merge(session_of(here), record, now, limit);
    if (result.action == Action::ignore) return result.stale ? 's' : '-';
    EXPECT_FALSE(result.stale);
    if (result.action == Action::erase) return 'e';
    EXPECT_TRUE(result.session.from_peer);
    if (result.session.state == State::closing) {
        EXPECT_EQ(result.session.target, middle);
        EXPECT_EQ(result.session.seen, record.seen);
        return 'c';
    }
    EXPECT_EQ(result.session.state, State::established);
    EXPECT_EQ(result.session.target, record.target);
    if (result.session.seen == record.seen) return 'g';
    EXPECT_EQ(result.session.seen, here_seen);
    return 'k';
}

struct Row {
    Here here;
    Kind kind;
    TargetId target;
    // For the record being newer by -11, -10, -3, -2, -1, 0, 1, 2, 3 seconds.
    std::string expected;
};

TEST(Merge, EveryRow) {
    constexpr int differences[] = {-11, -10, -3, -2, -1, 0, 1, 2, 3};
    const std::vector<Row> rows = {
        {Here::nothing, Kind::established, low, "ggggggggg"},
        {Here::nothing, Kind::refreshed, low, "ggggggggg"},
        {Here::nothing, Kind::copy, low, "ggggggggg"},
        {Here::nothing, Kind::closed, low, "---------"},
        {Here::nothing, Kind::ended, low, "---------"},
        {Here::unproven, Kind::established, high, "ggggggggg"},
        {Here::unproven, Kind::refreshed, low, "ggggggggg"},
        {Here::unproven, Kind::copy, low, "ggggggggg"},
        {Here::unproven, Kind::closed, low, "---------"},
        {Here::unproven, Kind::ended, low, "---------"},

        {Here::brought, Kind::established, low, "sgggggggg"},
        {Here::brought, Kind::established, middle, "skkkkgggg"},
        {Here::brought, Kind::refreshed, high, "sgggggggg"},
        {Here::brought, Kind::copy, high, "--------g"},
        {Here::brought, Kind::copy, low, "--------g"},
        {Here::brought, Kind::copy, middle, "--------g"},
        {Here::brought, Kind::closed, middle, "scccccccc"},
        {Here::brought, Kind::ended, middle, "seeeeeeee"},

        {Here::own, Kind::established, low, "sssssssgg"},
        {Here::own, Kind::established, middle, "ssss---gg"},
        {Here::own, Kind::established, high, "ssssggggg"},
        {Here::own, Kind::refreshed, low, "ssssssggg"},
        {Here::own, Kind::refreshed, middle, "ssss--ggg"},
        {Here::own, Kind::refreshed, high, "ssssggggg"},
        {Here::own, Kind::copy, low, "sssssssgg"},
        {Here::own, Kind::copy, high, "ssssggggg"},
        {Here::own, Kind::closed, middle, "ssssccccc"},
        {Here::own, Kind::ended, middle, "sssseeeee"},

        {Here::closing_brought, Kind::established, middle, "sgggggggg"},
        {Here::closing_brought, Kind::refreshed, low, "sgggggggg"},
        {Here::closing_brought, Kind::copy, middle, "sssssssgg"},
        {Here::closing_brought, Kind::closed, middle, "------ccc"},
        {Here::closing_brought, Kind::ended, middle, "sssseeeee"},
        {Here::closing_own, Kind::established, middle, "sssssssgg"},
        {Here::closing_own, Kind::refreshed, high, "ssssssggg"},
        {Here::closing_own, Kind::copy, middle, "sssssssgg"},
        {Here::closing_own, Kind::closed, middle, "------ccc"},
        {Here::closing_own, Kind::ended, middle, "sssseeeee"},
    };
    for (const Row& row : rows) {
        ASSERT_EQ(row.expected.size(), std::size(differences));
        for (std::size_t i = 0; i < std::size(differences); ++i)
            EXPECT_EQ(outcome(row.here, record_of(row.kind, row.target, differences[i])),
                      row.expected[i])
                << "here " << static_cast<int>(row.here) << ", kind " << static_cast<int>(row.kind)
                << ", target " << row.target << ", newer by " << differences[i];
    }
}

TEST(Merge, WhatIsIdleAlreadyIsNotStored) {
    SessionRecord record = record_of(Kind::established, low, 0);
    record.seen = now - limit;
    EXPECT_EQ(merge(std::nullopt, record, now, limit).action, Action::ignore);
    record.seen = now - limit + 1;
    EXPECT_EQ(merge(std::nullopt, record, now, limit).action, Action::put);
    EXPECT_EQ(merge(std::nullopt, record, now, 0).action, Action::ignore);
}

TEST(Merge, NothingWasSeenInTheFuture) {
    SessionRecord record = record_of(Kind::established, low, 0);
    record.seen = now + 7;
    EXPECT_EQ(merge(std::nullopt, record, now, limit).session.seen, now);
}

TEST(Merge, SecondsTurnOver) {
    const StoredSession here{State::established, false, middle, 0xffff'fffe};
    SessionRecord record = record_of(Kind::established, low, 0);
    record.seen = 1;
    EXPECT_EQ(merge(here, record, 2, limit).session,
              (StoredSession{State::established, true, low, 1}));
    record.seen = 0xffff'fff0;
    EXPECT_TRUE(merge(here, record, 2, limit).stale);
}

TEST(Merge, AHeadStartLetsTheRecordWinWithinIt) {
    const SessionRecord record = record_of(Kind::established, low, -3);
    EXPECT_TRUE(merge(session_of(Here::own), record, now, limit).stale);
    EXPECT_EQ(merge(session_of(Here::own), record, now, limit, 6).session.target, low);
    EXPECT_EQ(merge(session_of(Here::own), record, now, limit, 6).session.seen, record.seen);
}

// Two that tell each other what they have once, the second by what it has after it heard the first,
// agree on where an established session goes, however their clocks round.
TEST(Merge, AskerAndAnswererAgree) {
    std::mt19937 random(1);
    for (int i = 0; i < 200'000; ++i) {
        const auto pick = [&](int most) {
            return static_cast<Seconds32>(random() % static_cast<unsigned>(most));
        };
        StoredSession asker{State::established, pick(2) == 0, 10 + pick(2), now - 20 + pick(8)};
        StoredSession answerer{State::established, pick(2) == 0, 10 + pick(2), now - 20 + pick(8)};
        const auto error = pick(2);  // seconds by which what is told is older than it is
        const auto told = [&](const StoredSession& session) {
            return SessionRecord{session.from_peer ? Kind::copy : Kind::established,
                                 {},
                                 session.target,
                                 session.seen - error};
        };
        if (asker.target == answerer.target) continue;
        const MergeResult first = merge(asker, told(answerer), now, limit);
        if (first.action == Action::put) asker = first.session;
        if (asker.target != answerer.target) {
            const MergeResult second = merge(answerer, told(asker), now, limit, 8);
            if (second.action == Action::put) answerer = second.session;
        }
        ASSERT_EQ(asker.target, answerer.target) << i;
    }
}

}  // namespace
}  // namespace bascule::sync
