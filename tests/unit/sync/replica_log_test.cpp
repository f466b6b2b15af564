// SPDX-License-Identifier: Apache-2.0
// Deltas from table to table: what arrives, what a broken stream costs, and what is kept.
#include <gtest/gtest.h>

#include "replica_bed.h"

namespace bascule::sync {
namespace {

TEST(ReplicaLog, SessionsOfBothSidesAreOnBoth) {
    ReplicaBed bed(2);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    for (std::uint32_t i = 0; i < 1000; ++i)
        bed.establish(i % 2, flow_of(i), 100 + i % 3 * 100);
    bed.settle();
    EXPECT_EQ(bed[0].store.size(), 1000u);
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_TRUE(bed[1].store.find(flow_of(0))->from_peer);
    EXPECT_FALSE(bed[1].store.find(flow_of(1))->from_peer);
    EXPECT_EQ(bed.view(0, 1).sent, 500u);
    EXPECT_EQ(bed.view(1, 0).received, 500u);
    EXPECT_EQ(bed.view(0, 1).drift, 0u);
    EXPECT_TRUE(bed.errors.empty());
}

TEST(ReplicaLog, ClosedAndEndedFollow) {
    ReplicaBed bed(2);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.establish(0, flow_of(1));
    bed.establish(0, flow_of(2));
    bed.settle();
    bed.close(0, flow_of(1));
    bed.end(0, flow_of(2));
    bed.settle();
    EXPECT_EQ(bed[1].store.find(flow_of(1))->state, StoredSession::State::closing);
    EXPECT_FALSE(bed[1].store.find(flow_of(2)));
}

TEST(ReplicaLog, NothingWaitsLongerThanABatchMay) {
    ReplicaBed bed(2);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.establish(0, flow_of(1));
    bed.run(milliseconds(10));
    EXPECT_TRUE(bed[1].store.find(flow_of(1)));
    bed.run(milliseconds(10));
    EXPECT_LE(*bed.view(0, 1).lag, milliseconds(20));
}

TEST(ReplicaLog, ABrokenStreamGoesOnWhereItStopped) {
    ReplicaBed bed(2);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.establish(0, flow_of(1));
    bed.settle();
    const std::uint64_t resynced = bed.view(1, 0).resync_received;
    bed.cut(0, 1);
    bed.establish(0, flow_of(2));
    bed.establish(1, flow_of(3));
    bed.run(seconds(2));
    EXPECT_FALSE(bed.replica(0).synced());
    bed.join(0, 1);
    ASSERT_TRUE(bed.run_until_synced());
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_EQ(bed.view(0, 1).gaps, 0u);
    EXPECT_EQ(bed.view(1, 0).gaps, 0u);
    EXPECT_EQ(bed.view(1, 0).resync_received, resynced);
}

TEST(ReplicaLog, NothingIsKeptThatAllHave) {
    ReplicaBed bed(3);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.stream(0, 2).held = true;
    for (std::uint32_t i = 0; i < 100; ++i)
        bed.establish(0, flow_of(i));
    bed.settle();
    EXPECT_GT(bed.replica(0).bytes_kept(), 0u);
    EXPECT_GT(*bed.view(0, 2).lag, milliseconds(90));
    bed.stream(0, 2).held = false;
    bed.settle();
    EXPECT_EQ(bed.replica(0).bytes_kept(), 0u);
    EXPECT_EQ(bed[2].store.size(), 100u);
}

TEST(ReplicaLog, NothingIsKeptForNobody) {
    ReplicaBed bed(2);
    for (std::uint32_t i = 0; i < 100; ++i)
        bed.establish(0, flow_of(i));
    bed.settle();
    EXPECT_EQ(bed.replica(0).bytes_kept(), 0u);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.cut(0, 1);
    for (std::uint32_t i = 0; i < 100; ++i)
        bed.establish(0, flow_of(1000 + i));
    bed.run(seconds(1));
    EXPECT_GT(bed.replica(0).bytes_kept(), 0u);
    bed.run(seconds(10));
    EXPECT_EQ(bed.replica(0).bytes_kept(), 0u);
}

// A peer that acknowledges nothing costs what was allowed, and a resync; nobody else notices.
TEST(ReplicaLog, APeerThatTakesNothingCostsABoundedLog) {
    ReplicaBed bed(3);
    bed[0].options.log_bytes = 100'000;
    bed.restart(0);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.stream(0, 2).held = true;
    bed.stream(0, 2).most_queued = 10'000;
    for (std::uint32_t i = 0; i < 50'000; ++i) {
        bed.establish(0, flow_of(i));
        if (i % 100 == 0) bed.step();
        ASSERT_LE(bed.replica(0).bytes_kept(), 100'000u);
    }
    bed.settle();
    EXPECT_EQ(bed[1].store.size(), 50'000u);
    EXPECT_TRUE(bed.view(0, 1).synced);
    EXPECT_FALSE(bed.view(0, 2).synced);
    EXPECT_GE(bed.view(0, 2).gaps, 1u);
    bed.stream(0, 2).held = false;
    ASSERT_TRUE(bed.run_until_synced());
    EXPECT_EQ(bed[2].store.established(), bed[0].store.established());
    EXPECT_TRUE(bed.errors.empty()) << bed.errors.front();
}

TEST(ReplicaLog, LostDeltasAreFetched) {
    ReplicaBed bed(3);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed[0].store.set(flow_of(1),
                     {StoredSession::State::established, false, 100, bed[0].store.now()});
    bed.replica(0).on_lost(bed.now);
    EXPECT_FALSE(bed.replica(0).synced());
    ASSERT_TRUE(bed.run_until_synced());
    EXPECT_TRUE(bed[1].store.find(flow_of(1)));
    EXPECT_TRUE(bed[2].store.find(flow_of(1)));
    EXPECT_EQ(bed.view(0, 1).gaps, 1u);
    EXPECT_EQ(bed.view(1, 0).gaps, 1u);
}

// The history of a stream that breaks before its n-th frame, for every n.
TEST(ReplicaLog, TheStreamMayBreakBeforeAnyFrame) {
    std::uint64_t frames = 1'000'000;
    std::uint64_t histories = 0;
    for (std::uint64_t broken = 0; broken < frames; ++broken) {
        ReplicaBed bed(2);
        ++histories;
        std::uint64_t seen = 0;
        bed.on_frame = [&](std::size_t, std::size_t, const Frame&) { return seen++ != broken; };
        for (std::uint32_t i = 0; i < 20; ++i)
            bed.establish(i % 2, flow_of(5000 + i));
        bed.join_all();
        for (std::uint32_t i = 0; i < 40; ++i) {
            bed.establish(i % 2, flow_of(i));
            if (i % 3 == 0) bed.close(i % 2, flow_of(i));
            bed.run(milliseconds(20));
            bed.join_all();
        }
        ASSERT_TRUE(bed.run_until_synced()) << "frame " << broken;
        bed.settle();
        ASSERT_EQ(bed[0].store.established(), bed[1].store.established()) << "frame " << broken;
        ASSERT_TRUE(bed.errors.empty()) << bed.errors.front();
        // At 0 it breaks always; from then on the whole history has been heard.
        if (broken > 0 && seen <= broken) frames = 0;
    }
    EXPECT_EQ(frames, 0u);
    EXPECT_GT(histories, 80u);
}

}  // namespace
}  // namespace bascule::sync
