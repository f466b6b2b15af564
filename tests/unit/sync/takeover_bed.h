// SPDX-License-Identifier: Apache-2.0
// lb1's takeover alone, with peers that say what a test wants, and hands that do at once what they
// are told, unless a test holds them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "sync/takeover.h"

namespace bascule::sync::test {

using namespace std::chrono_literals;

constexpr VipId vip = 0x1001;
constexpr VipId other_vip = 0x1002;
constexpr Nanoseconds beat = 20ms;

struct ScriptedPeer {
    Liveness liveness = Liveness::alive;
    Incarnation incarnation = 1;
    bool speaks = true;  // its heartbeats come
    bool incompatible = false;
    bool hears_us = true;
    bool witness = true;
    Moment heard{};
    std::vector<VipClaim> claims;

    void say(VipRole role, Epoch epoch = 0, std::uint32_t priority = 100, bool moved = false) {
        claims = {{vip, role, epoch, priority, moved}};
    }
    void die() {
        liveness = Liveness::dead;
        speaks = false;
    }
    void live() {
        liveness = Liveness::alive;
        speaks = true;
    }
};

class TakeoverAlone : public testing::Test {
protected:
    TakeoverAlone() {
        options.self = "lb1";
        options.interval = beat;
        options.dead_after = 5;
        options.vips = {{vip, 150}};
        fitness.attached = true;
        fitness.synced = true;
        fitness.vips = {{vip, true, true}, {other_vip, true, true}};
    }

    // With so many peers, lb2 and on, which could have it with priority 100 and hold nothing.
    void begin(std::size_t count = 1) {
        peers.assign(count, {});
        std::vector<std::string> names;
        for (std::size_t i = 0; i < count; ++i) {
            names.push_back("lb" + std::to_string(i + 2));
            peers[i].say(VipRole::fit);
        }
        takeover = std::make_unique<Takeover>(options, names, now);
        takeover->set_fitness(fitness);
    }
    // Begins, and holds the VIP with epoch 1 for a while; the others are ready.
    void begin_holding(std::size_t count = 1) {
        begin(count);
        pass(2s);
        for (ScriptedPeer& peer : peers)
            peer.say(VipRole::ready);
        pass(1s);
        ASSERT_EQ(role(), VipRole::holding);
        ASSERT_EQ(duty().epoch, 1U);
        moves.clear();
    }
    // Begins beside lb2, which holds it with that epoch and priority.
    void begin_beside(Epoch epoch, std::uint32_t priority, bool moved = false) {
        begin();
        peers[0].say(VipRole::holding, epoch, priority, moved);
        look();
    }

    ScriptedPeer& lb2() { return peers[0]; }
    ScriptedPeer& lb3() { return peers[1]; }

    // What the hands have done is heard by the next look.
    TakeoverOutput look(Nanoseconds slept = 0ns) {
        std::vector<PeerStanding> standings;
        for (ScriptedPeer& peer : peers) {
            if (peer.speaks) peer.heard = now;
            standings.push_back({.liveness = peer.liveness,
                                 .incarnation = peer.incarnation,
                                 .incompatible = peer.incompatible,
                                 .hears_us = peer.hears_us,
                                 .witness = peer.witness,
                                 .heard = peer.heard,
                                 .claims = peer.claims});
        }
        takeover->set_fitness(fitness);
        TakeoverOutput out = takeover->look(standings, slept, now);
        moves.insert(moves.end(), out.moves.begin(), out.moves.end());
        changes += out.duties_changed ? 1 : 0;
        said += out.claims_changed ? 1 : 0;
        if (hands) work();
        return out;
    }
    void work() {
        std::vector<VipHolding> holdings;
        for (const VipDuty& duty : takeover->duties())
            holdings.push_back({.vip = duty.vip,
                                .epoch = duty.epoch,
                                .here = duty.what != VipDuty::What::absent,
                                .problem = {}});
        takeover->set_holdings(holdings);
    }
    // The hands cannot do it.
    void refuse(const std::string& problem) {
        takeover->set_holdings(
            {{.vip = vip, .epoch = duty().epoch, .here = false, .problem = problem}});
    }
    // Looks every interval, and once more at the end of the time.
    void pass(Nanoseconds span) {
        for (const Moment end = now + span; now < end;) {
            now = std::min(end, now + beat);
            look();
        }
    }
    // Stands still, and looks when it wakes.
    void sleep(Nanoseconds span) {
        now += span;
        look(span - beat);
    }

    VipDuty duty() const {
        const auto duties = takeover->duties();
        return duties.empty() ? VipDuty{} : duties.front();
    }
    bool held() const { return duty().what == VipDuty::What::held; }
    VipClaim claim() const { return takeover->claims().front(); }
    VipRole role() const { return claim().role; }
    VipView view() const { return takeover->view().front(); }
    // How long it is found from now on; less than nothing: it is not.
    Nanoseconds found() const {
        const auto deadlines = takeover->deadlines(now);
        if (deadlines.empty() || deadlines.front().until == Moment::min()) return -1ns;
        return deadlines.front().until - now;
    }
    std::string told(VipMove::What what) const {
        for (const VipMove& move : moves)
            if (move.what == what) return move.why;
        return "nothing";
    }
    std::string taken() const { return told(VipMove::What::taken); }
    std::string released() const { return told(VipMove::What::released); }
    std::string offered() const { return told(VipMove::What::offered); }
    std::string failed() const { return told(VipMove::What::failed); }

    TakeoverOptions options;
    OwnFitness fitness;
    std::vector<ScriptedPeer> peers;
    std::unique_ptr<Takeover> takeover;
    Moment now = Moment{} + std::chrono::hours(1);
    bool hands = true;
    std::vector<VipMove> moves;
    int changes = 0;  // of duties
    int said = 0;     // claims that could not wait
};

}  // namespace bascule::sync::test
