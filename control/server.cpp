// SPDX-License-Identifier: Apache-2.0
#include "control/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <optional>
#include <set>
#include <utility>

#include "control/framing.h"
#include "control/socket_file.h"

namespace bascule::control {

namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using Code = boost::system::error_code;

constexpr auto as_values = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kAcceptPause{1};
constexpr int kBacklog = 64;

struct Connection : std::enable_shared_from_this<Connection> {
    explicit Connection(stream_protocol::socket from)
        : socket(std::move(from)), deadline(socket.get_executor()) {}

    void close() {
        Code ignored;
        socket.close(ignored);
    }

    // Closes the socket unless it is called again, or leave_alone() is, before the time is over.
    void allow(std::chrono::milliseconds time) {
        deadline.expires_after(time);
        deadline.async_wait([weak = weak_from_this()](Code code) {
            auto self = weak.lock();
            // The wait may have ended just before it was set anew.
            if (code || !self || self->deadline.expiry() > std::chrono::steady_clock::now()) return;
            self->close();
        });
    }
    void leave_alone() { deadline.expires_at(asio::steady_timer::time_point::max()); }

    stream_protocol::socket socket;
    asio::steady_timer deadline;
    bool answering = false;
};

// Nothing at the end of the stream, an error when what comes can be no frame.
asio::awaitable<Result<std::optional<std::string>>> read_body(Connection& client,
                                                              FrameReader& reader) {
    std::array<char, 16384> chunk;
    for (;;) {
        auto body = reader.next();
        if (!body || body->has_value()) co_return body;
        auto [code, count] = co_await client.socket.async_read_some(asio::buffer(chunk), as_values);
        if (code) co_return std::optional<std::string>();
        reader.push({chunk.data(), count});
    }
}

// False when the client is gone or takes too long.
asio::awaitable<bool> write_answer(Connection& client, const Response& response,
                                   std::chrono::milliseconds time) {
    std::string bytes = encode(response);
    client.allow(time);
    auto [code, count] = co_await asio::async_write(client.socket, asio::buffer(bytes), as_values);
    co_return !code;
}

asio::awaitable<Response> make_answer(const Answer& answer, Request request) {
    if (request.ask_case() == Request::ASK_NOT_SET) {
        co_return failure_response(
            Failure::FAILURE_UNSUPPORTED,
            "the daemon does not know this request: it is older than the command");
    }
    std::string what;
    try {
        co_return co_await answer(std::move(request));
    } catch (const std::exception& e) {
        what = e.what();
    }
    spdlog::error("control: an answer failed: {}", what);
    co_return failure_response(Failure::FAILURE_FAILED, fmt::format("internal error: {}", what));
}

// A client too many is told so without waiting for him: a new socket has room for so little.
void turn_away(stream_protocol::socket client, std::size_t most) {
    std::string bytes = encode(failure_response(
        Failure::FAILURE_BUSY, fmt::format("the daemon serves {} clients already", most)));
    Code ignored;
    client.non_blocking(true, ignored);
    client.write_some(asio::buffer(bytes), ignored);
}

}  // namespace

struct Server::State : std::enable_shared_from_this<Server::State> {
    State(asio::io_context& io_, ServerOptions options_, Answer answer_, SocketFile file_)
        : io(io_),
          options(std::move(options_)),
          answer(std::move(answer_)),
          file(std::move(file_)),
          acceptor(io),
          pause(io),
          grace(io) {}

    asio::awaitable<void> accept();
    asio::awaitable<void> serve(std::shared_ptr<Connection> client);
    void admit(stream_protocol::socket socket);
    void leave(const std::shared_ptr<Connection>& client);
    void stop(std::function<void()> done);
    void close_all();
    void finish();

    asio::io_context& io;
    ServerOptions options;
    Answer answer;
    SocketFile file;
    stream_protocol::acceptor acceptor;
    asio::steady_timer pause;
    asio::steady_timer grace;
    std::set<std::shared_ptr<Connection>> connections;
    bool stopping = false;
    std::function<void()> stopped;
};

