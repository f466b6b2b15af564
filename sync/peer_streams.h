// SPDX-License-Identifier: Apache-2.0
// The streams: one TCP connection with each peer, TLS 1.3 with the cluster's key as PSK, frames of
// protobuf. The node whose name is less connects, by one path after the other; the other listens on
// all of its own addresses. Joins sockets to who is interested: Replica (sessions) and the shared
// map (control thread's).
//
// What a peer can cost is bounded: frames of at most most_frame, at most `most_unsent` bytes given
// to a socket ahead of the network, a handshake of 2 s, 64 strangers at a time. A peer that takes
// nothing for 10 s while there is something for it, or is silent for 10 s (a Ping goes every
// second), is disconnected. Reconnects come after 100 ms, doubling to 2 s, a fifth of it random.
//
// A peer is named by its index in the order of the configuration's nodes, this one left out.
// Thread: all of it runs on the io_context that it is given (the session thread's), and its members
// are called there.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/config.h"
#include "sync/cluster_key.h"
#include "sync/messages.h"

namespace bascule::sync {

// What a peer can cost.
struct StreamLimits {
    Nanoseconds handshake{2'000'000'000};  // TCP, and then TLS and the hellos
    Nanoseconds ping{1'000'000'000};       // between two Pings
    Nanoseconds silent{10'000'000'000};    // nothing has come
    Nanoseconds stalled{10'000'000'000};   // nothing was taken of what there is
    Nanoseconds linger{800'000'000};       // for a Bye to reach the peer
    Nanoseconds backoff_least{100'000'000};
    Nanoseconds backoff_most{2'000'000'000};
    std::size_t most_unsent = std::size_t{256} << 10;  // bytes
    std::size_t most_strangers = 64;
};

struct PeerStreamsOptions {
    model::ClusterConfig cluster;
    std::string self;
    StreamLimits limits = {};
};

// Who is interested in what peers say.
class StreamUser {
public:
    virtual ~StreamUser() = default;
    virtual Hello hello(std::size_t peer) = 0;
    // Versions, cluster and name are checked already.
    virtual void on_connected(std::size_t peer, const Hello& theirs) = 0;
    virtual void on_disconnected(std::size_t peer, const std::string& why) = 0;
    // All but Hello, Ping, Pong and Bye. Error: disconnect, with these words.
    virtual Result<void> on_message(std::size_t peer, const StreamMessage& message) = 0;
    // The next frame for a peer; nullptr: none now (wake() when there is).
    virtual Frame next_frame(std::size_t peer) = 0;
    // A Pong that answers probe(), and when that was asked.
    virtual void on_answer(std::size_t peer, const Pong& pong, Moment asked) = 0;
    // What the Pong carries that a Ping is answered with: a heartbeat, or nothing. Nullopt: it is
    // not answered; a connection lives without Pongs.
    virtual std::optional<std::string> answer_to(std::size_t) { return std::string(); }
};

struct StreamView {
    std::string peer;
    bool connected = false;
    std::string path;  // "10.9.0.11:7400 to 10.9.0.12:7400"
    std::size_t path_index = 0;
    std::string problem;  // why not: "10.9.0.12:7400: connection refused"; empty when connected
    Moment since{};
    std::uint64_t connects = 0;
    std::uint64_t bytes_sent = 0;  // of frames, before TLS
    std::uint64_t bytes_received = 0;
    std::uint64_t refused = 0;  // handshakes or hellos of this peer that failed
    std::uint64_t unknown = 0;  // messages of kinds that are not known here
};

struct StreamsView {
    std::vector<StreamView> peers;
    std::uint64_t strangers = 0;        // connections that did not get through the handshake
    std::vector<std::string> problems;  // "cannot listen at 10.9.0.11:7400: …"
};

class PeerStreams {
public:
    PeerStreams(boost::asio::io_context& io, PeerStreamsOptions options, const ClusterKeys& keys,
                StreamUser& user);
    ~PeerStreams();  // closes all at once; no call to the user after it. Not from within one

    // There is something for this peer.
    void wake(std::size_t peer);
    // Ask the peer: a Ping ahead of all else that has not been given to the socket yet.
    void probe(std::size_t peer);
    // Connections that stand go on; new ones are made with keys[0] and accepted with any of them.
    void set_keys(const ClusterKeys& keys);
    // Heartbeats come by this path, or do not: the next attempt prefers those that live, and a
    // stream on a path that is dead while another lives is moved.
    void set_path_alive(std::size_t peer, std::size_t path, bool alive);
    void disconnect(std::size_t peer, const std::string& why);
    // Says Bye to all, then closes; `done` is called within a second.
    void close(std::function<void()> done);

    StreamsView view() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::sync
