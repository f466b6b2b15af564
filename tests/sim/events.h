// SPDX-License-Identifier: Apache-2.0
// What clients and operators do, and what befalls nodes and network, by chance.
#pragma once

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

class Troubles {
public:
    explicit Troubles(World& world) : world_(world) {}
    // Until `end`.
    void begin(Time end);
    void heal();

private:
    void next();
    void trouble();
    // Undoes it after a while.
    void until_later(Schedule::Action undo);
    void cut();
    void disturb();
    void pause();
    void crash();
    void restart(std::size_t node);
    void step_clock();
    void change_targets();
    void flood();
    std::size_t any() { return world_.random_.below(world_.plan_.nodes); }
    // A pair of nodes, the second another one than the first.
    std::pair<std::size_t, std::size_t> any_pair();
    template <typename Change>
    void change(std::size_t from, std::size_t to, std::size_t path, Change change);
    template <typename Change>
    void change_all(Change change);
    void say(const std::string& what);

    World& world_;
    Time end_{0};
    bool healed_ = false;
};

}  // namespace bascule::sim
