// SPDX-License-Identifier: Apache-2.0
// A made-up cluster, for what stands in for the daemon: a pair that is well, or five nodes on a bad
// night.
#pragma once

#include <cstdint>
#include <string>

#include "control/control.pb.h"

namespace bascule::control {

inline void add_peer_path(Peer& peer, const std::string& address, bool heard) {
    auto& path = *peer.add_paths();
    path.set_address(address);
    path.set_heard(heard);
    path.set_hears_us(heard);
    path.set_received(684'000);
    path.set_loss(heard ? 0.001 : 1.0);
    if (!heard) return;
    path.set_rtt_ms(0.214);
    path.set_rtt_least_ms(0.102);
}

inline Peer canned_peer(const std::string& name, int number) {
    Peer peer;
    peer.set_name(name);
    peer.set_state(Peer::PEER_ALIVE);
    peer.set_state_seconds(273'600);
    peer.set_hears_us(true);
    peer.set_release("0.1.0");
    const std::string host = std::to_string(number);
    add_peer_path(peer, "10.9.0." + host + ":7400", true);
    add_peer_path(peer, "[2001:db8:1234:5678::" + host + "]:7400", true);
    peer.set_stream(true);
    peer.set_stream_path("10.9.0.11:7400 to 10.9.0." + host + ":7400");
    peer.set_stream_seconds(273'600);
    peer.set_bytes_sent(123'456'789);
    peer.set_bytes_received(98'765'432);
    peer.set_synced(true);
    peer.set_peer_synced(true);
    peer.set_lag_ms(2.4);
    peer.set_config_equal(true);
    peer.set_ring_equal(true);
    peer.set_shared_equal(true);
    peer.set_skew_ms(-3.2);
    auto& sent = *peer.add_counters();
    sent.set_name("sent");
    sent.set_meaning("session records sent");
    sent.set_count(12'345'678);
    return peer;
}

inline void fill_own(Peers& peers) {
    peers.set_cluster("edge");
    peers.set_node("lb1");
    peers.set_in_cluster(true);
    peers.set_synced(true);
    peers.set_key("4f3a9c01");
    peers.set_accepted_keys(1);
    peers.set_heartbeat_priority("SCHED_FIFO 20");
    peers.set_interval_ms(20);
    peers.set_dead_after(5);
    peers.set_shared_items(3);
    peers.set_config_hash("9f86d081884c7d65");
    peers.set_ring_hash("2c26b46b68ffc68f");
    peers.set_shared_digest("fcde2b2edba56bf4");
    for (const char* address : {"10.9.0.11:7400", "[2001:db8:1234:5678::11]:7400"}) {
        auto& path = *peers.add_paths();
        path.set_address(address);
        path.set_datagrams(684'123);
    }
}

inline Peer canned_resyncing() {
    Peer peer = canned_peer("lb2", 12);
    peer.set_synced(false);
    peer.set_resyncing(true);
    peer.set_resync_done(311);
    peer.set_behind("resync: 311 of 1024 partitions");
    peer.mutable_paths(1)->set_heard(false);
    peer.mutable_paths(1)->set_loss(1);
    peer.mutable_paths(1)->clear_rtt_ms();
    peer.set_config_equal(false);
    peer.set_ring_equal(false);
    peer.set_skew_ms(3'600'000);
    return peer;
}

inline Peer canned_dead() {
    Peer peer;
    peer.set_name("a-node-with-a-long-name");
    peer.set_state(Peer::PEER_DEAD);
    peer.set_state_seconds(12);
    peer.set_deaths(2);
    add_peer_path(peer, "10.9.0.13:7400", false);
    add_peer_path(peer, "[2001:db8:1234:5678:9abc:def0:1234:5678]:7400", false);
    peer.set_stream_problem("10.9.0.13:7400: Connection refused");
    peer.set_behind("not connected");
    peer.set_skew_ms(7);
    return peer;
}

inline Peer canned_newer() {
    Peer peer = canned_peer("lb4", 14);
    peer.set_incompatible(true);
    peer.set_release("2.0.0");
    peer.set_hears_us(false);
    peer.set_stream(false);
    peer.set_synced(false);
    peer.clear_lag_ms();
    peer.clear_shared_equal();
    return peer;
}

inline void fill_bad_peers(Peers& peers) {
    peers.set_synced(false);
    peers.set_accepted_keys(2);
    peers.set_heartbeat_priority("normal: Operation not permitted (it wants CAP_SYS_NICE)");
    peers.set_slept(3);
    peers.set_slept_longest_ms(141);
    auto& path = *peers.mutable_paths(1);
    path.set_problem("Cannot assign requested address: no interface has it");
    path.set_from_strangers(12'345);
    auto& counter = *path.add_unopened();
    counter.set_name("not_authentic");
    counter.set_meaning("sealed by another key, or damaged on the way \x1b[2J");
    counter.set_count(14);
    path.add_unopened()->set_name("too_short");
    *peers.add_peers() = canned_resyncing();
    *peers.add_peers() = canned_dead();
    *peers.add_peers() = canned_newer();
    auto& unknown = *peers.add_peers();
    unknown.set_name("lb5");
    unknown.set_stream_problem("10.9.0.15:7400: timed out");
}

inline void fill_peers(Peers& peers, bool degraded) {
    fill_own(peers);
    if (degraded)
        fill_bad_peers(peers);
    else
        *peers.add_peers() = canned_peer("lb2", 12);
}

}  // namespace bascule::control
