// SPDX-License-Identifier: Apache-2.0
// Streams between nodes as TCP under TLS makes them: bytes in order, without
// loss or doubling, until the connection breaks, which the two ends find at
// different times; a socket takes only so much ahead of the network, and a
// receiver that stands still stops the sender. The bytes are frames as codec.h
// makes them.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "sim/paths.h"
#include "sim/random.h"
#include "sim/schedule.h"
#include "sync/heartbeat.h"
#include "sync/messages.h"

namespace bascule::sim {

// One end of streams: a node.
class StreamEnd {
public:
    virtual ~StreamEnd() = default;
    virtual bool is_running() const = 0;
    // Stands still until then: nothing is read.
    virtual Time paused_until() const = 0;
    virtual sync::Frame hello_to(std::size_t peer) = 0;
    virtual void on_frame(std::size_t peer, const std::string& frame) = 0;
    virtual void on_stream_down(std::size_t peer) = 0;
    // Nullptr: none now. Asked only after both hellos.
    virtual sync::Frame next_frame(std::size_t peer) = 0;
    // What it answers to a peer's question, and the answer to its own of that moment.
    virtual sync::Heartbeat words_for(std::size_t peer) = 0;
    virtual void on_stream_answer(std::size_t peer, const sync::Heartbeat& said, Time asked) = 0;
};

class Streams {
public:
    Streams(const Plan& plan, Schedule& schedule, const Paths& paths, Random& random);

    void add(StreamEnd& end) { ends_.push_back(&end); }
    // Begins to connect, all pairs.
    void start();
    // There may be something to send.
    void wake(std::size_t from, std::size_t to);
    // The peer's hello has come and was good: frames may follow.
    void opened(std::size_t node, std::size_t peer);
    // Asks the peer, ahead of what the socket has not taken.
    void probe(std::size_t from, std::size_t to);
    void disconnect(std::size_t node, std::size_t peer);
    // A node is gone: the others hear so at once, or never.
    void crashed(std::size_t node, bool told);
    // Both ends of a pair, as if somebody had cut that one connection.
    void reset(std::size_t one, std::size_t other);

    bool is_up(std::size_t node, std::size_t peer) const;
    // One connection, open at both ends, and what is sent by it comes through.
    bool joins(std::size_t one, std::size_t other) const;
    // Frames that were given to a socket and have not come out.
    std::size_t underway() const { return underway_; }
    // Among them are sessions that a round tells of.
    bool carries_records() const;
    Time changed() const { return changed_; }

private:
    struct Piece {
        sync::Frame frame;  // nullptr: a question of a probe, or its answer
        std::shared_ptr<const sync::Heartbeat> answer{};
        Time asked{0};
        Time ready{0};  // when it could be there
    };
    struct Direction {
        std::deque<Piece> pieces;
        std::size_t bytes = 0;
        Time last_ready{0};
        bool moving = false;    // an event of its first piece is on its way
        bool may_send = false;  // hellos are exchanged, as its sender sees it
    };
    struct Connection {
        std::size_t nodes[2];
        std::size_t path;
        bool alive[2] = {true, true};
        Time last_moved[2];  // when the end last heard anything
        Direction out[2];    // of each end
    };
    using Held = std::shared_ptr<Connection>;
    struct Pair {
        std::size_t one, other;  // the first one connects
        Held at[2];              // the connection that each of them holds for its own
        std::size_t next_path = 0;
    };

    Pair& pair_of(std::size_t one, std::size_t other);
    const Pair& pair_of(std::size_t one, std::size_t other) const;
    void try_connect(Pair& pair);
    void connect(Pair& pair, std::size_t path);
    void fill(const Held& connection, std::size_t side);
    void put(const Held& connection, std::size_t side, Piece piece);
    void move(const Held& connection, std::size_t side);
    void deliver(const Held& connection, std::size_t side, const Piece& piece);
    void drop_end(const Held& connection, std::size_t side);
    void discard(Connection& connection);
    void watch();
    bool stalled(const Connection& connection) const;
    bool still(std::size_t node) const;
    static bool carries_records(const Connection& connection);

    const Plan& plan_;
    Schedule& schedule_;
    const Paths& paths_;
    Random& random_;
    std::vector<StreamEnd*> ends_;
    std::vector<Pair> pairs_;
    std::size_t underway_ = 0;
    Time changed_{0};
};

}  // namespace bascule::sim