asio::awaitable<void> Server::State::accept() {
    while (!stopping) {
        auto [code, socket] = co_await acceptor.async_accept(as_values);
        if (stopping) break;
        if (!code) {
            admit(std::move(socket));
            continue;
        }
        // Out of descriptors or memory, most likely: at once again would only burn the CPU.
        spdlog::warn("control: accept on {}: {}", options.path, code.message());
        pause.expires_after(kAcceptPause);
        co_await pause.async_wait(as_values);
    }
}

void Server::State::admit(stream_protocol::socket socket) {
    if (connections.size() >= options.max_clients) {
        turn_away(std::move(socket), options.max_clients);
        return;
    }
    auto client = std::make_shared<Connection>(std::move(socket));
    connections.insert(client);
    asio::co_spawn(
        io,
        [self = shared_from_this(), client]() -> asio::awaitable<void> {
            co_await self->serve(client);
        },
        // Whatever ended it, the place is free again.
        [self = shared_from_this(), client](std::exception_ptr) { self->leave(client); });
}

asio::awaitable<void> Server::State::serve(std::shared_ptr<Connection> client) {
    FrameReader reader(kMostRequestBytes);
    bool good = true;
    while (good && !stopping) {
        client->allow(options.idle_timeout);
        auto body = co_await read_body(*client, reader);
        if (body && !body->has_value()) break;
        client->leave_alone();
        client->answering = true;
        auto request = body ? decode_request(**body) : failure(std::move(body.error()));
        const bool understood = request.has_value();
        Response response;
        if (understood) {
            response = co_await make_answer(answer, *std::move(request));
        } else {
            response = failure_response(Failure::FAILURE_INVALID, request.error().text());
        }
        bool written = co_await write_answer(*client, response, options.idle_timeout);
        client->answering = false;
        // After bytes that were no request nothing that follows can be trusted to be one.
        good = written && understood;
    }
}

void Server::State::leave(const std::shared_ptr<Connection>& client) {
    client->close();
    client->deadline.cancel();
    connections.erase(client);
    if (stopping && connections.empty()) finish();
}

void Server::State::stop(std::function<void()> done) {
    if (stopping) return;
    stopping = true;
    stopped = std::move(done);
    Code ignored;
    acceptor.close(ignored);
    pause.cancel();
    file.remove();
    for (const auto& client : connections) {
        if (!client->answering) client->close();
    }
    if (connections.empty()) {
        asio::post(io, [self = shared_from_this()] { self->finish(); });
        return;
    }
    grace.expires_after(options.grace);
    grace.async_wait([self = shared_from_this()](Code code) {
        if (code) return;
        self->close_all();
        self->finish();
    });
}

void Server::State::close_all() {
    for (const auto& client : connections)
        client->close();
}

void Server::State::finish() {
    grace.cancel();
    if (auto call = std::exchange(stopped, {})) call();
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Server>> Server::open(asio::io_context& io, ServerOptions options,
                                             Answer answer) {
    auto file = SocketFile::listen(options.path, options.mode, kBacklog);
    if (!file) return failure(std::move(file.error()));
    auto state =
        std::make_shared<State>(io, std::move(options), std::move(answer), *std::move(file));
    int listener = state->file.release_socket();
    Code code;
    state->acceptor.assign(stream_protocol(), listener, code);
    if (code) {
        ::close(listener);
        return failure(state->options.path + ": " + code.message());
    }
    asio::co_spawn(
        io, [state]() -> asio::awaitable<void> { co_await state->accept(); }, asio::detached);
    return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::~Server() {
    state_->stop({});
    state_->close_all();
    // Whom it would tell may be gone by the time the last answer ends.
    state_->stopped = nullptr;
}

void Server::stop(std::function<void()> stopped) {
    state_->stop(std::move(stopped));
}

std::size_t Server::clients() const {
    return state_->connections.size();
}

}  // namespace bascule::control
