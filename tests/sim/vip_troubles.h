// SPDX-License-Identifier: Apache-2.0
// What befalls VIPs by chance: carriers, witnesses, programs, addresses, hands;
// and what operators do with them.
#pragma once

#include "sim/events.h"

namespace bascule::sim {

class VipTroubles {
public:
    VipTroubles(World& world, Troubles& troubles) : world_(world), troubles_(troubles) {}

    void trouble();
    void heal();
    void stop_streams();
    // All links of a node, those that heartbeats go by among them.
    void set_links(std::size_t node, bool up);

private:
    void lose_carrier();
    void lose_witness();
    void isolate();
    void detach();
    void take_address();
    void hurt_hands();
    void move();
    void leave();
    void reload();
    void set_carrier(std::size_t node, std::size_t vip, bool carrier);
    void set_witness(std::size_t node, bool seen);
    void set_hands(std::size_t node, bool hang, bool refuse);
    bool is_awake(std::size_t node) const;

    World& world_;
    Troubles& troubles_;
};

}  // namespace bascule::sim
