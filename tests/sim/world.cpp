// SPDX-License-Identifier: Apache-2.0
#include "sim/world.h"

#include <cstdio>

#include "sim/calm_life.h"
#include "sim/describe.h"
#include "sim/events.h"

namespace bascule::sim {
namespace {

constexpr std::size_t most_waiting = 200;
// Streams are given up, made anew, paced and audited meanwhile.
constexpr Time together_within = 20s;
constexpr Time together_for = 2500ms;

}  // namespace

World::World(const Plan& plan, std::ostream* shown)
    : plan_(plan),
      shown_(shown),
      random_(plan.seed),
      truth_(plan_),
      paths_(plan_),
      streams_(plan_, schedule_, paths_, random_),
      judge_(plan_, schedule_, paths_, streams_, truth_, nodes_),
      vip_judge_(plan_, schedule_, paths_, nodes_, judge_),
      recorder_(plan_, random_),
      waiting_(plan_.nodes) {
    for (std::size_t node = 0; node < plan_.nodes; ++node) {
        nodes_.push_back(std::make_unique<Node>(node, plan_, schedule_, streams_, truth_, random_,
                                                *this, *this));
        streams_.add(*nodes_.back());
    }
}

void World::run() {
    Clients clients(*this);
    Troubles troubles(*this);
    for (std::size_t node = 0; node < plan_.nodes; ++node) {
        vip_judge_.on_start(node, 0);
        nodes_[node]->start(false);
    }
    streams_.start();
    clients.begin(plan_.chaos);
    troubles.begin(plan_.chaos);
    run_until(plan_.chaos);
    troubles.heal();
    come_together();
    if (plan_.calm_life > Time(0)) live_calmly();
}

void World::run_until(Time end) {
    while (schedule_.step(end)) {
        ++steps_;
        judge_.judge();
        vip_judge_.judge();
    }
}

void World::come_together() {
    const Time healed = now();
    constexpr Time look = 100ms;
    std::string apart;
    do {
        if (now() - healed > together_within)
            throw Violation("after " + std::to_string(together_within / 1s) +
                            " s without trouble: " + apart);
        run_until(now() + look);
        apart = still_apart();
        if (apart.empty()) apart = on_its_way();
    } while (!apart.empty());
    const std::uint64_t takings = vip_judge_.takings();
    if (is_shown()) say("-- all are in step");
    run_until(now() + together_for);
    const bool roomy = plan_.room >= plan_.flows;
    // Who has no room may be in step after all by now, and take back what is its own.
    for (const Time until = now() + together_within;
         !roomy && !vip_judge_.on_its_way().empty() && now() < until;)
        run_until(now() + look);
    apart = still_apart();
    if (!apart.empty()) throw Violation("no longer in step, without trouble: " + apart);
    if (roomy && vip_judge_.takings() != takings)
        throw Violation("a VIP is taken, without trouble");
}

std::string World::still_apart() const {
    const std::string apart = judge_.still_apart();
    return apart.empty() ? vip_judge_.still_apart() : apart;
}

std::string World::on_its_way() const {
    const std::string what = judge_.on_its_way();
    return what.empty() ? vip_judge_.on_its_way() : what;
}

void World::live_calmly() {
    if (is_shown()) say("-- clients go on");
    CalmLife life(*this);
    life.begin(now() + plan_.calm_life);
    run_until(now() + plan_.calm_life);
    life.judge();
    const std::string apart = still_apart();
    if (!apart.empty()) throw Violation("no longer in step, though nothing happened: " + apart);
}

void World::send(std::size_t from, std::size_t to, std::size_t path,
                 const sync::Heartbeat& heartbeat) {
    ++sent_;
    vip_judge_.on_heartbeat(from, heartbeat.claims);
    const auto kept = std::make_shared<const sync::Heartbeat>(heartbeat);
    recorder_.record({from, to, path, kept, now()});
    const Way& way = paths_.way(from, to, path);
    if (!way.carries_heartbeats() || random_.chance(way.loss)) return;
    for (int copies = random_.chance(way.twice) ? 2 : 1; copies > 0; --copies) {
        const Time late =
            way.jitter == Time(0) ? Time(0) : Time(random_.between(0, way.jitter.count()));
        schedule_.after(way.delay + late,
                        [this, from, to, path, kept] { deliver(from, to, path, kept); });
    }
}

void World::deliver(std::size_t from, std::size_t to, std::size_t path,
                    const std::shared_ptr<const sync::Heartbeat>& heartbeat) {
    const Time until = nodes_[to]->paused_until();
    if (until <= now()) return nodes_[to]->on_heartbeat(from, path, *heartbeat);
    if (waiting_[to] >= most_waiting) return;
    ++waiting_[to];
    schedule_.at(until, [this, from, to, path, heartbeat, run = nodes_[to]->run()] {
        --waiting_[to];
        // What waits in the sockets of a process goes with it.
        if (nodes_[to]->run() == run) deliver(from, to, path, heartbeat);
    });
}

void World::on_change(std::size_t node, const sync::MembershipChange& change) {
    if (is_shown()) {
        const std::size_t peer = nodes_[node]->node_of(change.peer);
        say(Node::name(node) + ": " + Node::name(peer) + " is " + name_of(change.to) +
            (change.restarted ? " again, started anew" : "") + " (" + change.why + ")");
    }
    judge_.on_change(node, change);
}

void World::on_duties(std::size_t node, std::span<const sync::VipDuty> duties) {
    if (is_shown())
        for (const sync::VipDuty& duty : duties)
            say(Node::name(node) + ": " + describe(duty));
    vip_judge_.on_duties(node, duties);
}

void World::on_announced(std::size_t node, std::size_t vip) {
    if (is_shown()) say(Node::name(node) + " announces VIP " + std::to_string(vip + 1));
    if (plan_.breakage != Breakage::held_parting)
        for (std::size_t other = 0; other < plan_.nodes; ++other)
            if (other != node) nodes_[other]->vips_host().kernel.hear_announcement(vip);
    vip_judge_.on_announced(node, vip);
}

void World::on_vip_move(std::size_t node, const sync::VipMove& move) {
    if (is_shown()) say(Node::name(node) + ": " + describe(move));
}

void World::say(const std::string& what) {
    char time[32];
    std::snprintf(time, sizeof time, "%10.3f ", static_cast<double>(now().count()) * 1e-9);
    *shown_ << time << what << "\n";
}

}  // namespace bascule::sim
