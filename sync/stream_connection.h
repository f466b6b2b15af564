// SPDX-License-Identifier: Apache-2.0
// One TCP connection with a peer, from the TLS handshake to the last word: what was sent and what
// came, Hello first, then frames both ways, Ping and Pong by itself, Bye last.
//
// Thread: that of its io_context. Invariants: its owner hears on_ended() once and on_gone() once,
// unless it abandons it; what it keeps is at most one frame that came in part, one that was sent in
// part, and most_urgent small ones.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sync/framing.h"
#include "sync/messages.h"
#include "sync/peer_streams.h"
#include "sync/tls.h"

namespace bascule::sync {

class StreamConnection : public std::enable_shared_from_this<StreamConnection> {
public:
    enum class End {
        broken,   // by the network, or by time
        refused,  // by this side or the other one: key, name, version, or against the protocol
    };
    class Owner {
    public:
        virtual ~Owner() = default;
        // The handshake is done: peer() is who it says.
        virtual void on_secured(StreamConnection& connection) = 0;
        // Its first word. Error: Bye with these words.
        virtual Result<void> on_hello(StreamConnection& connection, const Hello& theirs) = 0;
        // All but Hello, Ping, Pong and Bye. Error: the same.
        virtual Result<void> on_message(StreamConnection& connection,
                                        const StreamMessage& message) = 0;
        virtual Frame next_frame(StreamConnection& connection) = 0;
        // A Pong that answers probe(), and when that was asked.
        virtual void on_answer(StreamConnection& connection, const Pong& pong, Moment asked) = 0;
        virtual std::optional<std::string> answer_to(StreamConnection& connection) = 0;
        // Nothing is taken or asked for any more.
        virtual void on_ended(StreamConnection& connection, End end, const std::string& why) = 0;
        // The socket is closed.
        virtual void on_gone(StreamConnection& connection) = 0;
    };
    // Counted since it was made.
    struct Traffic {
        std::uint64_t bytes_sent = 0;
        std::uint64_t bytes_received = 0;
        std::uint64_t unknown = 0;
    };

    StreamConnection(boost::asio::ip::tcp::socket socket, std::unique_ptr<TlsSession> tls,
                     const StreamLimits& limits, std::size_t path, Owner& owner);

    void start();
    void send_hello(const Hello& hello);
    // Both have said Hello: from now on frames go and come.
    void open();
    // There is something for next_frame() to give.
    void wake();
    void probe();
    // on_ended() at once; then Bye with these words, and the end.
    void finish(const std::string& why, End end = End::broken);
    // Closes at once, and calls its owner no more.
    void abandon();

    const std::string& peer() const { return tls_->peer(); }
    std::size_t path() const { return path_; }
    const model::Endpoint& remote() const { return remote_; }
    const Traffic& traffic() const { return traffic_; }
    bool is_open() const { return phase_ == Phase::open; }

private:
    enum class Phase { securing, greeting, open, closing, gone };
    enum class Writing { idle, scheduled, waiting };
    using Wait = boost::asio::ip::tcp::socket::wait_type;
    using Member = void (StreamConnection::*)();

    void await(Wait what, Member then);
    void later(Member then);
    void arm(Nanoseconds in, Member then);

    void shake_hands();
    void read_some();
    bool take_frames();
    void take(const StreamMessage& message);
    void take_open(const StreamMessage& message);
    void on_pong(const Pong& pong);

    void schedule_write();
    void write_some();
    bool has_current();
    // False: too much waits already.
    bool say(const StreamMessage& message);

    void on_late();
    void on_tick();
    void drain();
    void end(End end, const std::string& why);
    void close();

    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
    std::unique_ptr<TlsSession> tls_;
    StreamLimits limits_;
    std::size_t path_;
    model::Endpoint remote_;
    Owner* owner_;
    Phase phase_ = Phase::securing;
    Traffic traffic_;

    FrameReader reader_;
    Moment last_received_{};

    Writing writing_ = Writing::idle;
    std::deque<Frame> urgent_;  // ahead of what the owner has
    Frame current_;             // is being sent
    std::size_t sent_of_current_ = 0;
    bool all_said_ = false;
    Moment last_progress_{};

    std::uint64_t last_token_ = 0;
    std::deque<std::pair<std::uint64_t, Moment>> probes_;  // not answered: token, when
    std::array<std::uint8_t, 16'384> buffer_{};            // a TLS record
};

}  // namespace bascule::sync
