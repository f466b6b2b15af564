// SPDX-License-Identifier: Apache-2.0
// The command's end of the control socket: plain blocking calls, each with an end.
//
// Thread: any one at a time.
#pragma once

#include <chrono>
#include <string>
#include <tl/expected.hpp>

#include "base/result.h"
#include "control/control.pb.h"

namespace bascule::control {

// Why there is no answer. It decides what the operator is advised, and whether the engine may be
// detached behind the daemon's back: only when there is none.
struct NoAnswer {
    enum class Why {
        absent,     // no socket, or no one behind it
        forbidden,  // the socket's mode keeps this user out
        silent,     // someone is there and does not answer in time
        broken,     // the connection ended or what came is no answer
    };
    Why why = Why::absent;
    std::string text;  // one sentence without advice: "no daemon answers on ...: ..."
};

class Client {
public:
    using Timeout = std::chrono::milliseconds;

    // Connects to the socket `path`. `timeout` is the longest wait here and in each ask().
    static tl::expected<Client, NoAnswer> connect(const std::string& path, Timeout timeout);

    Client(Client&& other) noexcept;
    Client& operator=(Client&& other) noexcept;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client();

    // One request, its answer. After a NoAnswer the connection is of no more use.
    tl::expected<Response, NoAnswer> ask(const Request& request);

private:
    using Moment = std::chrono::steady_clock::time_point;

    Client(int socket, std::string path, Timeout timeout);
    tl::expected<void, NoAnswer> send(const std::string& bytes, Moment end);
    tl::expected<Response, NoAnswer> receive(Moment end);
    tl::expected<void, NoAnswer> wait(short events, Moment end) const;
    NoAnswer broken(const std::string& what) const;

    int socket_ = -1;
    std::string path_;
    Timeout timeout_;
};

}  // namespace bascule::control
