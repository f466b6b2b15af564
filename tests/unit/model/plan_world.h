// SPDX-License-Identifier: Apache-2.0
// What the planner is asked for in tests, and tables that its writes are carried out on.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "bpf/contract.h"
#include "model/plan.h"

namespace bascule::model::testing {

inline Address v4(unsigned a, unsigned b) {
    return Address::v4({10, 9, static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)});
}

inline NextHop hop(unsigned n) {
    return {Mac::from_word(0x0200'0000'0000u + n), 3, 0, Mac::from_word(9), 1500};
}

inline DesiredBackend backend(unsigned n, std::uint32_t weight = 100) {
    return {{v4(n >> 8, n & 255), 80}, weight, true, false, hop(n), {}};
}

inline DesiredService service(std::uint16_t port, std::vector<DesiredBackend> backends) {
    DesiredService one;
    one.key = {v4(255, 1), {port, port}, Protocol::tcp};
    one.options.limits = {Seconds(60), Seconds(3600), Seconds(60)};
    one.ring_size = 101;
    one.backends = std::move(backends);
    return one;
}

inline Desired desired(std::vector<DesiredService> services) {
    return {{{v4(255, 1)}}, std::move(services)};
}

inline Plan planned(const Tables& now, const Desired& want) {
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
            if (::testing::Test::HasFatalFailure()) return;
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

}  // namespace bascule::model::testing
