// SPDX-License-Identifier: Apache-2.0
// The link of the VIPs as a path that is used only where no other joins two nodes.
#include "membership_bed.h"

namespace bascule::sync::test {
namespace {

class Wire : public Membership1 {
protected:
    static constexpr std::size_t wire = 1;  // its index

    void SetUp() override {
        MembershipOptions asked = options();
        asked.wire = true;
        begin(asked);
        sequence.resize(2);
        last.resize(2);
        talk(3);
        ASSERT_EQ(membership->liveness(0), Liveness::alive);
        changes.clear();
        pass(1s);
        ASSERT_EQ(membership->liveness(0), Liveness::dead);
    }
    // Heartbeats that it sends by the wire meanwhile.
    std::uint64_t by_wire(Nanoseconds span) {
        const std::uint64_t before = last[wire].sequence;
        pass(span);
        return last[wire].sequence - before;
    }
    // The peer's next, as it goes by the wire.
    Heartbeat framed() {
        Heartbeat heartbeat = made(wire);
        heartbeat.path = wire_path;
        return heartbeat;
    }
    void talk_by_wire(int intervals) {
        for (int i = 0; i < intervals; ++i) {
            pass(interval);
            hear(framed(), wire);
        }
    }
};

TEST_F(Wire, IsSilentUntilSomebodyClaimsAVip) {
    EXPECT_EQ(by_wire(10s), 0U);
    membership->ask_by_wire(now);
    const std::uint64_t asked = by_wire(wire_memory);
    EXPECT_GE(asked, 95U) << "with every round";
    EXPECT_LE(asked, 105U);
    EXPECT_EQ(by_wire(10s), 0U) << "nobody has answered: for a bounded time";
}

TEST_F(Wire, BringsAPeerBackToLifeAndIsKeptForAsLongAsNothingElseDoes) {
    membership->ask_by_wire(now);
    pass(interval);
    changes.clear();
    hear(framed(), wire);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_NE(changes[0].why.find("on the link of a VIP"), std::string::npos) << changes[0].why;
    EXPECT_TRUE(membership->heard_by_wire(0));
    // Nobody claims anything any more, and it goes on for as long as it is heard there alone.
    talk_by_wire(1000);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    EXPECT_EQ(view().paths.size(), 1U) << "the configured ones";
    EXPECT_FALSE(view().paths[0].heard);
    EXPECT_TRUE(view().wire.heard);
    EXPECT_TRUE(view().by_wire);
    EXPECT_GE(by_wire(5 * interval), 5U);
    pass(1s);
    EXPECT_EQ(membership->liveness(0), Liveness::dead) << "silent there as well";
    EXPECT_NE(changes.back().why.find("on 1 path"), std::string::npos) << changes.back().why;
}

TEST_F(Wire, RestsWhenAPathCarriesBothWays) {
    membership->ask_by_wire(now);
    pass(interval);
    talk_by_wire(3);
    // One direction is not enough: the peer may hear nothing but the wire.
    for (int i = 0; i < 20; ++i) {
        pass(interval);
        Heartbeat deaf = made();
        deaf.echoes.clear();
        hear(deaf);
        hear(framed(), wire);
    }
    EXPECT_GE(by_wire(3 * interval), 3U);
    EXPECT_FALSE(view().by_wire);
    talk(10);
    EXPECT_EQ(by_wire(3 * interval), 0U);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
}

TEST_F(Wire, WhatWasHeardBeforeOrLedAstrayCountsForNothing) {
    membership->ask_by_wire(now);
    pass(interval);
    const Heartbeat first = framed();
    Heartbeat astray = made();  // of the other path, recorded there
    hear(astray, wire);
    EXPECT_EQ(membership->liveness(0), Liveness::dead);
    hear(first, wire);
    EXPECT_EQ(membership->liveness(0), Liveness::alive);
    pass(1s);
    ASSERT_EQ(membership->liveness(0), Liveness::dead);
    hear(first, wire);
    EXPECT_EQ(membership->liveness(0), Liveness::dead);
    EXPECT_EQ(view().wire.replayed, 2U);
}

TEST_F(Membership1, WithoutTheWireNothingIsSentThere) {
    begin();
    membership->ask_by_wire(now);
    const std::uint64_t before = sent;
    pass(1s);
    EXPECT_EQ(sent - before, 50U);
    EXPECT_FALSE(membership->heard_by_wire(0));
}

}  // namespace
}  // namespace bascule::sync::test
