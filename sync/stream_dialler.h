// SPDX-License-Identifier: Apache-2.0
// Keeps a stream to one peer: says by which path to connect, and when again. Makes the TCP
// connection; what is spoken on it is its user's, who tells what became of it.
//
// Thread: that of its io_context. Invariant: at most one attempt at a time, at least backoff_least
// times four fifths after the one before; `user` is not called after stop() or the destructor.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "sync/backoff.h"
#include "sync/path_choice.h"
#include "sync/peer_streams.h"

namespace bascule::sync {

class StreamDialler {
public:
    struct User {
        // Connected by TCP. To be answered, sooner or later, by stands() or failed().
        std::function<void(boost::asio::ip::tcp::socket socket, std::size_t path)> on_connected;
        // "10.9.0.12:7400: connection refused". It will be tried again.
        std::function<void(const std::string& problem)> on_problem;
        // The attempt is to be given up (failed() follows): its path is dead while another lives,
        // or was dead when it began and now lives.
        std::function<void()> give_up;
    };
    // Endpoint i of both is path i.
    StreamDialler(boost::asio::io_context& io, std::vector<model::Endpoint> own,
                  std::vector<model::Endpoint> theirs, const StreamLimits& limits, User user);
    ~StreamDialler();
    StreamDialler(const StreamDialler&) = delete;
    StreamDialler& operator=(const StreamDialler&) = delete;

    void start();
    void stop();
    // Of the attempt that was handed over.
    void stands(std::size_t path);
    void failed(std::size_t path);
    // The stream that stood is no more; how long it did.
    void lost(std::size_t path, Nanoseconds stood);
    void set_alive(std::size_t path, bool alive);

private:
    struct Attempt;
    enum class State { stopped, idle, waiting, connecting, handed };

    bool wanted() const;
    void try_after(Nanoseconds wait);
    void retry();
    void connect();
    void on_outcome(const std::shared_ptr<Attempt>& attempt, const std::string& problem);

    boost::asio::io_context& io_;
    std::vector<model::Endpoint> own_;
    std::vector<model::Endpoint> theirs_;
    StreamLimits limits_;
    User user_;
    PathChoice choice_;
    Backoff backoff_;
    State state_ = State::stopped;
    std::shared_ptr<Attempt> attempt_;  // waited for, connecting, or handed over
    Moment last_try_{};
    std::optional<std::size_t> standing_;  // path of the stream
};

}  // namespace bascule::sync
