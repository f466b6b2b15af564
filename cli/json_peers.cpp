// SPDX-License-Identifier: Apache-2.0
#include "cli/json_peers.h"

#include "cli/names.h"

namespace bascule::cli {

namespace {

Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

template <typename Counters>
Json counters_of(const Counters& counters) {
    Json list = Json::array();
    for (const auto& counter : counters)
        list.push_back(
            {{"name", counter.name()}, {"meaning", counter.meaning()}, {"count", counter.count()}});
    return list;
}

Json json_of(const control::OwnPath& path) {
    return {{"address", path.address()},
            {"problem", text_or_null(path.problem())},
            {"datagrams", path.datagrams()},
            {"unopened", counters_of(path.unopened())},
            {"from_strangers", path.from_strangers()}};
}

Json json_of(const control::PeerPath& path) {
    return {{"address", path.address()},
            {"heard", path.heard()},
            {"hears_us", path.hears_us()},
            {"rtt_ms", path.has_rtt_ms() ? Json(path.rtt_ms()) : Json()},
            {"rtt_least_ms", path.has_rtt_least_ms() ? Json(path.rtt_least_ms()) : Json()},
            {"loss", path.loss()},
            {"received", path.received()},
            {"replayed", path.replayed()}};
}

Json json_of(const control::Peer& peer);

template <typename Items>
Json list_of(const Items& items) {
    Json list = Json::array();
    for (const auto& item : items)
        list.push_back(json_of(item));
    return list;
}

Json json_of(const control::Peer& peer) {
    return {{"name", peer.name()},
            {"state", name_of(peer.state())},
            {"state_seconds", peer.state_seconds()},
            {"hears_us", peer.hears_us()},
            {"incompatible", peer.incompatible()},
            {"leaving", peer.leaving()},
            {"release", text_or_null(peer.release())},
            {"deaths", peer.deaths()},
            {"paths", list_of(peer.paths())},
            {"wire", peer.has_wire() ? json_of(peer.wire()) : Json()},
            {"by_wire", peer.by_wire()},
            {"stream", peer.stream()},
            {"stream_path", text_or_null(peer.stream_path())},
            {"stream_problem", text_or_null(peer.stream_problem())},
            {"stream_seconds", peer.stream_seconds()},
            {"bytes_sent", peer.bytes_sent()},
            {"bytes_received", peer.bytes_received()},
            {"synced", peer.synced()},
            {"behind", text_or_null(peer.behind())},
            {"resyncing", peer.resyncing()},
            {"resync_done", peer.resync_done()},
            {"lag_ms", peer.has_lag_ms() ? Json(peer.lag_ms()) : Json()},
            {"config_equal", peer.has_config_equal() ? Json(peer.config_equal()) : Json()},
            {"ring_equal", peer.has_ring_equal() ? Json(peer.ring_equal()) : Json()},
            {"shared_equal", peer.has_shared_equal() ? Json(peer.shared_equal()) : Json()},
            {"skew_ms", peer.has_skew_ms() ? Json(peer.skew_ms()) : Json()},
            {"peer_synced", peer.peer_synced()},
            {"counters", counters_of(peer.counters())}};
}

}  // namespace

Json json_peers(const control::Peers& peers) {
    if (!peers.in_cluster()) return {{"in_cluster", false}, {"node", text_or_null(peers.node())}};
    return {{"in_cluster", true},
            {"cluster", peers.cluster()},
            {"node", peers.node()},
            {"synced", peers.synced()},
            {"alone", peers.alone()},
            {"peers", list_of(peers.peers())},
            {"paths", list_of(peers.paths())},
            {"wire", json_of(peers.wire())},
            {"key", text_or_null(peers.key())},
            {"accepted_keys", peers.accepted_keys()},
            {"heartbeat_priority", text_or_null(peers.heartbeat_priority())},
            {"interval_ms", peers.interval_ms()},
            {"dead_after", peers.dead_after()},
            {"slept", peers.slept()},
            {"slept_longest_ms", peers.slept_longest_ms()},
            {"config_hash", text_or_null(peers.config_hash())},
            {"ring_hash", text_or_null(peers.ring_hash())},
            {"shared_digest", text_or_null(peers.shared_digest())},
            {"shared_items", peers.shared_items()}};
}

}  // namespace bascule::cli
