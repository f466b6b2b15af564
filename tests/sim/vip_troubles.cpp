// SPDX-License-Identifier: Apache-2.0
#include "sim/vip_troubles.h"

#include <utility>

namespace bascule::sim {

void VipTroubles::trouble() {
    const std::size_t what = world_.random_.below(100);
    if (what < 16) return lose_carrier();
    if (what < 20) return stop_streams();
    if (what < 28 && world_.plan_.witness) return lose_witness();
    if (what < 35 && world_.plan_.witness) return isolate();
    if (what < 45) return detach();
    if (what < 53) return take_address();
    if (what < 61) return hurt_hands();
    if (what < 76) return move();
    if (what < 92) return leave();
    reload();
}

bool VipTroubles::is_awake(std::size_t node) const {
    return !world_.nodes_[node]->silent_since();
}

void VipTroubles::set_carrier(std::size_t node, std::size_t vip, bool carrier) {
    troubles_.say("VIP " + std::to_string(vip + 1) + (carrier ? " has" : " has no") +
                  " carrier at " + Node::name(node));
    world_.nodes_[node]->vips_host().kernel.set_carrier(vip, carrier);
    world_.nodes_[node]->wake_control();
    world_.vip_judge_.on_event(control_knows);
}

void VipTroubles::set_links(std::size_t node, bool up) {
    NodeVipsHost& host = world_.nodes_[node]->vips_host();
    // Of an earlier boot, too, they may come up: they are up from the first of these on.
    if (!std::exchange(host.hears, up) || !up) host.hears_since = world_.now();
    for (std::size_t vip = 0; vip < world_.plan_.vips; ++vip)
        set_carrier(node, vip, up);
    world_.vip_judge_.on_event(world_.plan_.listen() + control_knows);
}

void VipTroubles::lose_carrier() {
    const std::size_t node = troubles_.any();
    const std::size_t vip = world_.random_.below(world_.plan_.vips);
    set_carrier(node, vip, false);
    troubles_.until_later([this, node, vip] { set_carrier(node, vip, true); });
}

void VipTroubles::set_witness(std::size_t node, bool seen) {
    troubles_.say(Node::name(node) + (seen ? " sees" : " does not see") + " the witness");
    NodeVipsHost& host = world_.nodes_[node]->vips_host();
    if (!seen && host.kernel.sees_witness()) host.blind_since = world_.now();
    host.kernel.see_witness(seen);
    world_.nodes_[node]->wake_control();
    world_.vip_judge_.on_event(control_knows);
}

void VipTroubles::lose_witness() {
    const std::size_t only = troubles_.any();
    const bool all = world_.random_.chance(0.4);
    const auto set = [this, only, all](bool seen) {
        for (std::size_t node = 0; node < world_.plan_.nodes; ++node)
            if (all || node == only) set_witness(node, seen);
    };
    set(false);
    troubles_.until_later([set] { set(true); });
}

// From its peers and the witness alike.
void VipTroubles::isolate() {
    const std::size_t node = troubles_.any();
    const auto set = [this, node](bool cut) {
        set_witness(node, !cut);
        troubles_.cut_off(node, cut);
    };
    set(true);
    troubles_.until_later([set] { set(false); });
}

void VipTroubles::stop_streams() {
    troubles_.stop_streams(true);
    troubles_.until_later([this] { troubles_.stop_streams(false); });
}

// By hand; the daemon mends it.
void VipTroubles::detach() {
    const std::size_t node = troubles_.any();
    troubles_.say("the program of " + Node::name(node) + " is detached");
    world_.nodes_[node]->vips_host().kernel.attach(false);
    world_.nodes_[node]->vips_host().detached = world_.now();
    world_.nodes_[node]->wake_control();
    world_.vip_judge_.on_event(control_knows);
}

void VipTroubles::take_address() {
    const std::size_t node = troubles_.any();
    const std::size_t vip = world_.random_.below(world_.plan_.vips);
    troubles_.say("somebody removes VIP " + std::to_string(vip + 1) + " from " + Node::name(node));
    world_.nodes_[node]->vips_host().kernel.remove(vip);
    world_.vip_judge_.on_event(100ms);
    if (world_.nodes_[node]->is_running()) world_.nodes_[node]->vips().mend();
}

void VipTroubles::set_hands(std::size_t node, bool hang, bool refuse) {
    troubles_.say("the hands of " + Node::name(node) +
                  (hang     ? " hang"
                   : refuse ? " refuse"
                            : " are well"));
    HandsTrouble& hands = world_.nodes_[node]->vips_host().hands;
    hands.hang = hang;
    hands.refuse = refuse;
    hands.well_since = world_.now();
    // What is overdue is done first.
    if (hands.is_well() && world_.nodes_[node]->is_running()) world_.nodes_[node]->vips().mend();
    // What they do not do is found out after a second, and the next one takes.
    world_.vip_judge_.on_event(Time(sync::longest_taking) * 2 + world_.plan_.interval);
}

void VipTroubles::hurt_hands() {
    const std::size_t node = troubles_.any();
    const bool hang = world_.random_.chance(0.5);
    set_hands(node, hang, !hang);
    troubles_.until_later([this, node] { set_hands(node, false, false); }, 8s);
}

void VipTroubles::move() {
    const std::size_t node = troubles_.any();
    const std::size_t vip = world_.random_.below(world_.plan_.vips);
    if (!is_awake(node)) return;
    troubles_.say("the operator moves VIP " + std::to_string(vip + 1) + " at " + Node::name(node));
    world_.vip_judge_.on_word(node, vip);
    world_.nodes_[node]->vips().move(vip);
}

void VipTroubles::leave() {
    const std::size_t node = troubles_.any();
    if (!is_awake(node)) return;
    troubles_.say(Node::name(node) + " is told to end");
    world_.nodes_[node]->leave();
    world_.vip_judge_.on_event(control_knows);
    troubles_.restart_later(node);
}

void VipTroubles::reload() {
    const std::size_t node = troubles_.any();
    const std::size_t vip = world_.random_.below(world_.plan_.vips);
    const auto priority = world_.random_.one_of<std::uint32_t>({50, 100, 150});
    troubles_.say(Node::name(node) + " has priority " + std::to_string(priority) + " for VIP " +
                  std::to_string(vip + 1));
    world_.nodes_[node]->vips_host().priorities[vip] = priority;
    if (world_.nodes_[node]->is_running()) world_.nodes_[node]->vips().reload();
}

void VipTroubles::heal() {
    for (std::size_t node = 0; node < world_.plan_.nodes; ++node) {
        NodeVipsHost& host = world_.nodes_[node]->vips_host();
        if (!std::exchange(host.hears, true)) host.hears_since = world_.now();
        for (std::size_t vip = 0; vip < world_.plan_.vips; ++vip)
            host.kernel.set_carrier(vip, true);
        host.kernel.see_witness(true);
        host.hands = {};
        host.hands.well_since = world_.now();
        if (world_.nodes_[node]->is_running()) world_.nodes_[node]->vips().mend();
        world_.nodes_[node]->wake_control();
    }
    world_.vip_judge_.on_disturbed(false);
    world_.vip_judge_.on_event(world_.plan_.listen() + control_knows +
                               Time(sync::longest_taking) * 2);
}

}  // namespace bascule::sim
