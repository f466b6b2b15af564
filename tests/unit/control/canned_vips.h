// SPDX-License-Identifier: Apache-2.0
// Made-up VIPs of a pair, for what stands in for the daemon: all is well, or on a bad night.
#pragma once

#include <string>

#include "control/control.pb.h"

namespace bascule::control {

inline constexpr const char* long_vip = "2001:db8:1234:5678:9abc:def0:1234:5678";

inline void add_vip_node(Vip& vip, const std::string& name, VipNode::Role role,
                         std::uint32_t priority, std::uint64_t epoch) {
    auto& node = *vip.add_nodes();
    node.set_name(name);
    node.set_role(role);
    node.set_priority(priority);
    node.set_epoch(epoch);
}

// Of lb1, which is this node, or of lb2; the other one would take it.
inline Vip canned_vip(const std::string& address, bool here) {
    Vip vip;
    vip.set_address(address);
    vip.set_interface("eth0");
    vip.set_service_mac("02:00:00:00:00:11");
    vip.set_held(here);
    vip.set_holder(here ? "lb1" : "lb2");
    vip.set_next(here ? "lb2" : "lb1");
    vip.set_next_ready(true);
    vip.set_epoch(17);
    if (here) vip.set_held_seconds(273'600);
    vip.set_announced(here ? 9126 : 0);
    add_vip_node(vip, "lb1", here ? VipNode::ROLE_HOLDING : VipNode::ROLE_READY, 150, 17);
    add_vip_node(vip, "lb2", here ? VipNode::ROLE_READY : VipNode::ROLE_HOLDING, 100, 17);
    return vip;
}

// By two nodes, with a stranger beside them, and nobody else who could.
inline Vip canned_split_vip() {
    Vip vip = canned_vip(long_vip, true);
    vip.clear_next();
    vip.set_next_ready(false);
    vip.add_holders("lb1");
    vip.add_holders("a-node-with-a-long-name");
    vip.set_restored(2);
    vip.mutable_nodes(1)->set_role(VipNode::ROLE_UNKNOWN);
    vip.mutable_nodes(1)->set_name("a-node-with-a-long-name");
    auto& rival = *vip.add_rivals();
    rival.set_mac("52:54:00:12:34:56");
    rival.set_interface("eth0");
    rival.set_count(12);
    rival.set_seconds_ago(3);
    return vip;
}

inline Vip canned_unheld_vip() {
    Vip vip = canned_vip("10.9.0.103", false);
    vip.set_interface("eth7");
    vip.clear_holder();
    vip.clear_next();
    vip.set_next_ready(false);
    vip.set_problem("there is no interface eth7");
    vip.mutable_nodes(0)->set_role(VipNode::ROLE_UNFIT);
    vip.mutable_nodes(0)->set_why("there is no interface eth7");
    vip.mutable_nodes(1)->set_role(VipNode::ROLE_UNFIT);
    return vip;
}

inline void add_witness(Witness& witness, const char* address, bool answers) {
    witness.set_address(address);
    witness.set_answers(answers);
    witness.set_since_seconds(answers ? 273'600 : 12);
    if (answers) witness.set_rtt_ms(0.31);
}

// `Message`: Vips or Status.
template <typename Message>
void fill_vips(Message& message, bool degraded) {
    *message.add_vips() = canned_vip("10.9.0.100", true);
    add_witness(*message.add_witnesses(), "10.9.0.1", !degraded);
    if (!degraded) {
        *message.add_vips() = canned_vip(long_vip, false);
        return;
    }
    message.mutable_vips(0)->set_next_ready(false);
    message.mutable_vips(0)->mutable_nodes(1)->set_role(VipNode::ROLE_FIT);
    *message.add_vips() = canned_split_vip();
    *message.add_vips() = canned_unheld_vip();
    Vip& moved = *message.add_vips() = canned_vip("10.9.0.104", false);
    moved.set_moved(true);
    Vip& waiting = *message.add_vips() = canned_vip("10.9.0.105", false);
    waiting.set_waits("not in step yet");
}

inline void fill_vip_answer(Vips& vips, bool degraded) {
    fill_vips(vips, degraded);
    vips.set_node("lb1");
    vips.set_in_cluster(true);
    vips.set_failback("when-synced");
    vips.set_failback_delay_ms(10'000);
}

// Of one VIP: moved. Of all of a bad night: one has not.
inline void fill_failover(FailedOver& done, const std::string& vip, bool degraded) {
    auto& moved = *done.add_moved();
    moved.set_vip(vip.empty() ? "10.9.0.100" : vip);
    moved.set_from("lb1");
    moved.set_to("lb2");
    moved.set_milliseconds(34.4);
    if (degraded)
        done.add_failed(std::string(long_vip) + ": no other node can take it: lb2 is not in step");
}

}  // namespace bascule::control
