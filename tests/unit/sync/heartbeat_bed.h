// SPDX-License-Identifier: Apache-2.0
// Nodes that exchange heartbeats on loopback addresses: each is a HeartbeatPort, and what it has
// told. All callbacks run in the test's thread, while it waits.
#pragma once

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sync/heartbeat_port.h"

namespace bascule::sync {

// Two runs at once must not hear each other.
inline Address loopback(int last) {
    const auto pid = static_cast<unsigned>(::getpid());
    return Address::v4({127, static_cast<std::uint8_t>(1 + pid % 250),
                        static_cast<std::uint8_t>(1 + pid / 250 % 250),
                        static_cast<std::uint8_t>(last)});
}

// Node i (lb1, lb2, ...) has address 127.x.y.(i + 50 * path).
inline model::ClusterConfig loopback_cluster(int nodes, int paths,
                                             std::chrono::milliseconds interval) {
    model::ClusterConfig out;
    out.name = "main";
    out.heartbeat_interval = interval;
    for (int node = 1; node <= nodes; ++node) {
        model::ClusterNodeConfig config;
        config.name = "lb" + std::to_string(node);
        for (int path = 0; path < paths; ++path)
            config.addresses.push_back({loopback(node + 50 * path), model::cluster_port});
        out.nodes.push_back(config);
    }
    return out;
}

inline ClusterKeys keys_of(std::vector<SecretKey> keys) {
    ClusterKeys out;
    out.keys = std::move(keys);
    return out;
}

inline SecretKey key_of(std::uint8_t byte) {
    SecretKey out;
    out.fill(byte);
    return out;
}

// A node of a bed, from its start to its end.
class BedNode {
public:
    BedNode(boost::asio::io_context& io, const model::ClusterConfig& cluster,
            const std::string& name, Incarnation incarnation, const ClusterKeys& keys)
        : port_(std::make_unique<HeartbeatPort>(
              io, HeartbeatPortOptions{cluster, name, incarnation, "0.1.0"}, keys,
              HeartbeatPort::Callbacks{
                  [this](const MembershipChange& change) { changes.push_back(change); },
                  [this](const HeartbeatReport& news) {
                      report = news;
                      ++reports;
                  },
                  [this](std::size_t) { ++probes; }})) {}
    BedNode(const BedNode&) = delete;
    BedNode& operator=(const BedNode&) = delete;

    HeartbeatPort& port() { return *port_; }
    // Of the peer with this index in the cluster without the node itself.
    Liveness sees(std::size_t peer) const {
        return peer < report.peers.size() ? report.peers[peer].liveness : Liveness::unknown;
    }
    bool all_alive() const {
        for (const PeerView& peer : report.peers)
            if (peer.liveness != Liveness::alive || !peer.hears_us) return false;
        return !report.peers.empty();
    }
    std::uint64_t unopened() const {
        std::uint64_t sum = 0;
        for (const PathState& path : report.paths)
            for (const std::uint64_t count : path.unopened)
                sum += count;
        return sum;
    }
    std::uint64_t unopened(Unopened why) const {
        std::uint64_t sum = 0;
        for (const PathState& path : report.paths)
            sum += path.unopened[static_cast<std::size_t>(why)];
        return sum;
    }

    std::vector<MembershipChange> changes;
    HeartbeatReport report;
    std::size_t reports = 0;
    std::atomic<std::size_t> probes{0};  // of streams

private:
    std::unique_ptr<HeartbeatPort> port_;
};

class HeartbeatBed {
public:
    explicit HeartbeatBed(model::ClusterConfig of) : cluster(std::move(of)) {}

    std::unique_ptr<BedNode> start(const std::string& name, Incarnation incarnation,
                                   const ClusterKeys& with = keys_of({key_of(1)})) {
        return std::make_unique<BedNode>(io, cluster, name, incarnation, with);
    }
    // Whether it came true before the limit, which is as generous as a busy machine needs.
    bool wait_for(const std::function<bool()>& done,
                  std::chrono::seconds limit = std::chrono::seconds(20)) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!done() && std::chrono::steady_clock::now() < end)
            pass(std::chrono::milliseconds(5));
        return done();
    }
    void pass(std::chrono::milliseconds time) {
        io.restart();
        io.run_for(time);
    }

    boost::asio::io_context io;
    model::ClusterConfig cluster;
};

}  // namespace bascule::sync
