// SPDX-License-Identifier: Apache-2.0
#include "model/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <string>

#include "bpf/contract.h"
#include "model/maglev.h"

namespace bascule::model {
namespace {

Address v4(unsigned a, unsigned b) {
    return Address::v4({10, 9, static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)});
}

NextHop hop(unsigned n) {
    return {Mac::from_word(0x0200'0000'0000u + n), 3, 0, Mac::from_word(9), 1500};
}

DesiredBackend backend(unsigned n, std::uint32_t weight = 100) {
    return {{v4(n >> 8, n & 255), 80}, weight, true, false, hop(n), {}};
}

DesiredService service(std::uint16_t port, std::vector<DesiredBackend> backends) {
    DesiredService one;
    one.key = {v4(255, 1), {port, port}, Protocol::tcp};
    one.options.limits = {Seconds(60), Seconds(3600), Seconds(60)};
    one.ring_size = 101;
    one.backends = std::move(backends);
    return one;
}

Desired desired(std::vector<DesiredService> services) {
    return {{{v4(255, 1)}}, std::move(services)};
}

Plan planned(const Tables& now, const Desired& want) {
    auto result = plan(now, want);
    EXPECT_TRUE(result) << result.error().text();
    return std::move(*result);
}

template <typename W>
std::vector<W> writes_of(const Plan& p) {
    std::vector<W> found;
    for (const Write& write : p.writes)
        if (const W* w = std::get_if<W>(&write)) found.push_back(*w);
    return found;
}

// The tables as a packet meets them, kept by a few lines that share nothing with the planner, with
// the rules that hold after every single write.
class Machine {
public:
    void operator()(const SetVip& w) {
        ASSERT_GE(w.id, 1);
        if (const auto stands = vips.find(w.id); stands != vips.end()) {
            ASSERT_EQ(stands->second.address, w.vip.address) << "VIP id given twice";
            ASSERT_NE(stands->second.held, w.vip.held) << "a write for nothing";
        }
        vips[w.id] = w.vip;
    }
    void operator()(const RemoveVip& w) {
        ASSERT_EQ(vips.at(w.id).address, w.address);
        for (const auto& [key, slot] : published)
            ASSERT_NE(key.vip, w.address);
        vips.erase(w.id);
    }
    void operator()(const SetService& w) {
        if (w.fresh)
            ASSERT_FALSE(services.contains(w.slot));
        else
            ASSERT_EQ(services.at(w.slot).key, w.service.key);
        services[w.slot] = w.service;
    }
    void operator()(const PublishService& w) {
        ASSERT_FALSE(published.contains(w.key));
        ASSERT_EQ(services.at(w.slot).key, w.key);
        const bool vip_stands = std::any_of(
            vips.begin(), vips.end(), [&](const auto& v) { return v.second.address == w.key.vip; });
        ASSERT_TRUE(vip_stands);
        published[w.key] = w.slot;
    }
    void operator()(const WithdrawService& w) {
        ASSERT_EQ(published.at(w.key), w.slot);
        published.erase(w.key);
    }
    void operator()(const ClearService& w) {
        for (const auto& [key, slot] : published)
            ASSERT_NE(slot, w.slot);
        ASSERT_FALSE(rings.contains(w.slot));
        for (const auto& [slot, b] : backends)
            ASSERT_NE(b.service, w.slot);
        ASSERT_EQ(services.erase(w.slot), 1u);
    }
    void operator()(const SetBackend& w) {
        ASSERT_GE(w.slot, 1);
        ASSERT_LT(w.slot, BSC_MAX_BACKENDS);
        ASSERT_NE(w.backend.generation, 0);
        ASSERT_TRUE(services.contains(w.backend.service));
        const auto stands = backends.find(w.slot);
        ASSERT_EQ(w.fresh, stands == backends.end());
        if (w.fresh) {
            const unsigned last = generations[w.slot];
            ASSERT_EQ(w.backend.generation, last == 255 ? 1 : last + 1);
        } else {
            ASSERT_EQ(stands->second.key, w.backend.key);
            ASSERT_EQ(stands->second.service, w.backend.service);
            ASSERT_EQ(stands->second.generation, w.backend.generation);
            ASSERT_NE(stands->second, w.backend) << "a write for nothing";
        }
        backends[w.slot] = w.backend;
    }
    void operator()(const ClearBackend& w) {
        ASSERT_EQ(backends.at(w.slot).generation, w.generation);
        generations[w.slot] = w.generation;
        backends.erase(w.slot);
    }
    void operator()(const SetRing& w) {
        ASSERT_TRUE(services.contains(w.service));
        const auto stands = rings.find(w.service);
        ASSERT_NE(stands == rings.end() ? Ring{} : stands->second, w.ring) << "a write for nothing";
        if (w.ring.empty())
            rings.erase(w.service);
        else
            rings[w.service] = w.ring;
        leads_to[w.service] = {w.ring.begin(), w.ring.end()};
    }

