// SPDX-License-Identifier: Apache-2.0
// The TCP connection of a probe: made, bound to a source, waited for until a deadline, closed by
// RST.
//
// A probe has one and uses it again and again. What a probe costs is mostly the kernel's handshake,
// so nothing is asked of the kernel that need not be: the socket meets the reactor and the deadline
// its timer only when something has to be waited for, which a server next door spares both.
// Thread: that of the io_context. Invariant: `fd` is open exactly between connect() and close().
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "health/outcome.h"
#include "health/probe.h"
#include "health/target.h"

namespace bascule::health {

enum class Want { read, write };
enum class Waited { ready, timed_out, cancelled };

class Connection {
public:
    // For probes of `target`: its name and timeout are in the words of failures.
    Connection(boost::asio::io_context& io, const Target& target);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // All that is waited for from now on ends at `deadline`, the connection with it.
    void begin(Clock::time_point deadline);
    // Nothing is waited for any more. The connection stays if it is open.
    void finish();

    // Nothing: connected. Else why not. Closes an older connection first.
    boost::asio::awaitable<std::optional<Outcome>> connect(const Destination& to);
    // Until the socket can (perhaps) be read or written. What ends by the deadline is closed.
    boost::asio::awaitable<Waited> wait(Want want);

    // Lets others have their turn; then as after wait().
    boost::asio::awaitable<Waited> pause();

    bool is_open() const;
    int fd() const;  // non-blocking; only while open
    // Open, and nothing has come that was not read, nor its end.
    bool is_quiet() const;
    void close();  // unsent and unread data are thrown away, and the server is told so by RST

    const std::string& timeout() const { return timeout_; }  // "500ms"

private:
    struct Socket;

    Outcome refused(int code) const;

    Target target_;
    std::string timeout_;
    Destination to_;
    std::shared_ptr<Socket> socket_;  // shared with its timer's handler, which may come late
};

// Closes what is left open, whatever way a run ends: by its end, by an exception, by being
// destroyed.
class RunOf {
public:
    RunOf(Connection& connection, Clock::time_point deadline) : connection_(connection) {
        connection_.begin(deadline);
    }
    ~RunOf() {
        if (!kept_) connection_.close();
        connection_.finish();
    }
    RunOf(const RunOf&) = delete;
    RunOf& operator=(const RunOf&) = delete;

    void keep_connection() { kept_ = true; }

private:
    Connection& connection_;
    bool kept_ = false;
};

}  // namespace bascule::health
