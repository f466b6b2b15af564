// SPDX-License-Identifier: Apache-2.0
#include "sim/events.h"

#include "sim/vip_troubles.h"

namespace bascule::sim {

// ---- clients and operators ----

void Clients::begin(Time end) {
    end_ = end;
    for (std::size_t& home : homes_)
        home = world_.random_.below(world_.plan_.nodes);
    next();
}

void Clients::next() {
    const Time mean = world_.plan_.between_events;
    // Now and then nothing happens for a while: what was on its way gets there.
    const Time span = world_.random_.chance(0.01)
                          ? Time(2500ms)
                          : Time(world_.random_.between(0, 2 * mean.count()));
    world_.schedule_.after(span, [this] {
        if (world_.now() >= end_) return;
        act();
        next();
    });
}

void Clients::act() {
    Random& random = world_.random_;
    const std::size_t flow = random.below(homes_.size());
    if (random.chance(0.08)) homes_[flow] = random.below(world_.plan_.nodes);
    Node& node = *world_.nodes_[homes_[flow]];
    const std::size_t what = random.below(100);
    if (what < 60)
        node.packet(flow);
    else if (what < 68)
        node.move(flow);
    else if (what < 80)
        node.close(flow);
    else if (what < 90)
        node.syn(flow);
    else
        speak(node);
}

void Clients::speak(Node& node) {
    if (!node.is_running() || node.paused_until() > world_.now()) return;
    const std::string key = "word/web/" + std::to_string(world_.random_.below(3));
    if (world_.random_.chance(0.5))
        node.say_word(key, std::to_string(world_.random_.below(1000)));
    else
        node.take_back(key);
}

// ---- troubles ----

Troubles::Troubles(World& world)
    : world_(world), vips_(std::make_unique<VipTroubles>(world, *this)) {}

Troubles::~Troubles() = default;

void Troubles::begin(Time end) {
    end_ = end;
    next();
}

void Troubles::next() {
    const Time mean = world_.plan_.between_troubles;
    world_.schedule_.after(Time(world_.random_.between(0, 2 * mean.count())), [this] {
        if (world_.now() >= end_) return;
        trouble();
        next();
    });
}

void Troubles::trouble() {
    world_.judge_.on_trouble();
    if (world_.random_.chance(0.4)) return vips_->trouble();
    const std::size_t what = world_.random_.below(100);
    if (what < 22) return cut();
    if (what < 40) return disturb();
    if (what < 50) return pause();
    if (what < 65) return crash();
    if (what < 70) return step_clock();
    if (what < 76) return change_targets();
    if (what < 80) return flood();
    if (what < 84) {
        const auto [one, other] = any_pair();
        say("stream between " + Node::name(one) + " and " + Node::name(other) + " is reset");
        return world_.streams_.reset(one, other);
    }
    if (what < 88) {
        const std::size_t node = any();
        say("deltas of " + Node::name(node) + " are lost");
        return world_.nodes_[node]->lose_deltas();
    }
    for (int played = 0; played < 20; ++played)
        world_.recorder_.play(world_.nodes_, world_.now(), world_.sent_);
}

void Troubles::say(const std::string& what) {
    if (world_.is_shown()) world_.say("-- " + what);
}

void Troubles::until_later(Schedule::Action undo, Time most) {
    const Time span(world_.random_.between(Time(20ms).count(), most.count()));
    world_.schedule_.after(span, [this, undo = std::move(undo)] {
        if (healed_) return;
        world_.judge_.on_trouble();
        undo();
    });
}

std::pair<std::size_t, std::size_t> Troubles::any_pair() {
    const std::size_t one = any();
    const std::size_t other =
        (one + 1 + world_.random_.below(world_.plan_.nodes - 1)) % world_.plan_.nodes;
    return {one, other};
}

template <typename Change>
void Troubles::change(std::size_t from, std::size_t to, std::size_t path, Change change) {
    world_.paths_.change(from, to, path, world_.plan_.interval, world_.now(), change);
}

template <typename Change>
void Troubles::change_all(Change change_one) {
    for (std::size_t from = 0; from < world_.plan_.nodes; ++from)
        for (std::size_t to = 0; to < world_.plan_.nodes; ++to)
            for (std::size_t path = 0; path < world_.plan_.paths && from != to; ++path)
                change(from, to, path, change_one);
}

template <typename Change>
void Troubles::change_of(std::size_t node, Change change_one) {
    for (std::size_t other = 0; other < world_.plan_.nodes; ++other)
        for (std::size_t path = 0; path < world_.plan_.paths && other != node; ++path) {
            change(node, other, path, change_one);
            change(other, node, path, change_one);
        }
}

void Troubles::cut() {
    const auto [one, other] = any_pair();
    const std::size_t only = world_.random_.below(world_.plan_.paths);
    const bool all_paths = world_.random_.chance(0.6);
    const bool both_ways = world_.random_.chance(0.7);
    // A firewall that lets streams through.
    const bool streams_pass = world_.random_.chance(0.35);
    const auto set = [=, this, one = one, other = other](bool is_cut) {
        say(std::string(streams_pass ? "for heartbeats " : "") + "from " + Node::name(one) +
            (both_ways ? " and" : "") + " to " + Node::name(other) +
            (all_paths ? " by all paths" : " by path " + std::to_string(only + 1)) +
            (is_cut ? " is cut" : " is healed"));
        world_.vip_judge_.on_event();
        const auto cut_one = [=](Way& way) {
            (streams_pass ? way.no_heartbeats : way.cut) = is_cut;
        };
        for (std::size_t path = 0; path < world_.plan_.paths; ++path) {
            if (!all_paths && path != only) continue;
            change(one, other, path, cut_one);
            if (both_ways) change(other, one, path, cut_one);
        }
    };
    set(true);
    until_later([set] { set(false); }, streams_pass ? 8s : 4s);
}

void Troubles::cut_off(std::size_t node, bool is_cut) {
    say(Node::name(node) + (is_cut ? " is cut off" : " is no longer cut off"));
    world_.vip_judge_.on_event();
    change_of(node, [is_cut](Way& way) { way.cut = is_cut; });
}

void Troubles::stop_streams(bool stop) {
    say(stop ? "streams do not come through" : "streams come through");
    change_all([stop](Way& way) { way.no_streams = stop; });
}

void Troubles::disturb() {
    Random& random = world_.random_;
    const double loss = random.one_of<double>({0, 0.05, 0.1, 0.3});
    const double twice = random.one_of<double>({0, 0.2});
    const Time jitter = random.one_of<Time>({0ms, 5ms, 100ms});
    say("loss " + std::to_string(loss) + ", doubled " + std::to_string(twice) + ", jitter " +
        std::to_string(jitter / 1ms) + " ms everywhere");
    if (jitter > 5ms || loss > 0) world_.judge_.on_delay();
    world_.vip_judge_.on_disturbed(true);
    change_all([&](Way& way) {
        way.loss = loss;
        way.twice = twice;
        way.jitter = jitter;
    });
    until_later([this] {
        say("no loss");
        world_.vip_judge_.on_disturbed(false);
        change_all([](Way& way) { way.loss = way.twice = 0, way.jitter = 0ms; });
    });
}

void Troubles::pause() {
    const std::size_t node = any();
    const Time span(world_.random_.between(Time(20ms).count(), Time(3s).count()));
    say(Node::name(node) + " stands still for " + std::to_string(span / 1ms) + " ms");
    world_.judge_.on_slow_answers();
    world_.nodes_[node]->pause(span);
    // After it has woken it judges a round later.
    world_.vip_judge_.on_event(span + 5 * world_.plan_.interval);
}

void Troubles::crash() {
    const std::size_t node = any();
    if (!world_.nodes_[node]->is_running()) return;
    const auto death = world_.random_.one_of<Death>({Death::daemon, Death::detached, Death::host});
    say(Node::name(node) + (death == Death::daemon     ? " dies, its packets pass"
                            : death == Death::detached ? " dies, its packets do not pass"
                                                       : " loses its power"));
    world_.nodes_[node]->crash(death);
    world_.vip_judge_.on_event();
    // Who comes back is not in step for longer than it takes to be heard.
    if (world_.random_.chance(0.25)) vips_->stop_streams();
    until_later([this, node] { restart(node); });
}

void Troubles::restart_later(std::size_t node) {
    until_later([this, node] {
        // It has not ended yet.
        if (world_.nodes_[node]->is_leaving()) return restart_later(node);
        restart(node);
    });
}

void Troubles::restart(std::size_t node) {
    if (world_.nodes_[node]->is_running()) return;
    const bool disk_kept = world_.random_.chance(0.8);
    say(Node::name(node) + " starts" + (disk_kept ? "" : " with an empty disk"));
    auto& disk = world_.nodes_[node]->vips_host().disk;
    if (!disk_kept) disk = 0;
    world_.vip_judge_.on_start(node, disk);
    if (!healed_ && world_.random_.chance(0.25)) come_up_late(node);
    world_.nodes_[node]->start(disk_kept);
}

// Its host has just booted: links come up seconds later, and a neighbour that was asked for in vain
// is asked for again a second after that.
void Troubles::come_up_late(std::size_t node) {
    vips_->set_links(node, false);
    change_of(node, [](Way& way) { way.deaf_start = true; });
    const Time up(world_.random_.between(0, Time(3s).count()));
    const Time found = up + Time(world_.random_.between(0, Time(1s).count()));
    world_.schedule_.after(up, [this, node] {
        if (!healed_) vips_->set_links(node, true);
    });
    world_.schedule_.after(found, [this, node] {
        if (healed_) return;
        say("neighbours are found at " + Node::name(node));
        world_.vip_judge_.on_event();
        change_of(node, [](Way& way) { way.deaf_start = false; });
    });
}

void Troubles::step_clock() {
    const std::size_t node = any();
    const Time by = world_.random_.one_of<Time>({1h, -1h, 10s, 25h});
    say("wall clock of " + Node::name(node) + " steps by " + std::to_string(by / 1s) + " s");
    world_.nodes_[node]->clock().step_wall(by);
}

void Troubles::change_targets() {
    const std::size_t node = any();
    std::set<sync::TargetId> targets;
    for (std::size_t target = 0; target < world_.plan_.targets; ++target)
        if (target == 0 || world_.random_.chance(0.7)) targets.insert(Truth::target(target));
    say(Node::name(node) + " has " + std::to_string(targets.size()) + " backends");
    world_.nodes_[node]->set_known(std::move(targets));
}

void Troubles::flood() {
    const std::size_t node = any();
    say("SYN flood at " + Node::name(node));
    for (std::size_t flow = 0; flow < world_.plan_.flows; ++flow)
        world_.nodes_[node]->syn(flow);
}

void Troubles::heal() {
    say("all heals");
    healed_ = true;
    world_.judge_.on_trouble();
    change_all([](Way& way) {
        way.cut = way.no_streams = way.no_heartbeats = way.deaf_start = false;
        way.loss = way.twice = 0;
        way.jitter = 0ms;
    });
    std::set<sync::TargetId> targets;
    for (std::size_t target = 0; target < world_.plan_.targets; ++target)
        targets.insert(Truth::target(target));
    vips_->heal();
    for (std::size_t node = 0; node < world_.plan_.nodes; ++node) {
        world_.nodes_[node]->set_known(targets);
        if (world_.nodes_[node]->is_leaving()) world_.nodes_[node]->crash(Death::daemon);
        restart(node);
    }
}

}  // namespace bascule::sim
