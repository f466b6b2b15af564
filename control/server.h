// SPDX-License-Identifier: Apache-2.0
// The daemon's end of the control socket: frames in, answers out.
//
// Who may ask is decided by the file's mode alone: whoever may write to the socket (root and the
// socket's group) may ask for everything, changes included.
//
// Thread: all of it belongs to the one thread that runs the io_context. Whatever a client sends or
// leaves unsent costs at most one connection, one frame and one idle timeout.
#pragma once

#include <sys/types.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "control/control.pb.h"

namespace bascule::control {

struct ServerOptions {
    std::string path;  // "<runtime-dir>/control.sock"; the directory exists
    mode_t mode = 0660;
    std::size_t max_clients = 32;  // the next one is told so and closed
    // What a client has to send a whole request, from the last answer on, and to take an answer;
    // a drip of bytes does not prolong it.
    std::chrono::milliseconds idle_timeout{30'000};
    // What an answer that is being made when stop() is called has left to go out.
    std::chrono::milliseconds grace{2'000};
};

// Makes the answer to one request. Requests of one client come one after the other; those of
// several clients may overlap wherever the coroutine suspends. An exception that leaves it is told
// to the client as FAILURE_FAILED. It must end by itself: the server sets it no limit.
using Answer = std::function<boost::asio::awaitable<Response>(Request)>;

class Server {
public:
    // Binds and listens; accepts once the io_context runs. A socket that a dead daemon left is
    // taken over; with a live one behind it the error reads "another basculed is running on ...",
    // and anything that is no socket is left alone. `io` must outlive the server.
    static Result<std::unique_ptr<Server>> open(boost::asio::io_context& io, ServerOptions options,
                                                Answer answer);

    // As stop(), and answers that are still being made go nowhere. When the io_context no longer
    // runs, it frees the connections as it is destroyed.
    ~Server();

    // Takes the socket's file away, closes all clients that wait for no answer, gives the others
    // `grace`, then closes them too. `stopped` is called from the io_context when no client is
    // left. Does not block; only the first call counts.
    void stop(std::function<void()> stopped = {});

    std::size_t clients() const;

private:
    struct State;
    explicit Server(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

}  // namespace bascule::control
