// SPDX-License-Identifier: Apache-2.0
// What goes wrong behind everybody's back is found and mended; what is only young is not taken for
// it. And time: idle limits, refreshes, clocks.
#include <gtest/gtest.h>

#include "replica_bed.h"

namespace bascule::sync {
namespace {

using Kind = SessionRecord::Kind;
using State = StoredSession::State;

// All partitions once.
constexpr seconds whole_audit{340};

std::uint64_t drift(ReplicaBed& bed) {
    return bed.view(0, 1).drift + bed.view(1, 0).drift;
}

TEST(ReplicaAudit, WhatIsMissingIsBroughtBack) {
    ReplicaBed bed(2);
    bed.sweeping = false;  // a refresh would bring some, too
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    for (std::uint32_t i = 0; i < 2'000; ++i)
        bed.establish(i % 2, flow_of(i));
    bed.settle();
    for (std::uint32_t i = 0; i < 40; i += 4)
        bed[1].store.erase(flow_of(i));
    for (std::uint32_t i = 1; i < 40; i += 4)
        bed[0].store.erase(flow_of(i));
    bed.run(whole_audit);
    EXPECT_EQ(bed[0].store.size(), 2'000u);
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_EQ(drift(bed), 20u);
    EXPECT_TRUE(bed.synced());
    EXPECT_GE(bed.view(0, 1).audits, 32u);
    EXPECT_EQ(bed.view(0, 1).resyncs, 1u);
}

TEST(ReplicaAudit, ACopyWithoutItsOwnerIsRemoved) {
    ReplicaBed bed(2);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    for (std::uint32_t i = 0; i < 2'000; ++i)
        bed.establish(i % 2, flow_of(i));
    bed.settle();
    for (std::uint32_t i = 0; i < 20; ++i)
        bed[i % 2].store.erase(flow_of(i));
    bed.run(whole_audit);
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_EQ(bed[0].store.size(), 1'980u);
    EXPECT_EQ(drift(bed), 20u);
}

// The owner that asks says so: the other one does not have to find out by a round of its own.
TEST(ReplicaAudit, AnOwnerThatAsksEndsCopiesOfWhatIsOver) {
    ReplicaBed bed(2);
    bed.sweeping = false;
    bed[1].options.audit_interval = seconds(100'000);
    bed.restart(1);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.run(seconds(10));
    for (std::uint32_t i = 0; i < 20; ++i)
        bed.establish(0, flow_of(i));
    bed.run(seconds(10));
    for (std::uint32_t i = 0; i < 10; ++i)
        bed[0].store.erase(flow_of(i));
    bed.see(1, flow_of(3));  // it goes on there
    bed.run(whole_audit);
    EXPECT_EQ(bed[1].store.size(), 11u);
    EXPECT_TRUE(bed[1].store.find(flow_of(3)));
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
}

TEST(ReplicaAudit, AnotherTargetIsCorrected) {
    ReplicaBed bed(2);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    for (std::uint32_t i = 0; i < 100; ++i)
        bed.establish(i % 2, flow_of(i));
    bed.run(seconds(5));
    for (std::uint32_t i = 0; i < 10; ++i) {
        StoredSession copy = *bed[1 - i % 2].store.find(flow_of(i));
        copy.target = 300;
        bed[1 - i % 2].store.set(flow_of(i), copy);
    }
    bed.run(whole_audit);
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_EQ(bed[0].store.find(flow_of(1))->target, 100u);
    EXPECT_EQ(drift(bed), 10u);
}

TEST(ReplicaAudit, LoadIsNotDrift) {
    ReplicaBed bed(2);
    bed[0].options.audit_interval = bed[1].options.audit_interval = milliseconds(100);
    bed[0].options.audit_partitions = bed[1].options.audit_partitions = 512;
    bed.restart(0);
    bed.restart(1);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    std::uint32_t next = 0;
    for (int i = 0; i < 5'000; ++i) {
        for (int j = 0; j < 4; ++j, ++next)
            bed.establish(j % 2, flow_of(next), 100 + next % 3 * 100);
        if (next > 4'000) {
            bed.close(0, flow_of(next - 4'000));
            bed.end(1, flow_of(next - 3'999));
            bed.establish(0, flow_of(next - 3'998), 200);
        }
        bed.step();
    }
    EXPECT_GE(bed.view(0, 1).audits, 8u);
    bed.settle();
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_EQ(drift(bed), 0u);
    EXPECT_TRUE(bed.errors.empty()) << bed.errors.front();
}

TEST(ReplicaAudit, CopiesOfWhatGoesOnStayAndOthersEndTogether) {
    ReplicaBed bed(2);
    bed[0].store.limits[test_service] = bed[1].store.limits[test_service] = 40;
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    for (std::uint32_t i = 0; i < 200; ++i)
        bed.establish(0, flow_of(i));
    for (int i = 0; i < 400; ++i) {
        for (std::uint32_t j = 0; j < 100; ++j)
            bed.see(0, flow_of(j));
        bed.run(milliseconds(500));
    }
    EXPECT_EQ(bed[0].store.size(), 100u);
    EXPECT_EQ(bed[0].store.established(), bed[1].store.established());
    EXPECT_EQ(drift(bed), 0u);
    bed.run(seconds(60));
    EXPECT_EQ(bed[0].store.size() + bed[1].store.size(), 0u);
}

// Four turns in a limit, whatever the number of packets.
TEST(ReplicaAudit, RefreshesAreFew) {
    ReplicaBed bed(2);
    bed[0].store.limits[test_service] = bed[1].store.limits[test_service] = 100;
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    for (std::uint32_t i = 0; i < 100; ++i)
        bed.establish(0, flow_of(i));
    for (int i = 0; i < 200; ++i) {
        for (std::uint32_t j = 0; j < 100; ++j)
            bed.see(0, flow_of(j));
        bed.run(seconds(1));
    }
    EXPECT_LE(bed.view(0, 1).sent, 100u + 900u);
    EXPECT_GE(bed.view(0, 1).sent, 100u + 700u);
}

TEST(ReplicaAudit, AgesCrossClocks) {
    ReplicaBed bed(3);
    bed[1].ahead = 0xffff'0000 - 1'000'000;
    bed[2].ahead = 5;
    bed.step();
    for (std::uint32_t i = 0; i < 3; ++i)
        bed.restart(i);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    for (std::uint32_t i = 0; i < 300; ++i) {
        const std::uint32_t node = i % 3;
        bed[node].store.set(flow_of(i),
                            {State::established, false, 100, bed[node].store.now() - i});
        bed.tell(node, Kind::established, flow_of(i));
    }
    bed.settle();
    for (std::uint32_t i = 0; i < 300; ++i)
        for (std::uint32_t node = 0; node < 3; ++node)
            EXPECT_NEAR(bed[node].store.now() - bed[node].store.find(flow_of(i))->seen, i, 1);
}

// What waited in a queue for minutes is as old as it is.
TEST(ReplicaAudit, AgesGrowInQueues) {
    ReplicaBed bed(2);
    bed.sweeping = false;
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.stream(0, 1).held = true;
    bed.establish(0, flow_of(1));
    bed.run(seconds(300));
    bed.establish(0, flow_of(2));
    bed.run(seconds(1));
    bed.stream(0, 1).held = false;
    bed.run(milliseconds(20));
    EXPECT_NEAR(bed[1].store.now() - bed[1].store.find(flow_of(1))->seen, 301, 2);
    EXPECT_NEAR(bed[1].store.now() - bed[1].store.find(flow_of(2))->seen, 1, 2);
}

TEST(ReplicaAudit, AgesGrowWhileAStreamIsBroken) {
    ReplicaBed bed(2);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.cut(0, 1);
    bed.establish(0, flow_of(1));
    bed.run(seconds(9));
    bed.join_all();
    bed.run(milliseconds(20));
    EXPECT_NEAR(bed[1].store.now() - bed[1].store.find(flow_of(1))->seen, 9, 1);
}

// The flow moved to the other node, whose packets count from then on.
TEST(ReplicaAudit, AFlowThatMovesIsRefreshedFromItsNewNode) {
    ReplicaBed bed(2);
    bed[0].store.limits[test_service] = bed[1].store.limits[test_service] = 40;
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed.establish(0, flow_of(1));
    bed.run(seconds(10));
    for (int i = 0; i < 100; ++i) {
        bed.see(1, flow_of(1));
        bed.run(seconds(1));
    }
    EXPECT_TRUE(bed[0].store.find(flow_of(1))->from_peer);
    EXPECT_FALSE(bed[1].store.find(flow_of(1))->from_peer);
    bed.close(1, flow_of(1));
    bed.settle();
    EXPECT_EQ(bed[0].store.find(flow_of(1))->state, State::closing);
}

// A flow goes on at the answerer between what it told the asker and the asker's supply, which is
// older: it stays where it goes on, and the asker hears so. With `told`, the asker was told of
// where it was there before, and holds to its own.
TEST(ReplicaAudit, ASupplyTakesNothingFromWhatWentOnMeanwhile) {
    for (const bool told : {false, true}) {
        ReplicaBed bed(2);
        bed[0].store.set(flow_of(1), {State::established, false, 200, bed[0].store.now()});
        if (told)
            bed[1].store.set(flow_of(1), {State::established, false, 100, bed[1].store.now()});
        bed.run(seconds(6));
        int supplies = 0;
        bed.on_frame = [&](std::size_t from, std::size_t, const Frame& frame) {
            const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame->data());
            const StreamMessage message = decode({bytes + 4, frame->size() - 4}).value().value();
            const auto* supply = std::get_if<Supply>(&message);
            if (from != 0 || supply == nullptr || supply->records.empty()) return true;
            if (supplies++ == 0) bed.establish(1, flow_of(1), 100);
            return true;
        };
        bed.join_all();
        ASSERT_TRUE(bed.run_until([&] { return supplies > 0; }));
        EXPECT_EQ(bed[1].store.find(flow_of(1))->target, 100u) << told;
        ASSERT_TRUE(bed.run_until_synced());
        bed.run(seconds(3));
        EXPECT_EQ(bed[0].store.find(flow_of(1))->target, 100u) << told;
        EXPECT_EQ(bed[1].store.find(flow_of(1))->target, 100u) << told;
    }
}

TEST(ReplicaAudit, WhoHasNoRoomIsNotInStep) {
    ReplicaBed bed(2);
    bed.join_all();
    ASSERT_TRUE(bed.run_until_synced());
    bed[1].store.room = 50;
    for (std::uint32_t i = 0; i < 100; ++i)
        bed.establish(0, flow_of(i));
    bed.settle();
    EXPECT_EQ(bed[1].store.size(), 50u);
    EXPECT_EQ(bed.view(1, 0).no_room, 50u);
    EXPECT_FALSE(bed.replica(1).synced());
    EXPECT_EQ(bed.view(1, 0).behind, "the table here has no room for some of its sessions");
    bed.run(seconds(60));
    EXPECT_FALSE(bed.replica(1).synced());
    EXPECT_FALSE(bed.replica(0).synced());
    EXPECT_LE(bed.view(1, 0).resyncs, 8u);
    bed[1].store.room = SIZE_MAX;
    ASSERT_TRUE(bed.run_until_synced(seconds(15)));
    EXPECT_EQ(bed[1].store.size(), 100u);
}

// A connection closes at one node in the very second in which a new one of the same ports begins at
// the other: they end alike at once, not when an audit comes by.
TEST(ReplicaAudit, AnEndAndABeginOfOneSecondEndAlike) {
    for (int apart = 0; apart < 30; ++apart)
        for (int phase = 0; phase < 1000; phase += 125) {
            ReplicaBed bed(2);
            bed.join_all();
            ASSERT_TRUE(bed.run_until_synced());
            bed.run(milliseconds(2000 + phase));
            bed.establish(0, flow_of(1), 100);
            bed.establish(1, flow_of(1), 200);
            bed.close(0, flow_of(1));
            bed.run(milliseconds(apart * 100));
            bed.establish(1, flow_of(1), 200);
            bed.settle();
            ASSERT_EQ(bed[0].store.established(), bed[1].store.established())
                << apart << " " << phase;
        }
}

}  // namespace
}  // namespace bascule::sync
