// SPDX-License-Identifier: Apache-2.0
// Tables that differ, for whatever reason, are made equal; and nobody says so before they are.
#include <gtest/gtest.h>

#include "replica_bed.h"

namespace bascule::sync {
namespace {

using Kind = SessionRecord::Kind;
using State = StoredSession::State;

StoredSession own(const ReplicaBed::Node& node, TargetId target = 100, std::uint32_t age = 0) {
    return {State::established, false, target, node.store.now() - age};
}
StoredSession brought(const ReplicaBed::Node& node, TargetId target = 100, std::uint32_t age = 0) {
    return {State::established, true, target, node.store.now() - age};
}

TEST(ReplicaResync, AnEmptyTableIsFilled) {
    for (const std::size_t empty : {0u, 1u}) {
        ReplicaBed bed(2);
        ReplicaBed::Node& full = bed[1 - empty];
        for (std::uint32_t i = 0; i < 20'000; ++i)
            full.store.set(flow_of(i), own(full, 100 + i % 3 * 100, i % 1000));
        bed.join_all();
        EXPECT_FALSE(bed.synced());
        ASSERT_TRUE(bed.run_until_synced(seconds(5)));
        EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
        EXPECT_EQ(bed[empty].store.size(), 20'000u);
        EXPECT_TRUE(bed[empty].store.find(flow_of(7))->from_peer);
        EXPECT_NEAR(bed[empty].store.now() - bed[empty].store.find(flow_of(900))->seen,
                    full.store.now() - full.store.find(flow_of(900))->seen, 1);
        EXPECT_EQ(bed.view(0, 1).drift + bed.view(1, 0).drift, 0u);
        EXPECT_EQ(bed.view(empty, 1 - empty).resync_received, 20'000u);
        EXPECT_TRUE(bed.errors.empty()) << bed.errors.front();
    }
}

// Over a long way: a round trip for what is small, however many partitions it is in.
TEST(ReplicaResync, DoesNotWaitForEachList) {
    ReplicaBed bed(2);
    bed.delay = milliseconds(150);
    for (std::uint32_t i = 0; i < 1'500; ++i)
        bed[0].store.set(flow_of(i), own(bed[0]));
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced(seconds(4)));
    EXPECT_EQ(bed[1].store.size(), 1'500u);
}

TEST(ReplicaResync, OnlyWhatDiffersIsSent) {
    ReplicaBed bed(2);
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        bed[0].store.set(flow_of(i), own(bed[0]));
        if (i % 1000 != 0) bed[1].store.set(flow_of(i), brought(bed[1]));
    }
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced(seconds(5)));
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_EQ(bed.view(1, 0).resync_received, 20u);
    EXPECT_LT(bed.stream(0, 1).bytes + bed.stream(1, 0).bytes, 100'000u);
}

TEST(ReplicaResync, BothSidesHaveWhatTheOtherLacks) {
    ReplicaBed bed(2);
    for (std::uint32_t i = 0; i < 5'000; ++i)
        bed[i % 2].store.set(flow_of(i), own(bed[i % 2]));
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced(seconds(5)));
    EXPECT_EQ(bed[0].store.size(), 5'000u);
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
}

TEST(ReplicaResync, ThreeNodesAgree) {
    ReplicaBed bed(3);
    for (std::uint32_t i = 0; i < 3'000; ++i)
        bed[i % 3].store.set(flow_of(i), own(bed[i % 3]));
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced(seconds(10)));
    EXPECT_EQ(bed[0].store.size(), 3'000u);
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_EQ(bed[0].store.established(), bed[2].store.established());
    // Nobody was sent everything by everybody.
    EXPECT_LT(bed.view(0, 1).resync_received + bed.view(0, 2).resync_received, 3'001u);
}

TEST(ReplicaResync, IsDoneWhileNewSessionsComeAndGo) {
    ReplicaBed bed(2);
    for (std::uint32_t i = 0; i < 50'000; ++i)
        bed[0].store.set(flow_of(i), own(bed[0]));
    bed.join_all();
    std::uint32_t next = 1'000'000;
    std::uint32_t oldest = 0;
    ASSERT_TRUE(bed.run_until(
        [&] {
            for (int i = 0; i < 50; ++i)
                bed.establish(i % 2, flow_of(next++));
            for (int i = 0; i < 20; ++i)
                bed.close(0, flow_of(oldest++));
            return bed.synced() && next > 1'040'000;
        },
        seconds(10)));
    bed.settle();
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_TRUE(bed.errors.empty()) << bed.errors.front();
}

// In a cluster of two, what a node closed while the stream was cut does not come back from the
// other, though the log had forgotten it.
TEST(ReplicaResync, WhatWasClosedMeanwhileStaysClosed) {
    for (const std::size_t who : {0u, 1u}) {
        ReplicaBed bed(2);
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        bed.run(seconds(20));
        for (std::uint32_t i = 0; i < 1'000; ++i)
            bed.establish(who, flow_of(i));
        bed.settle();
        bed.cut(0, 1);
        for (std::uint32_t i = 0; i < 1'000; ++i)
            bed.end(who, flow_of(i));
        bed.run(seconds(30));
        ASSERT_EQ(bed[1 - who].store.size(), 1'000u);
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        EXPECT_EQ(bed[0].store.size(), 0u);
        EXPECT_EQ(bed[1].store.size(), 0u);
    }
}

TEST(ReplicaResync, ARestartWithAnEmptyTable) {
    for (const std::size_t who : {0u, 1u}) {
        ReplicaBed bed(2);
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        for (std::uint32_t i = 0; i < 1'000; ++i)
            bed.establish(i % 2, flow_of(i));
        bed.run(seconds(60));
        bed.cut(0, 1);
        bed[who].store.clear();
        bed.run(seconds(20));
        bed.restart(who);
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        EXPECT_EQ(bed[who].store.size(), 1'000u) << who;
        EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
        bed.run(seconds(200));
        EXPECT_EQ(bed[0].store.size(), 1'000u);
        EXPECT_EQ(bed[1].store.size(), 1'000u);
        EXPECT_EQ(bed.view(0, 1).drift + bed.view(1, 0).drift, 0u);
    }
}

// A node that was away for long still has copies of what has ended since.
TEST(ReplicaResync, ARestartWithAnOldTable) {
    for (const std::size_t who : {0u, 1u}) {
        ReplicaBed bed(2);
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        bed.run(seconds(60));
        for (std::uint32_t i = 0; i < 1'000; ++i)
            bed.establish(1 - who, flow_of(i));
        bed.settle();
        bed.cut(0, 1);
        for (std::uint32_t i = 0; i < 500; ++i)
            bed.end(1 - who, flow_of(i));
        for (std::uint32_t i = 500; i < 600; ++i) {
            bed.close(1 - who, flow_of(i));
            bed.establish(1 - who, flow_of(i), 200);  // a new connection from the same port
        }
        bed.run(seconds(60));
        bed.restart(who);
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
        EXPECT_EQ(bed[who].store.size(), 500u);
        EXPECT_EQ(bed[who].store.find(flow_of(550))->target, 200u);
    }
}

// With three nodes nobody knows whose a copy is: it stays.
TEST(ReplicaResync, CopiesOfThreeNodesStayUntilTheyAreIdle) {
    ReplicaBed bed(3);
    bed[0].store.limits[test_service] = bed[1].store.limits[test_service] =
        bed[2].store.limits[test_service] = 60;
    bed[1].store.set(flow_of(1), brought(bed[1]));
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    EXPECT_TRUE(bed[0].store.find(flow_of(1)));
    EXPECT_TRUE(bed[2].store.find(flow_of(1))->from_peer);
    bed.run(seconds(70));
    EXPECT_EQ(bed[0].store.size() + bed[1].store.size() + bed[2].store.size(), 0u);
}

// Both have seen packets of a flow and chosen otherwise: afterwards they agree, whatever the order
// of the seconds.
TEST(ReplicaResync, ConflictsEndAlike) {
    for (int node_a_age = 0; node_a_age < 8; ++node_a_age)
        for (int kinds = 0; kinds < 4; ++kinds) {
            ReplicaBed bed(2);
            const TargetId mine = kinds % 2 == 0 ? 100 : 200;
            const bool copies = kinds >= 2;
            const auto age = static_cast<std::uint32_t>(node_a_age);
            for (std::uint32_t i = 0; i < 50; ++i) {
                bed[0].store.set(flow_of(i), own(bed[0], mine, age + 5));
                bed[1].store.set(flow_of(i), own(bed[1], 300 - mine, 8));
                if (!copies) continue;
                bed[0].store.set(flow_of(i), brought(bed[0], mine, age + 5));
                bed[1].store.set(flow_of(i), brought(bed[1], 300 - mine, 8));
            }
            bed.run(milliseconds(300 * node_a_age));
            bed.join_all();
            ASSERT_TRUE(bed.run_until_synced());
            bed.run(seconds(1));
            EXPECT_EQ(bed[0].store.established(), bed[1].store.established())
                << node_a_age << " " << kinds;
            EXPECT_EQ(bed[0].store.size(), 50u);
        }
}

// The list of what a node has needs several walks when it is larger than there is room for.
TEST(ReplicaResync, TablesLargerThanTheIndex) {
    ReplicaBed bed(2);
    for (std::size_t i = 0; i < 2; ++i) {
        for (int other = 0; other < 14; ++other)
            bed[i].options.peers.push_back("away" + std::to_string(other));
        bed.restart(i);
    }
    for (std::uint32_t i = 0; i < 80'000; ++i)
        bed[0].store.set(flow_of(i), own(bed[0]));
    for (std::uint32_t i = 0; i < 75'000; ++i)
        bed[1].store.set(flow_of(1'000'000 + i), own(bed[1]));
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    EXPECT_EQ(bed[0].store.size(), 155'000u);
    EXPECT_EQ(bed[1].store.size(), 155'000u);
    EXPECT_TRUE(bed.errors.empty()) << bed.errors.front();
}

TEST(ReplicaResync, SessionsOfTargetsThatOneLacksAreLeftOut) {
    ReplicaBed bed(2);
    bed[1].store.targets = {100, 200};
    bed.restart(1);
    for (std::uint32_t i = 0; i < 300; ++i)
        bed[0].store.set(flow_of(i), own(bed[0], 100 + i % 3 * 100));
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    EXPECT_EQ(bed[1].store.size(), 200u);
    bed.establish(0, flow_of(1000), 300);
    bed.settle();
    EXPECT_FALSE(bed[1].store.find(flow_of(1000)));
    EXPECT_EQ(bed.view(1, 0).unknown_target, 1u);
    EXPECT_TRUE(bed.synced());
    // It gets them as soon as it knows the target; until then it does not say that it is in step.
    bed[1].store.targets = {100, 200, 300};
    bed.replica(1).set_targets(bed[1].store.targets);
    EXPECT_FALSE(bed.replica(1).synced());
    ASSERT_TRUE(bed.run_until_synced());
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_EQ(bed[1].store.size(), 301u);
}

// The owner moved it to a backend that is not known here: the copy leads to the wrong one.
TEST(ReplicaResync, ACopyOfWhereItNoLongerGoesIsDropped) {
    ReplicaBed bed(3);
    bed[1].store.targets = {100, 200};
    bed.restart(1);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.establish(0, flow_of(1), 100);
    bed.settle();
    ASSERT_TRUE(bed[1].store.find(flow_of(1)));
    bed.establish(0, flow_of(1), 300);
    bed.settle();
    EXPECT_FALSE(bed[1].store.find(flow_of(1)));
    EXPECT_EQ(bed[2].store.find(flow_of(1))->target, 300u);
}

// The same when packets of it were seen here, too, but longer ago: where they went is wrong by now.
TEST(ReplicaResync, AnOwnSessionOfWhereItNoLongerGoesIsDropped) {
    ReplicaBed bed(2);
    bed[1].store.targets = {100, 200};
    bed.restart(1);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    for (const std::uint32_t each : {1u, 2u, 3u})
        bed.establish(1, flow_of(each), 200);
    bed.settle();
    bed.establish(0, flow_of(1), 300);  // within the same second: the higher id wins
    bed.run(seconds(4));
    bed.establish(0, flow_of(2), 300);  // clearly newer
    bed.see(1, flow_of(3));             // it goes on here
    bed.tell(0, Kind::established, flow_of(2));
    bed.settle();
    EXPECT_FALSE(bed[1].store.find(flow_of(1)));
    EXPECT_FALSE(bed[1].store.find(flow_of(2)));
    // What is older at the peer takes nothing away here.
    bed[0].store.set(flow_of(3), {State::established, false, 300, bed[0].store.now() - 4});
    bed.tell(0, Kind::established, flow_of(3));
    bed.settle();
    EXPECT_EQ(bed[1].store.find(flow_of(3))->target, 200u);
    EXPECT_EQ(bed[0].store.find(flow_of(3))->target, 200u);  // it was told what is right
    bed[1].store.targets = {100, 200, 300};
    bed.replica(1).set_targets(bed[1].store.targets);
    ASSERT_TRUE(bed.run_until_synced());
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_EQ(bed[1].store.find(flow_of(2))->target, 300u);
}

// The log did not bring it, and digests do not show it: the answer to what is older does.
TEST(ReplicaResync, ARoundTellsThatASessionIsAtAnUnknownTarget) {
    for (const std::size_t owner : {0u, 1u}) {
        ReplicaBed bed(2);
        bed[1 - owner].store.targets = {100, 200};
        bed.restart(1 - owner);
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        bed.establish(1 - owner, flow_of(1), 200);
        bed.settle();
        bed.cut(0, 1);
        bed.run(seconds(5));
        bed[owner].store.set(flow_of(1), {State::established, false, 300, bed[owner].store.now()});
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        bed.settle();
        EXPECT_FALSE(bed[1 - owner].store.find(flow_of(1)));
        EXPECT_EQ(bed[owner].store.find(flow_of(1))->target, 300u);
    }
}

// Both ask at about the same time: what one of them gets meanwhile must not be taken from the other
// for it.
TEST(ReplicaResync, RoundsThatCrossDoNotSwapTables) {
    for (int i = 0; i < 24; ++i) {
        const std::size_t owner = static_cast<std::size_t>(i % 2);
        ReplicaBed bed(2);
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        for (std::uint32_t each = 0; each < 20; ++each)
            bed.establish(owner, flow_of(each), 300);
        bed.run(seconds(8));
        bed[owner].store.clear();
        bed[owner].store.targets = {100, 200};
        bed.restart(owner);
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        bed.run(seconds(1));
        bed.delay = milliseconds(2 * (i / 2));
        bed[owner].store.targets = {100, 200, 300};
        bed.replica(owner).set_targets(bed[owner].store.targets);
        ASSERT_TRUE(bed.run_until_synced());
        EXPECT_EQ(bed[0].store.established(), bed[1].store.established()) << i;
    }
}

// Synced means equal: at no moment, whatever happens, is it said too early.
TEST(ReplicaResync, NobodyIsInStepTooEarly) {
    ReplicaBed bed(2);
    for (std::uint32_t i = 0; i < 300; ++i)
        bed[i % 2].store.set(flow_of(i), own(bed[i % 2]));
    std::uint32_t next = 100'000;
    for (int turn = 0; turn < 24; ++turn) {
        bed.join_all();
        bool said = false;
        for (int i = 0; i < 500; ++i) {
            bed.step();
            if (turn % 3 == 1 && i == 30) bed.replica(turn % 2).on_lost(bed.now);
            const bool says = bed.replica(0).synced() || bed.replica(1).synced();
            if (says && !said) {
                ASSERT_EQ(bed[0].store.established(), bed[1].store.established())
                    << turn << " " << i;
            }
            said = says;
        }
        ASSERT_TRUE(bed.synced());
        bed.cut(0, 1);
        // Behind the log's back.
        for (int i = 0; i < 20; ++i)
            bed[i % 2].store.set(flow_of(next++), own(bed[i % 2]));
        if (turn % 4 == 0) bed.restart(turn % 2);
    }
    EXPECT_TRUE(bed.errors.empty()) << bed.errors.front();
}

// Who comes first by name holds to what it has. But it was not told of what is closing at another
// backend, and later.
TEST(ReplicaResync, WhatIsOlderElsewhereDoesNotReviveWhatCloses) {
    for (int i = 0; i < 24; ++i) {
        const std::size_t older = static_cast<std::size_t>(i % 2);
        ReplicaBed bed(2);
        bed.delay = milliseconds(2 * (i / 2));
        bed.run(seconds(20));
        StoredSession closing = own(bed[1 - older], 100, 3);
        closing.state = State::closing;
        bed[older].store.set(flow_of(1), own(bed[older], 200, 6));
        bed[1 - older].store.set(flow_of(1), closing);
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        bed.run(seconds(3));
        EXPECT_EQ(bed[0].store.established().size(), 0u) << i;
        EXPECT_EQ(bed[1].store.established().size(), 0u) << i;
    }
}

// A copy that a node gets of what may have been its own, from when it started, is compared again
// soon: its end may have been on its way.
TEST(ReplicaResync, ACopyOfWhatMayHaveEndedIsComparedAgain) {
    ReplicaBed bed(2);
    bed.run(seconds(2));
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed[1].store.set(flow_of(1), brought(bed[1], 100, 1));
    bed.replica(1).on_lost(bed.now);  // node 0 asks for all
    bed.on_frame = [&](std::size_t from, std::size_t, const Frame& frame) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame->data());
        const StreamMessage message = decode({bytes + 4, frame->size() - 4}).value().value();
        const auto* repair = std::get_if<Repair>(&message);
        if (from != 1 || repair == nullptr || repair->records.empty()) return true;
        StoredSession closing = brought(bed[1], 100, 1);
        closing.state = State::closing;
        bed[1].store.set(flow_of(1), closing);
        return true;
    };
    ASSERT_TRUE(bed.run_until([&] { return bed[0].store.established().size() == 1; }));
    bed.run(seconds(3));
    EXPECT_EQ(bed[0].store.established().size(), 0u);
}

TEST(ReplicaResync, ClosingIsToldInRoundsToo) {
    for (const std::size_t who : {0u, 1u}) {
        ReplicaBed bed(2);
        for (std::uint32_t i = 0; i < 20; ++i) {
            StoredSession closing = own(bed[who]);
            closing.state = State::closing;
            bed[who].store.set(flow_of(i), closing);
            bed[1 - who].store.set(flow_of(i), brought(bed[1 - who], 100, 5));
        }
        bed.join_all();
        ASSERT_TRUE(bed.run_until_synced());
        bed.settle();
        EXPECT_EQ(bed[1 - who].store.established().size(), 0u);
    }
}

}  // namespace
}  // namespace bascule::sync
