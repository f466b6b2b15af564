// SPDX-License-Identifier: Apache-2.0
// Several takeovers that hear each other once an interval, with hands that do at once what they are
// told. Who is silent for longer than dead_after intervals is dead; nothing is probed.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/sync/takeover_bed.h"

namespace bascule::sync::test {

class TakeoverNet : public testing::Test {
protected:
    struct Said {
        Moment at{};
        bool hears = false;
        bool witness = true;
        std::vector<VipClaim> claims;
    };
    struct Node {
        TakeoverOptions options;
        OwnFitness fitness;
        std::unique_ptr<Takeover> takeover;  // none: it is off
        bool stands_still = false;
        bool hands = true;
        std::vector<Said> heard;  // by node
        std::vector<VipMove> moves;
        std::uint64_t announcements = 0;
    };

    // One for each priority, by name lb1, lb2 and on; all are off.
    void make(const std::vector<std::uint32_t>& priorities) {
        nodes.resize(priorities.size());
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            Node& node = nodes[i];
            node.options.self = name(i);
            node.options.interval = beat;
            node.options.dead_after = 5;
            node.options.listen = 300ms;
            node.options.vips = {{vip, priorities[i]}};
            node.fitness.attached = true;
            node.fitness.synced = true;
            node.fitness.vips = {{vip, true, true}};
            node.heard.resize(nodes.size());
        }
        paths.assign(nodes.size(), std::vector<bool>(nodes.size(), true));
    }
    static std::string name(std::size_t node) { return "lb" + std::to_string(node + 1); }

    void start(std::size_t node) {
        Node& it = nodes[node];
        std::vector<std::string> peers;
        for (std::size_t i = 0; i < nodes.size(); ++i)
            if (i != node) peers.push_back(name(i));
        it.takeover = std::make_unique<Takeover>(it.options, peers, now);
        it.heard.assign(nodes.size(), {});
    }
    void start_all() {
        for (std::size_t i = 0; i < nodes.size(); ++i)
            start(i);
    }
    void stop(std::size_t node) {
        nodes[node].options.epoch_floor = nodes[node].takeover->highest();
        nodes[node].takeover.reset();
    }
    // All paths between these and the others.
    void cut(const std::vector<std::size_t>& side, bool whole = false) {
        const auto in = [&](std::size_t node) {
            return std::find(side.begin(), side.end(), node) != side.end();
        };
        for (std::size_t i = 0; i < nodes.size(); ++i)
            for (std::size_t j = 0; j < nodes.size(); ++j)
                if (in(i) != in(j)) paths[i][j] = whole;
    }

    void pass(Nanoseconds span) {
        for (const Moment end = now + span; now < end;)
            step();
    }
    void step() {
        now += beat;
        for (std::size_t i = 0; i < nodes.size(); ++i)
            if (runs(i)) speak(i);
        for (std::size_t i = 0; i < nodes.size(); ++i)
            if (runs(i)) look(i);
        const std::size_t count = holders().size();
        both = count > 1 ? both + 1 : 0;
        none = count == 0 ? none + 1 : 0;
        longest_both = std::max(longest_both, both);
        longest_none = std::max(longest_none, none);
    }
    void forget_longest() { both = none = longest_both = longest_none = 0; }

    bool runs(std::size_t node) const {
        return nodes[node].takeover != nullptr && !nodes[node].stands_still;
    }
    void speak(std::size_t from) {
        for (std::size_t to = 0; to < nodes.size(); ++to) {
            if (to == from || !paths[from][to]) continue;
            nodes[to].heard[from] = {.at = now,
                                     .hears = lives(from, to),
                                     .witness = nodes[from].fitness.witness,
                                     .claims = nodes[from].takeover->claims()};
        }
    }
    bool lives(std::size_t judging, std::size_t judged) const {
        return now - nodes[judging].heard[judged].at <= 110ms;
    }
    void look(std::size_t index) {
        Node& node = nodes[index];
        std::vector<PeerStanding> standings;
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if (i == index) continue;
            const Said& said = node.heard[i];
            Liveness liveness = lives(index, i) ? Liveness::alive : Liveness::dead;
            if (said.at == Moment{}) liveness = Liveness::unknown;
            standings.push_back({.liveness = liveness,
                                 .incompatible = false,
                                 .hears_us = said.hears,
                                 .witness = said.witness,
                                 .heard = said.at,
                                 .claims = said.claims});
        }
        node.takeover->set_fitness(node.fitness);
        const TakeoverOutput out = node.takeover->look(standings, 0ns, now);
        node.moves.insert(node.moves.end(), out.moves.begin(), out.moves.end());
        const auto duties = node.takeover->duties();
        if (!node.hands) return;
        std::vector<VipHolding> holdings;
        for (const VipDuty& duty : duties) {
            const bool here = duty.what != VipDuty::What::absent;
            holdings.push_back({duty.vip, duty.epoch, here, {}});
            if (duty.what == VipDuty::What::held && duty.announcements != node.announcements) {
                node.announcements = duty.announcements;
                last_announced = index;
            }
        }
        node.takeover->set_holdings(holdings);
    }
    VipRole role(std::size_t node) const {
        return nodes[node].takeover ? nodes[node].takeover->claims().front().role : VipRole::unfit;
    }
    // Who has it, and says so.
    std::vector<std::string> holders() const {
        std::vector<std::string> found;
        for (std::size_t i = 0; i < nodes.size(); ++i)
            if (runs(i) && !nodes[i].takeover->claims().empty() && has_it(role(i)))
                found.push_back(name(i));
        return found;
    }
    std::string holder() const {
        const auto found = holders();
        return found.empty() ? "nobody" : found.size() > 1 ? "several" : found.front();
    }
    std::size_t count(std::size_t node, VipMove::What what) const {
        const auto& moves = nodes[node].moves;
        return static_cast<std::size_t>(std::count_if(
            moves.begin(), moves.end(), [what](const VipMove& move) { return move.what == what; }));
    }
    std::size_t takings() const {
        std::size_t all = 0;
        for (std::size_t i = 0; i < nodes.size(); ++i)
            all += count(i, VipMove::What::taken);
        return all;
    }

    std::vector<Node> nodes;
    std::vector<std::vector<bool>> paths;  // from, to
    Moment now = Moment{} + std::chrono::hours(1);
    int both = 0, none = 0, longest_both = 0, longest_none = 0;  // intervals
    std::size_t last_announced = 99;
};

}  // namespace bascule::sync::test
