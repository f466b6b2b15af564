// SPDX-License-Identifier: Apache-2.0
// What clients and operators do, and what befalls nodes and network, by chance.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/world.h"

namespace bascule::sim {

class Clients {
public:
    explicit Clients(World& world) : world_(world), homes_(world.plan_.flows) {}
    // Until `end`.
    void begin(Time end);

private:
    void next();
    void act();
    void speak(Node& node);

    World& world_;
    std::vector<std::size_t> homes_;  // by flow: the node that its packets reach
    Time end_{0};
};

class VipTroubles;

class Troubles {
public:
    explicit Troubles(World& world);
    ~Troubles();
    // Until `end`.
    void begin(Time end);
    void heal();

    // ---- for the other troubles ----
    // Undoes it after a while, unless all has healed by then.
    void until_later(Schedule::Action undo, Time most = 4s);
    void restart_later(std::size_t node);
    // Of everything, or of all but heartbeats.
    void cut_off(std::size_t node, bool is_cut);
    void stop_streams(bool stop);
    std::size_t any() { return world_.random_.below(world_.plan_.nodes); }
    void say(const std::string& what);

private:
    void next();
    void trouble();
    void cut();
    void disturb();
    void pause();
    void crash();
    void restart(std::size_t node);
    void come_up_late(std::size_t node);
    void step_clock();
    void change_targets();
    void flood();
    // A pair of nodes, the second another one than the first.
    std::pair<std::size_t, std::size_t> any_pair();
    template <typename Change>
    void change(std::size_t from, std::size_t to, std::size_t path, Change change);
    template <typename Change>
    void change_all(Change change);
    // Both directions of all that it has with others.
    template <typename Change>
    void change_of(std::size_t node, Change change);

    World& world_;
    std::unique_ptr<VipTroubles> vips_;
    Time end_{0};
    bool healed_ = false;
};

}  // namespace bascule::sim
