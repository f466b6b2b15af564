// SPDX-License-Identifier: Apache-2.0
// Nodes with real sockets on loopback addresses of this run's own, in one thread.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "sync/codec.h"
#include "sync/peer_streams.h"
#include "tests/unit/sync/tls_ends.h"

namespace bascule::sync::test {

// Remembers what it hears, and says what it is given.
struct TestUser : StreamUser {
    Hello hello(std::size_t peer) override {
        ++hellos;
        Hello out = mine;
        out.received_batch = 100 + peer;
        return out;
    }
    void on_connected(std::size_t, const Hello& theirs) override {
        connected.push_back(theirs);
        ++standing;
    }
    void on_disconnected(std::size_t, const std::string& why) override {
        disconnected.push_back(why);
        --standing;
    }
    Result<void> on_message(std::size_t, const StreamMessage& message) override {
        ++heard;
        if (keep) messages.push_back(message);
        if (!objection.empty()) return failure(objection);
        return {};
    }
    Frame next_frame(std::size_t) override {
        if (endless) {
            ++given;
            return endless;
        }
        if (frames.empty()) return nullptr;
        Frame out = frames.front();
        frames.pop_front();
        return out;
    }
    void on_answer(std::size_t, const Pong& pong, Moment) override {
        ++answers;
        said = pong.heartbeat;
    }
    std::optional<std::string> answer_to(std::size_t) override { return words; }

    Hello mine;
    std::vector<Hello> connected;
    std::vector<std::string> disconnected;
    std::vector<StreamMessage> messages;
    std::deque<Frame> frames;
    Frame endless;
    std::string objection;
    std::size_t given = 0;
    std::size_t heard = 0;
    bool keep = true;  // what it hears
    int standing = 0;
    int answers = 0;
    std::string said;                         // by the last one
    std::optional<std::string> words = "me";  // of this side's answers
    int hellos = 0;
};

// Times that a test can wait for.
inline StreamLimits quick_limits() {
    using std::chrono::milliseconds;
    StreamLimits out;
    out.handshake = milliseconds(500);
    out.ping = milliseconds(50);
    out.silent = milliseconds(700);
    out.stalled = milliseconds(700);
    out.linger = milliseconds(300);
    out.backoff_least = milliseconds(20);
    out.backoff_most = milliseconds(100);
    return out;
}

class StreamScene {
public:
    explicit StreamScene(std::size_t nodes = 2, std::size_t paths = 1) {
        std::random_device random;
        const std::string net = "127." + std::to_string(1 + random() % 250) + "." +
                                std::to_string(random() % 250) + ".";
        cluster.name = "shop";
        for (std::size_t node = 1; node <= nodes; ++node) {
            model::ClusterNodeConfig config;
            config.name = "lb" + std::to_string(node);
            for (std::size_t path = 0; path < paths; ++path) {
                const auto address = Address::parse(net + std::to_string(100 * path + node));
                config.addresses.push_back({*address, 7400});
            }
            cluster.nodes.push_back(config);
        }
    }

    // Their user has the node's name in its hello.
    std::unique_ptr<PeerStreams> make(std::size_t node, TestUser& user,
                                      const ClusterKeys& keys = keys_of({1})) {
        user.mine.cluster = cluster.name;
        user.mine.node = cluster.nodes.at(node - 1).name;
        if (user.mine.incarnation == 0) user.mine.incarnation = 1000 + node;
        PeerStreamsOptions options{.cluster = cluster, .self = user.mine.node, .limits = limits};
        return std::make_unique<PeerStreams>(io, options, keys, user);
    }

    const model::Endpoint& endpoint(std::size_t node, std::size_t path = 0) const {
        return cluster.nodes.at(node - 1).addresses.at(path);
    }

    // Whether it came true in time; generous, since the machine may be busy.
    bool until(const std::function<bool()>& true_at_last,
               std::chrono::milliseconds most = std::chrono::seconds(10)) {
        const auto end = std::chrono::steady_clock::now() + most;
        while (!true_at_last()) {
            if (std::chrono::steady_clock::now() > end) return false;
            io.restart();
            io.run_one_for(std::chrono::milliseconds(2));
        }
        return true;
    }
    void run_for(std::chrono::milliseconds time) {
        until([] { return false; }, time);
    }

    boost::asio::io_context io;
    model::ClusterConfig cluster;
    StreamLimits limits = quick_limits();
};

}  // namespace bascule::sync::test