    void check() const {
        for (const auto& [key, slot] : published)
            ASSERT_EQ(services.at(slot).key, key);
        for (const auto& [service, slots] : leads_to) {
            for (const std::uint16_t slot : slots) {
                ASSERT_TRUE(backends.contains(slot)) << "ring leads to a free slot";
                const TableBackend& b = backends.at(slot);
                ASSERT_EQ(b.service, service) << "ring leads to a stranger";
                ASSERT_TRUE(b.up && b.next_hop) << "ring leads to a backend that cannot serve";
            }
        }
    }

    void run(const Plan& p) {
        for (const Write& write : p.writes) {
            std::visit(*this, write);
            check();
            if (testing::Test::HasFatalFailure()) return;
        }
        ASSERT_EQ(services, p.after.services);
        ASSERT_EQ(backends, p.after.backends);
        ASSERT_EQ(rings, p.after.rings);
        ASSERT_EQ(vips, p.after.vips);
        ASSERT_EQ(published.size(), services.size());
    }

    std::map<std::uint16_t, TableService> services;
    std::map<std::uint16_t, TableBackend> backends;
    std::map<std::uint16_t, Ring> rings;
    std::map<std::uint16_t, std::set<std::uint16_t>> leads_to;  // what is in a ring
    std::map<std::uint16_t, TableVip> vips;
    std::map<ServiceKey, std::uint16_t> published;
    std::map<std::uint16_t, unsigned> generations;
};

void expect_serves(const Tables& tables, const Desired& want) {
    ASSERT_EQ(tables.services.size(), want.services.size());
    std::size_t backends = 0;
    for (const DesiredService& service : want.services) {
        const auto found = std::find_if(tables.services.begin(), tables.services.end(),
                                        [&](const auto& s) { return s.second.key == service.key; });
        ASSERT_NE(found, tables.services.end());
        EXPECT_EQ(found->second.options, service.options);
        std::vector<RingMember> members;
        std::vector<RingMember> backups;
        for (const DesiredBackend& backend : service.backends) {
            ++backends;
            const auto entry =
                std::find_if(tables.backends.begin(), tables.backends.end(), [&](const auto& b) {
                    return b.second.service == found->first && b.second.key == backend.key;
                });
            ASSERT_NE(entry, tables.backends.end());
            EXPECT_EQ(entry->second.up, backend.up);
            EXPECT_EQ(entry->second.next_hop, backend.next_hop);
            EXPECT_EQ(entry->second.delivery, backend.delivery);
            if (backend.up && backend.next_hop && backend.weight > 0)
                (backend.backup ? backups : members)
                    .push_back({backend.key, backend.weight, entry->first});
        }
        const auto ring = tables.rings.find(found->first);
        EXPECT_EQ(ring == tables.rings.end() ? Ring{} : ring->second,
                  build_ring(members.empty() ? backups : members, service.ring_size));
    }
    EXPECT_EQ(tables.backends.size(), backends);
    ASSERT_EQ(tables.vips.size(), want.vips.size());
    for (const DesiredVip& vip : want.vips)
        EXPECT_TRUE(std::any_of(tables.vips.begin(), tables.vips.end(), [&](const auto& v) {
            return v.second == TableVip{vip.address, vip.held};
        }));
}

// Now and then another way, as when the file changes it.
Delivery random_delivery(unsigned n) {
    Delivery delivery;
    delivery.forward = std::array{Forward::l2, Forward::ipip, Forward::gue, Forward::local}[n % 4];
    if (n % 3 == 0) delivery.rewrite_port = 8080;
    if (delivery.forward == Forward::gue) delivery.gue_port = 6080;
    if (n % 4 == 1 || n % 4 == 2) delivery.tunnel_source = v4(200, n & 7);
    delivery.entropy_bits = static_cast<std::uint8_t>(n % 5);
    return delivery;
}

Desired random_desired(std::mt19937& random, unsigned max_services, unsigned max_backends) {
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    Desired want;
    for (unsigned v = 1; v <= 4; ++v)
        if (below(3) != 0)
            want.vips.push_back(
                {v == 4 ? Address::parse("2001:db8::4").value() : v4(255, v), below(4) != 0});
    if (want.vips.empty()) return want;
    std::set<ServiceKey> keys;
    for (unsigned s = below(max_services + 1); s > 0; --s) {
        DesiredService one = service(static_cast<std::uint16_t>(80 + below(4)), {});
        one.key.vip = want.vips[below(static_cast<unsigned>(want.vips.size()))].address;
        if (below(4) == 0) one.key.ports = {8000, static_cast<std::uint16_t>(8000 + below(3))};
        if (below(8) == 0) one.key.ports = {0, 65535};
        one.key.protocol = below(2) != 0 ? Protocol::udp : Protocol::tcp;
        one.options.limits.established = Seconds(60 * (1 + below(2)));
        one.options.unknown = below(4) == 0 ? Unknown::drop : Unknown::rehash;
        one.options.on_empty = below(4) == 0 ? OnEmpty::reset : OnEmpty::drop;
        one.options.mss_clamp = below(4) == 0 ? 1400 : 0;
        one.options.copy_dscp = below(4) != 0;
        const unsigned way = below(8);
        if (!keys.insert(one.key).second) continue;
        std::set<unsigned> chosen;
        for (unsigned b = below(max_backends + 1); b > 0; --b) {
            const unsigned n = 1 + below(2 * max_backends);
            if (!chosen.insert(n).second) continue;
            DesiredBackend entry = backend(n, below(5) == 0 ? 0 : 50 * (1 + below(3)));
            entry.up = below(5) != 0;
            if (below(6) == 0) entry.next_hop.reset();
            if (below(6) == 0) entry.next_hop = hop(1000 + n);
            entry.backup = below(4) == 0;
            if (way < 4) entry.delivery = random_delivery(way + below(2) * 4);
            one.backends.push_back(entry);
        }
        want.services.push_back(std::move(one));
    }
    return want;
}

TEST(PlanProperty, EveryPrefixOfEveryPlanIsSafe) {
    for (unsigned seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937 random(seed);
        Machine machine;
        Tables now;
        for (int step = 0; step < 40; ++step) {
            const Desired want = random_desired(random, 8, 8);
            const Plan p = planned(now, want);
            machine.run(p);
            expect_serves(p.after, want);
            if (testing::Test::HasFailure()) return;
            EXPECT_TRUE(planned(p.after, want).writes.empty()) << "the same again is nothing to do";
            now = p.after;
        }
    }
}

// Also one whose plans were not carried out, or only in part, and of other tables.
TEST(PlanProperty, AMemoChangesNoPlan) {
    std::mt19937 random(7);
    RingMemo memo;
    Tables now;
    for (int step = 0; step < 300; ++step) {
        const Desired want = random_desired(random, 6, 4);
        const Plan without = planned(now, want);
        const auto with = plan(now, want, memo);
        ASSERT_TRUE(with) << with.error().text();
        ASSERT_EQ(with->writes, without.writes) << "step " << step;
        ASSERT_EQ(with->after, without.after);
        const auto carried_out = random() % (without.writes.size() + 1);
        if (step % 5 == 0)
            for (std::size_t i = 0; i < carried_out; ++i)
                record(now, without.writes[i]);
        else if (step % 7 != 0)
            now = without.after;
        if (step % 50 == 49) now = {};
    }
}

TEST(RingMemo, KnowsOnlyTheRingOfJustTheseMembers) {
    const std::vector<RingMember> members{{{v4(0, 1), 80}, 100, 1}, {{v4(0, 2), 80}, 100, 2}};
    const Ring ring = build_ring(members, 101);
    RingMemo memo;
    EXPECT_FALSE(memo.gives(3, members, 101, ring));
    memo.note(3, members, 101, ring);
    EXPECT_TRUE(memo.gives(3, members, 101, ring));
    EXPECT_FALSE(memo.gives(4, members, 101, ring));
    EXPECT_FALSE(memo.gives(3, members, 103, ring));
    auto heavier = members;
    heavier[1].weight = 101;
    EXPECT_FALSE(memo.gives(3, heavier, 101, ring));
    auto elsewhere = members;
    elsewhere[1].value = 7;
    EXPECT_FALSE(memo.gives(3, elsewhere, 101, ring));
    Ring another = ring;
    another[50] = another[50] == 1 ? 2 : 1;
    EXPECT_FALSE(memo.gives(3, members, 101, another));
}

// Few slots that never served, so that freed ones are given away again and again.
TEST(PlanProperty, ReuseOfWornSlotsIsSafe) {
    std::mt19937 random(5);
    Machine machine;
    Tables now;
    for (std::uint16_t slot = 30; slot < BSC_MAX_BACKENDS; ++slot) {
        now.retired_generations[slot] = 100;
        machine.generations[slot] = 100;
    }
    std::uint8_t highest = 0;
    for (int step = 0; step < 200; ++step) {
        const Plan p = planned(now, random_desired(random, 5, 5));
        machine.run(p);
        if (testing::Test::HasFailure()) return;
        for (const SetBackend& set : writes_of<SetBackend>(p))
            if (set.slot < 30) highest = std::max(highest, set.backend.generation);
        now = p.after;
    }
    EXPECT_GT(highest, 3) << "the slots were used more than once";
}

TEST(PlanProperty, RecordTellsWhatStandsAfterwards) {
    std::mt19937 random(99);
    Tables now;
    for (int step = 0; step < 30; ++step) {
        const Plan p = planned(now, random_desired(random, 6, 6));
        for (const Write& write : p.writes)
            record(now, write);
        EXPECT_EQ(now, p.after);
    }
}

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
