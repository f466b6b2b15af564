// SPDX-License-Identifier: Apache-2.0
#include "model/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "bpf/contract.h"
#include "tests/unit/model/plan_world.h"

namespace bascule::model {
namespace {

using namespace testing;

TEST(Plan, NewServiceIsPublishedLast) {
    const Plan p = planned({}, desired({service(80, {backend(1), backend(2)})}));
    ASSERT_EQ(p.writes.size(), 6u);
    EXPECT_TRUE(std::holds_alternative<SetVip>(p.writes[0]));
    EXPECT_TRUE(std::get<SetService>(p.writes[1]).fresh);
    EXPECT_TRUE(std::get<SetBackend>(p.writes[2]).fresh);
    EXPECT_TRUE(std::get<SetBackend>(p.writes[3]).fresh);
    EXPECT_TRUE(std::holds_alternative<SetRing>(p.writes[4]));
    EXPECT_TRUE(std::holds_alternative<PublishService>(p.writes[5]));
    EXPECT_FALSE(p.after.backends.contains(0)) << "slot 0 means none";
}

TEST(Plan, RemovedServiceIsWithdrawnFirst) {
    const Plan p = planned(planned({}, desired({service(80, {backend(1)})})).after, {});
    ASSERT_EQ(p.writes.size(), 5u);
    EXPECT_TRUE(std::holds_alternative<WithdrawService>(p.writes[0]));
    EXPECT_EQ(p.writes[1], Write(SetRing{0, {}}));
    EXPECT_EQ(p.writes[2], Write(ClearBackend{1, 1}));
    EXPECT_EQ(p.writes[3], Write(ClearService{0}));
    EXPECT_EQ(p.writes[4], Write(RemoveVip{1, v4(255, 1)}));
    EXPECT_EQ(p.after.retired_generations.at(1), 1);
}

TEST(Plan, ChangeOfWeightIsOneRing) {
    const Tables now = planned({}, desired({service(80, {backend(1), backend(2)})})).after;
    const Plan p = planned(now, desired({service(80, {backend(1), backend(2, 50)})}));
    ASSERT_EQ(p.writes.size(), 1u);
    EXPECT_TRUE(std::holds_alternative<SetRing>(p.writes[0]));
}

TEST(Plan, WeightZeroLeavesTheBackendForItsSessions) {
    const Tables now = planned({}, desired({service(80, {backend(1), backend(2)})})).after;
    const Plan p = planned(now, desired({service(80, {backend(1), backend(2, 0)})}));
    ASSERT_EQ(p.writes.size(), 1u);
    EXPECT_TRUE(p.after.backends.at(2).up);
    const Ring& ring = p.after.rings.at(0);
    EXPECT_EQ(std::count(ring.begin(), ring.end(), 2), 0);
}

TEST(Plan, BackendGoingDownLeavesTheRingFirst) {
    const Tables now = planned({}, desired({service(80, {backend(1), backend(2)})})).after;
    DesiredBackend down = backend(2);
    down.up = false;
    const Plan p = planned(now, desired({service(80, {backend(1), down})}));
    ASSERT_EQ(p.writes.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<SetRing>(p.writes[0]));
    EXPECT_FALSE(std::get<SetBackend>(p.writes[1]).backend.up);
    EXPECT_FALSE(std::get<SetBackend>(p.writes[1]).fresh);

    const Plan back = planned(p.after, desired({service(80, {backend(1), backend(2)})}));
    ASSERT_EQ(back.writes.size(), 2u);
    EXPECT_TRUE(std::get<SetBackend>(back.writes[0]).backend.up);
    EXPECT_TRUE(std::holds_alternative<SetRing>(back.writes[1]));
    EXPECT_EQ(back.after, now) << "same slot, same generation";
}

TEST(Plan, NewMacIsOneBackend) {
    const Tables now = planned({}, desired({service(80, {backend(1), backend(2)})})).after;
    DesiredBackend moved = backend(2);
    moved.next_hop = hop(77);
    const Plan p = planned(now, desired({service(80, {backend(1), moved})}));
    ASSERT_EQ(p.writes.size(), 1u);
    EXPECT_EQ(std::get<SetBackend>(p.writes[0]).backend.next_hop, hop(77));
}

TEST(Plan, AnotherWayIsWrittenInPlace) {
    const Tables now = planned({}, desired({service(80, {backend(1), backend(2)})})).after;
    Desired want = desired({service(80, {backend(1), backend(2)})});
    want.services[0].backends[1].delivery.forward = Forward::ipip;
    want.services[0].options.mss_clamp = 1400;
    const Plan p = planned(now, want);
    ASSERT_EQ(p.writes.size(), 2u);
    EXPECT_FALSE(std::get<SetService>(p.writes[0]).fresh);
    EXPECT_FALSE(std::get<SetBackend>(p.writes[1]).fresh);
    EXPECT_EQ(p.after.backends.at(2).delivery.forward, Forward::ipip);
    EXPECT_EQ(p.after.backends.at(2).generation, now.backends.at(2).generation)
        << "its sessions stay its own";
}

TEST(Plan, ALocalBackendServesWithAnEmptyNextHop) {
    DesiredBackend local = backend(1);
    local.next_hop = NextHop{{}, 0, 0, {}, 0};
    local.delivery.forward = Forward::local;
    const Plan p = planned({}, desired({service(80, {local})}));
    EXPECT_EQ(p.after.rings.at(0), Ring(101, 1));
}

TEST(Plan, ABackupServesWhenNobodyElseCan) {
    DesiredBackend backup = backend(3);
    backup.backup = true;
    const auto in_ring = [](const Plan& p) {
        const Ring& ring = p.after.rings.at(0);
        return std::set<std::uint16_t>(ring.begin(), ring.end());
    };
    const Plan usual = planned({}, desired({service(80, {backend(1), backend(2), backup})}));
    EXPECT_EQ(in_ring(usual), (std::set<std::uint16_t>{1, 2}));
    EXPECT_TRUE(usual.after.backends.at(3).up) << "it stands ready";

    DesiredBackend down = backend(2);
    down.up = false;
    const Plan alone = planned(usual.after, desired({service(80, {backend(1, 0), down, backup})}));
    EXPECT_EQ(in_ring(alone), (std::set<std::uint16_t>{3})) << "drained and down take no flows";
    const Plan back =
        planned(alone.after, desired({service(80, {backend(1, 0), backend(2), backup})}));
    EXPECT_EQ(in_ring(back), (std::set<std::uint16_t>{2}));
    EXPECT_TRUE(back.after.backends.at(3).up) << "what it has, it keeps";
    const Plan only = planned({}, desired({service(80, {backup})}));
    EXPECT_EQ(in_ring(only), (std::set<std::uint16_t>{1}));
}

TEST(Plan, AVipThatIsTakenOrLostIsOneWrite) {
    Desired want = desired({service(80, {backend(1)})});
    const Tables now = planned({}, want).after;
    EXPECT_TRUE(now.vips.at(1).held);
    want.vips[0].held = false;
    const Plan p = planned(now, want);
    ASSERT_EQ(p.writes.size(), 1u);
    EXPECT_EQ(p.writes[0], Write(SetVip{1, {v4(255, 1), false}}));
    EXPECT_FALSE(p.after.vips.at(1).held);
}

TEST(Plan, ARangeOfOtherEndsIsAnotherService) {
    Desired want = desired({service(80, {backend(1)})});
    want.services[0].key.ports = {8000, 8099};
    const Tables now = planned({}, want).after;
    want.services[0].key.ports.last = 8100;
    const Plan p = planned(now, want);
    EXPECT_EQ(writes_of<WithdrawService>(p).at(0).key.ports, (PortRange{8000, 8099}));
    EXPECT_EQ(writes_of<PublishService>(p).at(0).key.ports, (PortRange{8000, 8100}));
}

// Which of the two writes comes first; both are there.
template <typename One, typename Other>
bool comes_before(const Plan& p) {
    const auto at = [&](auto is) { return std::find_if(p.writes.begin(), p.writes.end(), is); };
    const auto one = at([](const Write& w) { return std::holds_alternative<One>(w); });
    const auto other = at([](const Write& w) { return std::holds_alternative<Other>(w); });
    EXPECT_TRUE(one != p.writes.end() && other != p.writes.end());
    return one < other;
}

TEST(Plan, PortsThatTwoServicesShareAreNeverWithoutOne) {
    Desired want = desired({service(80, {backend(1)})});
    want.services[0].key.ports = {8000, 8099};
    const Tables now = planned({}, want).after;
    for (const PortRange ports :
         {PortRange{8000, 8199}, PortRange{8050, 8050}, PortRange{0, 65535}}) {
        want.services[0].key.ports = ports;
        const Plan p = planned(now, want);
        EXPECT_TRUE((comes_before<PublishService, WithdrawService>(p))) << ports.to_string();
        EXPECT_EQ(p.after.services.size(), 1U);
    }
    want.services[0].key.ports = {8100, 8199};
    EXPECT_TRUE((comes_before<WithdrawService, PublishService>(planned(now, want))))
        << "none is shared";
    want.services[0].key = {v4(255, 1), {8000, 8199}, Protocol::udp};
    EXPECT_TRUE((comes_before<WithdrawService, PublishService>(planned(now, want))))
        << "of another protocol";
}

TEST(Plan, WithoutRoomForBothTheOldServiceGoesFirst) {
    std::vector<DesiredBackend> many;
    for (unsigned n = 1; n <= BSC_MAX_BACKENDS / 2; ++n)
        many.push_back(backend(n));
    Desired want = desired({service(80, many)});
    want.services[0].key.ports = {8000, 8099};
    const Tables now = planned({}, want).after;
    want.services[0].key.ports.last = 8199;
    EXPECT_TRUE((comes_before<WithdrawService, PublishService>(planned(now, want))));
}

TEST(Plan, ReplacedBackendStandsBeforeTheOldOneGoes) {
    const Tables now = planned({}, desired({service(80, {backend(1)})})).after;
    const Plan p = planned(now, desired({service(80, {backend(2)})}));
    ASSERT_EQ(p.writes.size(), 3u);
    EXPECT_EQ(std::get<SetBackend>(p.writes[0]).slot, 2);
    EXPECT_TRUE(std::holds_alternative<SetRing>(p.writes[1]));
    EXPECT_EQ(p.writes[2], Write(ClearBackend{1, 1}));
}

TEST(Plan, OtherKeyIsAnotherSlot) {
    const Tables now = planned({}, desired({service(80, {backend(1)})})).after;
    const Plan p = planned(now, desired({service(81, {backend(1)})}));
    EXPECT_EQ(writes_of<SetService>(p).at(0).slot, 1);
    EXPECT_EQ(writes_of<SetBackend>(p).at(0).slot, 2) << "not the slot whose sessions still age";
}

TEST(Plan, NeverUsedSlotsComeFirstThenTheLeastWorn) {
    Tables now;
    for (std::uint16_t slot = 1; slot < BSC_MAX_BACKENDS; ++slot)
        now.retired_generations[slot] = 9;
    now.retired_generations.erase(500);
    now.retired_generations[600] = 8;
    const auto first =
        writes_of<SetBackend>(planned(now, desired({service(80, {backend(1), backend(2)})})));
    EXPECT_EQ(first.at(0).slot, 500);
    EXPECT_EQ(first.at(0).backend.generation, 1);
    EXPECT_EQ(first.at(1).slot, 600);
    EXPECT_EQ(first.at(1).backend.generation, 9);
}

TEST(Plan, GenerationsGoRound) {
    Tables now;
    for (std::uint16_t slot = 1; slot < BSC_MAX_BACKENDS; ++slot)
        now.retired_generations[slot] = slot < 100 ? 2 : 255;
    const auto set = writes_of<SetBackend>(planned(now, desired({service(80, {backend(1)})})));
    EXPECT_EQ(set.at(0).slot, 100) << "255 is older than 2 when nothing lies between";
    EXPECT_EQ(set.at(0).backend.generation, 1) << "0 is no generation";
}

TEST(Plan, SameKeyTwiceCountsOnce) {
    Desired want = desired({service(80, {backend(1), backend(1, 7)}), service(80, {backend(2)})});
    want.vips.push_back(want.vips.front());
    const Plan p = planned({}, want);
    EXPECT_EQ(p.after.vips.size(), 1u);
    EXPECT_EQ(p.after.services.size(), 1u);
    ASSERT_EQ(p.after.backends.size(), 1u);
    EXPECT_EQ(p.after.backends.at(1).key, backend(1).key);
}

TEST(Plan, WhatBelongsToNoServiceIsTakenAway) {
    Tables now;
    now.rings[4] = Ring(101, 9);
    now.backends[9] = {4, backend(1).key, 3, true, hop(1), {}};
    const Plan p = planned(now, {});
    ASSERT_EQ(p.writes.size(), 2u);
    EXPECT_EQ(p.writes[0], Write(SetRing{4, {}}));
    EXPECT_EQ(p.writes[1], Write(ClearBackend{9, 3}));
}

TEST(Plan, FullTableIsReplacedWhole) {
    std::vector<DesiredBackend> old_ones;
    std::vector<DesiredBackend> new_ones;
    for (unsigned n = 1; n < BSC_MAX_BACKENDS; ++n) {
        old_ones.push_back(backend(n));
        new_ones.push_back(backend(n + 20'000));
    }
    new_ones.front() = old_ones.front();
    Machine machine;
    const Plan first = planned({}, desired({service(80, old_ones)}));
    Desired want = desired({service(80, new_ones)});
    const Plan second = planned(first.after, want);
    // Checking the rings after each of 16,383 writes takes long; the state at the end is enough.
    for (const Plan* p : {&first, &second})
        for (const Write& write : p->writes) {
            std::visit(machine, write);
            ASSERT_FALSE(HasFatalFailure());
        }
    machine.check();
    EXPECT_EQ(machine.backends, second.after.backends);
    EXPECT_EQ(writes_of<SetRing>(second).at(0).ring, Ring(101, 1)) << "who stays serves meanwhile";
    EXPECT_TRUE(planned(second.after, want).writes.empty());
}

TEST(Plan, LimitsAreNamed) {
    std::vector<DesiredBackend> backends;
    for (unsigned n = 1; n <= BSC_MAX_BACKENDS; ++n)
        backends.push_back(backend(n));
    const auto too_many = plan({}, desired({service(80, backends)}));
    ASSERT_FALSE(too_many);
    EXPECT_EQ(too_many.error().text(), "16384 backends, more than the 16383 of the data plane");

    Desired vips;
    for (unsigned n = 0; n <= BSC_MAX_VIPS; ++n)
        vips.vips.push_back({v4(n >> 8, n & 255)});
    EXPECT_EQ(plan({}, vips).error().text(), "257 VIPs, more than the 256 of the data plane");
    vips.vips.pop_back();
    EXPECT_TRUE(plan({}, vips));

    Desired services;
    for (unsigned n = 0; n <= BSC_MAX_SERVICES; ++n)
        services.services.push_back(service(static_cast<std::uint16_t>(n + 1), {}));
    EXPECT_EQ(plan({}, services).error().text(),
              "1025 services, more than the 1024 of the data plane");
    services.services.pop_back();
    EXPECT_TRUE(plan({}, services));
}

TEST(Plan, FullServicesAndVipsAreReplacedWhole) {
    Desired before;
    Desired after;
    for (unsigned n = 0; n < BSC_MAX_VIPS; ++n) {
        before.vips.push_back({v4(1, n)});
        after.vips.push_back({v4(2, n)});
    }
    for (unsigned n = 0; n < BSC_MAX_SERVICES; ++n) {
        before.services.push_back(service(static_cast<std::uint16_t>(n + 1), {}));
        before.services.back().key.vip = before.vips[n % BSC_MAX_VIPS].address;
        after.services.push_back(before.services.back());
        after.services.back().key.vip = after.vips[n % BSC_MAX_VIPS].address;
    }
    Machine machine;
    const Plan first = planned({}, before);
    machine.run(first);
    machine.run(planned(first.after, after));
}

TEST(Keys, PrintAsTheOperatorWritesThem) {
    EXPECT_EQ((ServiceKey{v4(0, 100), {80, 80}, Protocol::tcp}).to_string(), "10.9.0.100:80/tcp");
    EXPECT_EQ((ServiceKey{Address::parse("2001:db8::1").value(), {8000, 8099}, Protocol::udp})
                  .to_string(),
              "[2001:db8::1]:8000-8099/udp");
    EXPECT_EQ((ServiceKey{v4(0, 100), {0, 65535}, Protocol::tcp}).to_string(),
              "10.9.0.100:any/tcp");
    EXPECT_EQ((BackendKey{v4(0, 21), 8080}).to_string(), "10.9.0.21:8080");
}

}  // namespace
}  // namespace bascule::model
