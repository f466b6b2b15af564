// SPDX-License-Identifier: Apache-2.0
// The planner on many random configurations.
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "model/maglev.h"
#include "tests/unit/model/plan_world.h"

namespace bascule::model {
namespace {

using namespace testing;

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
            if (::testing::Test::HasFailure()) return;
            EXPECT_TRUE(planned(p.after, want).writes.empty()) << "the same again is nothing to do";
            now = p.after;
        }
    }
}

// The same services with other backends, or backends that fare otherwise.
void change_backends(Desired& want, std::mt19937& random) {
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    for (DesiredService& one : want.services) {
        if (one.backends.empty() || below(3) == 0)
            one.backends.push_back(backend(100 + below(10'000)));
        if (below(4) == 0)
            one.backends.erase(one.backends.begin() +
                               below(static_cast<unsigned>(one.backends.size())));
        for (DesiredBackend& each : one.backends) {
            if (below(3) == 0) each.up = !each.up;
            if (below(4) == 0) each.weight = 50 * below(3);
            if (below(6) == 0) each.backup = !each.backup;
        }
    }
}

// What takes new flows before a change and after it takes them all the while.
TEST(PlanProperty, NoRingIsEmptyInBetween) {
    std::size_t watched = 0;
    for (unsigned seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937 random(seed);
        Machine machine;
        Tables now;
        Desired want;
        for (int step = 0; step < 40; ++step) {
            if (step % 4 == 0)
                want = random_desired(random, 8, 8);
            else
                change_backends(want, random);
            const Plan p = planned(now, want);
            std::set<ServiceKey> serving;
            for (const auto& [key, slot] : machine.published)
                if (machine.rings.contains(slot)) serving.insert(key);
            std::erase_if(serving, [&](const ServiceKey& key) {
                return std::none_of(
                    p.after.services.begin(), p.after.services.end(), [&](const auto& s) {
                        return s.second.key == key && p.after.rings.contains(s.first);
                    });
            });
            watched += serving.size();
            for (const Write& write : p.writes) {
                std::visit(machine, write);
                for (const ServiceKey& key : serving) {
                    ASSERT_TRUE(machine.published.contains(key)) << key.to_string();
                    ASSERT_TRUE(machine.rings.contains(machine.published.at(key)))
                        << key.to_string() << " takes no new flows, step " << step;
                }
            }
            now = p.after;
        }
    }
    EXPECT_GT(watched, 300u) << "the histories have to have such services";
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
    auto slots = ring.slots();
    slots[50] = slots[50] == 1 ? 2 : 1;
    EXPECT_FALSE(memo.gives(3, members, 101, slots));
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
        if (::testing::Test::HasFailure()) return;
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

}  // namespace
}  // namespace bascule::model
