// SPDX-License-Identifier: Apache-2.0
#include "health/connect.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include "health/sockaddr.h"
#include "health/words.h"

namespace bascule::health {

namespace {

namespace asio = boost::asio;
using Code = boost::system::error_code;
using Executor = asio::io_context::executor_type;
using AsioSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

constexpr auto as_values = asio::as_tuple(asio::use_awaitable);

std::string message(int code) {
    return std::generic_category().message(code);
}

// The head of the kernel's tcp_info; glibc's ends before the counters of segments.
struct TcpState {
    tcp_info known;
    std::uint64_t rates_and_bytes[4];
    std::uint32_t segments_out;
    std::uint32_t segments_in;
};
static_assert(offsetof(TcpState, segments_in) == 140);

}  // namespace

struct Connection::Socket {
    explicit Socket(asio::io_context& io) : watched(io), timer(io) {}

    void close() {
        if (fd < 0) return;
        if (watched.is_open()) {
            Code ignored;
            watched.close(ignored);
        } else {
            ::close(fd);
        }
        fd = -1;
    }

    // A socket, bound and told to connect. 0, or the errno; `failed_at` says what of.
    int start(const Destination& to) {
        const SocketAddress address = socket_address(to.address, to.port);
        server_spoke = false;
        fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
        failed_at = "socket";
        if (fd < 0) return errno;
        // Close by RST: TIME_WAIT would use up the local ports.
        const linger at_once{1, 0};
        if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0) return errno;
        if (!to.source.is_unspecified()) {
            // Before connect(), and without IP_BIND_ADDRESS_NO_PORT: a port of its own for every
            // probe, also towards different made-up addresses.
            const SocketAddress source = socket_address(to.source, 0);
            failed_at = "bind";
            if (::bind(fd, source.get(), source.length) < 0) return errno;
        }
        failed_at = "connect";
        if (::connect(fd, address.get(), address.length) == 0) return 0;
        // A server next door has answered by now.
        return errno == EINPROGRESS ? progress() : errno;
    }

    // How far the connection is: 0 connected, EINPROGRESS, else why it failed.
    int progress() {
        TcpState state{};
        socklen_t length = sizeof state;
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &length) < 0) return errno;
        if (state.known.tcpi_state == TCP_SYN_SENT || state.known.tcpi_state == TCP_SYN_RECV)
            return EINPROGRESS;
        if (state.known.tcpi_state != TCP_CLOSE) return 0;
        server_spoke = state.segments_in > 0;
        int error = 0;
        length = sizeof error;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
        return error == 0 ? ECONNABORTED : error;
    }

    // The reactor and the timer, when there is something to wait for.
    bool watch(const std::shared_ptr<Socket>& self, bool v4) {
        if (!watched.is_open()) {
            Code code;
            watched.assign(v4 ? asio::ip::tcp::v4() : asio::ip::tcp::v6(), fd, code);
            if (code) return false;
        }
        if (armed) return true;
        armed = true;
        timer.expires_at(deadline);
        timer.async_wait([weak = std::weak_ptr<Socket>(self)](Code code) {
            const auto socket = weak.lock();
            // The wait may have ended just before the timer was set anew or left alone.
            if (code || !socket || !socket->armed || socket->deadline > Clock::now()) return;
            socket->timed_out = true;
            socket->close();
        });
        return true;
    }

    int fd = -1;
    AsioSocket watched;  // holds `fd` once it is waited for
    Timer timer;
    Clock::time_point deadline;
    bool armed = false;
    bool timed_out = false;
    const char* failed_at = "";
    bool server_spoke = false;  // of a connection that failed: by RST, and it was no ICMP
};

Connection::Connection(asio::io_context& io, const Target& target)
    : target_(target),
      timeout_(in_words(target.health.timeout)),
      socket_(std::make_shared<Socket>(io)) {}

Connection::~Connection() {
    close();
    finish();
}

void Connection::begin(Clock::time_point deadline) {
    finish();
    socket_->deadline = deadline;
    socket_->timed_out = false;
}

void Connection::finish() {
    if (!socket_->armed) return;
    socket_->armed = false;
    socket_->timer.cancel();
}

bool Connection::is_open() const {
    return socket_->fd >= 0;
}

int Connection::fd() const {
    return socket_->fd;
}

bool Connection::is_quiet() const {
    char byte = 0;
    return is_open() && ::recv(socket_->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

void Connection::close() {
    socket_->close();
}

asio::awaitable<std::optional<Outcome>> Connection::connect(const Destination& to) {
    close();
    to_ = to;
    int code = socket_->start(to);
    while (code == EINPROGRESS) {
        switch (co_await wait(Want::write)) {
            case Waited::ready:
                code = socket_->progress();
                break;
            case Waited::timed_out:
                co_return failed(Failure::timed_out, "no connection within " + timeout_);
            case Waited::cancelled:
                co_return failed(Failure::local, "cancelled");
        }
    }
    if (code == 0) co_return std::nullopt;
    Outcome outcome = refused(code);
    close();
    co_return outcome;
}

asio::awaitable<Waited> Connection::wait(Want want) {
    Socket& socket = *socket_;
    if (socket.timed_out) co_return Waited::timed_out;
    if (!is_open() || !socket.watch(socket_, to_.address.is_v4())) co_return Waited::cancelled;
    const auto [code] = co_await socket.watched.async_wait(
        want == Want::read ? AsioSocket::wait_read : AsioSocket::wait_write, as_values);
    if (socket.timed_out) co_return Waited::timed_out;
    co_return code ? Waited::cancelled : Waited::ready;
}

asio::awaitable<Waited> Connection::pause() {
    Socket& socket = *socket_;
    if (!is_open() || !socket.watch(socket_, to_.address.is_v4())) co_return Waited::cancelled;
    co_await asio::post(asio::use_awaitable);
    co_return socket.timed_out ? Waited::timed_out : Waited::ready;
}

Outcome Connection::refused(int code) const {
    const std::string server = server_name(target_, to_);
    const std::string_view at = socket_->failed_at;
    switch (code) {
        case ECONNREFUSED:
            return socket_->server_spoke
                       ? failed(Failure::refused, "connection refused by " + server + " (RST)")
                       : failed(Failure::refused,
                                "connection to " + server + " refused (ICMP port unreachable)");
        case ECONNRESET:
            return failed(Failure::closed, "connection reset by " + server + " at once");
        case EHOSTUNREACH:
        case EHOSTDOWN:
        case ENETUNREACH:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EPROTO:
            return failed(Failure::unreachable,
                          server + " cannot be reached: " + plain(message(code)));
        case EACCES:
            return failed(Failure::unreachable,
                          "connection to " + server + " forbidden by a firewall");
        case EPERM:
            return failed(Failure::local,
                          "connection to " + server + " forbidden by this host's firewall");
        case ETIMEDOUT:
            return failed(Failure::timed_out, "no connection: nothing answers");
        case EADDRNOTAVAIL:
            return failed(Failure::local, at == "bind" ? "source " + to_.source.to_string() +
                                                             " is not an address of this host"
                                                       : "no local port is free");
        case EADDRINUSE:
            return failed(Failure::local, "no local port is free");
        case EMFILE:
        case ENFILE:
            return failed(Failure::local, "no file descriptor is left for a socket");
        default:
            return failed(Failure::local, std::string(at) + ": " + plain(message(code)));
    }
}

}  // namespace bascule::health
