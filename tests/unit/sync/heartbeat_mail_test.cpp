// SPDX-License-Identifier: Apache-2.0
#include "sync/heartbeat_mail.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <map>
#include <string>
#include <thread>

namespace bascule::sync {
namespace {

MembershipChange change(std::size_t peer, int number) {
    return {.peer = peer,
            .from = Liveness::alive,
            .to = number % 2 == 0 ? Liveness::dead : Liveness::alive,
            .why = std::to_string(number)};
}

TEST(HeartbeatMail, ChangesAreKeptInTheirOrder) {
    std::vector<MembershipChange> changes;
    std::uint64_t lost = 0;
    for (int i = 0; i < static_cast<int>(most_changes); ++i)
        add_change(changes, change(0, i), lost);
    ASSERT_EQ(changes.size(), most_changes);
    for (std::size_t i = 0; i < changes.size(); ++i)
        EXPECT_EQ(changes[i].why, std::to_string(i));
    EXPECT_EQ(lost, 0u);
}

// However many there are: bounded, counted, and of each peer the newest is there.
TEST(HeartbeatMail, TheNewestOfEachPeerIsNeverLost) {
    std::vector<MembershipChange> changes;
    std::map<std::size_t, std::string> newest;
    std::uint64_t lost = 0;
    constexpr int many = 5000;
    for (int i = 0; i < many; ++i) {
        // Most have changed but once, long ago.
        const std::size_t peer = i < 15 ? static_cast<std::size_t>(i) : static_cast<std::size_t>(3);
        add_change(changes, change(peer, i), lost);
        newest[peer] = std::to_string(i);
        ASSERT_LE(changes.size(), most_changes);
    }
    EXPECT_EQ(lost, many - most_changes);
    std::map<std::size_t, std::string> last;
    for (const MembershipChange& one : changes)
        last[one.peer] = one.why;
    EXPECT_EQ(last, newest);
}

VipMove move(VipId vip, std::uint64_t number) {
    return {.vip = vip, .what = VipMove::What::taken, .epoch = number, .why = {}};
}

TEST(HeartbeatMail, MovesAreKeptInTheirOrder) {
    std::vector<VipMove> moves;
    std::uint64_t lost = 0;
    for (std::uint64_t i = 0; i < most_moves; ++i)
        add_move(moves, move(7, i), lost);
    ASSERT_EQ(moves.size(), most_moves);
    for (std::size_t i = 0; i < moves.size(); ++i)
        EXPECT_EQ(moves[i].epoch, i);
    EXPECT_EQ(lost, 0u);
    add_move(moves, move(7, most_moves), lost);
    EXPECT_EQ(moves.front().epoch, 1u);
    EXPECT_EQ(lost, 1u);
}

TEST(HeartbeatMail, TheNewestMoveOfEachVipIsNeverLost) {
    std::vector<VipMove> moves;
    std::map<VipId, Epoch> newest;
    std::uint64_t lost = 0;
    constexpr std::uint64_t many = 5000;
    for (std::uint64_t i = 0; i < many; ++i) {
        const VipId vip = i < most_vips ? static_cast<VipId>(i) : 3;
        add_move(moves, move(vip, i), lost);
        newest[vip] = i;
        ASSERT_LE(moves.size(), most_moves);
    }
    EXPECT_EQ(lost, many - most_moves);
    std::map<VipId, Epoch> last;
    for (const VipMove& one : moves)
        last[one.vip] = one.epoch;
    EXPECT_EQ(last, newest);
}

TEST(HeartbeatMail, OrdersAreBoundedAndTheSameOneIsOne) {
    VipOrders orders;
    EXPECT_TRUE(orders.take().empty());
    EXPECT_TRUE(orders.put(0));  // as good an id as others
    EXPECT_TRUE(orders.put(~VipId{0}));
    EXPECT_TRUE(orders.put(0));
    EXPECT_EQ(orders.take(), (std::vector<VipId>{0, ~VipId{0}}));
    EXPECT_TRUE(orders.take().empty());
    for (VipId vip = 1; vip <= most_vips; ++vip)
        EXPECT_TRUE(orders.put(vip));
    EXPECT_FALSE(orders.put(most_vips + 1));
    EXPECT_TRUE(orders.put(most_vips));  // is there
    EXPECT_EQ(orders.take().size(), most_vips);
    EXPECT_TRUE(orders.put(most_vips + 1));
}

// None is lost: what was put is taken after that.
TEST(HeartbeatMail, OrdersOfSeveralThreads) {
    VipOrders orders;
    constexpr VipId each = 5000;
    std::atomic<int> at_work{2};
    std::vector<std::thread> givers;
    for (VipId first : {VipId{0}, each})
        givers.emplace_back([&, first] {
            for (VipId vip = first; vip < first + each; ++vip)
                while (!orders.put(vip))
                    std::this_thread::yield();
            --at_work;
        });
    std::map<VipId, int> taken;
    for (bool last = false; !last;) {
        last = at_work == 0;
        for (const VipId vip : orders.take())
            ++taken[vip];
    }
    for (std::thread& giver : givers)
        giver.join();
    EXPECT_EQ(taken.size(), 2 * each);
    for (const auto& [vip, times] : taken)
        EXPECT_EQ(times, 1) << vip;
}

TEST(HeartbeatMail, ASlotHoldsTheNewest) {
    Slot<std::string> slot;
    EXPECT_EQ(slot.take(), nullptr);
    EXPECT_EQ(slot.put(std::make_unique<std::string>("one")), nullptr);
    EXPECT_EQ(*slot.put(std::make_unique<std::string>("two")), "one");
    EXPECT_EQ(*slot.take(), "two");
    EXPECT_EQ(slot.take(), nullptr);
    slot.put(std::make_unique<std::string>("left behind"));  // freed with the slot
}

// Nothing is lost, nothing comes twice, and what is seen is whole.
TEST(HeartbeatMail, ASlotBetweenThreads) {
    constexpr int many = 20'000;
    Slot<std::vector<int>> slot;
    std::size_t taken_back = 0;
    std::thread giver([&] {
        for (int i = 1; i <= many; ++i)
            if (slot.put(std::make_unique<std::vector<int>>(8, i))) ++taken_back;
    });
    std::size_t taken = 0;
    int newest = 0;
    while (newest < many) {
        const auto value = slot.take();
        if (!value) continue;
        ++taken;
        EXPECT_GT(value->front(), newest);
        newest = value->front();
        EXPECT_EQ(*value, std::vector<int>(8, newest));
    }
    giver.join();
    EXPECT_EQ(taken + taken_back, static_cast<std::size_t>(many));
}

TEST(HeartbeatMail, ABellRingsUntilItIsCleared) {
    const WakeUp bell;
    const auto rings = [&bell] {
        pollfd ready{bell.fd(), POLLIN, 0};
        return ::poll(&ready, 1, 0) == 1;
    };
    EXPECT_FALSE(rings());
    bell.ring();
    bell.ring();
    EXPECT_TRUE(rings());
    EXPECT_TRUE(rings());
    bell.clear();
    EXPECT_FALSE(rings());
    bell.clear();
}

}  // namespace
}  // namespace bascule::sync
