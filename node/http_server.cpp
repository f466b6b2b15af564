// SPDX-License-Identifier: Apache-2.0
#include "node/http_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <set>
#include <utility>

#include "node/http_request.h"

namespace bascule::node {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Code = boost::system::error_code;
using Milliseconds = std::chrono::milliseconds;

constexpr auto as_values = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds accept_pause{1};
constexpr int backlog = 64;
constexpr std::size_t most_farewell = std::size_t{256} << 10;  // bytes

struct Connection : std::enable_shared_from_this<Connection> {
    Connection(tcp::socket from, std::uint64_t& slow_count)
        : socket(std::move(from)), deadline(socket.get_executor()), slow(slow_count) {}

    void close() {
        Code ignored;
        socket.close(ignored);
    }

    // Closes the socket unless it is called again, or leave_alone() is, before the time is over.
    void allow(Milliseconds time) {
        deadline.expires_after(time);
        deadline.async_wait([weak = weak_from_this()](Code code) {
            auto self = weak.lock();
            // The wait may have ended just before it was set anew.
            if (code || !self || self->deadline.expiry() > std::chrono::steady_clock::now()) return;
            ++self->slow;
            self->close();
        });
    }
    void leave_alone() { deadline.expires_at(asio::steady_timer::time_point::max()); }

    tcp::socket socket;
    asio::steady_timer deadline;
    std::uint64_t& slow;
};

using Client = std::shared_ptr<Connection>;

tcp::endpoint to_asio(const model::Endpoint& where) {
    return {asio::ip::make_address(where.address.to_string()), where.port};
}

// Nothing of what is no address of ours (there is none).
std::optional<Address> own_address(const tcp::socket& socket) {
    Code code;
    const auto local = socket.local_endpoint(code);
    if (code) return {};
    asio::ip::address address = local.address();
    if (address.is_v6()) {
        auto v6 = address.to_v6();
        v6.scope_id(0);
        address = v6;
    }
    return Address::parse(address.to_string());
}

// Bound and listening.
Result<tcp::acceptor> open_acceptor(asio::io_context& io, const model::Endpoint& where) {
    const tcp::endpoint endpoint = to_asio(where);
    tcp::acceptor acceptor(io);
    Code code;
    const auto step = [&](auto&& action) {
        if (!code) action();
    };
    acceptor.open(endpoint.protocol(), code);
    // Programs that the daemon runs must not keep it.
    step([&] { ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC); });
    step([&] { acceptor.set_option(tcp::acceptor::reuse_address(true), code); });
    step([&] {
        if (endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), code);
    });
    step([&] { acceptor.bind(endpoint, code); });
    step([&] { acceptor.listen(backlog, code); });
    if (!code) return acceptor;
    return failure(fmt::format("cannot listen at {}: {}", where.to_string(), code.message()));
}

// One address beside all addresses: they cannot both be bound.
bool overlap(const model::Endpoint& one, const model::Endpoint& other) {
    return one.port == other.port && one.address.is_v4() == other.address.is_v4() &&
           (one.address.is_unspecified() || other.address.is_unspecified());
}

}  // namespace

HttpAnswer http_words(unsigned status, std::string words) {
    HttpAnswer answer;
    answer.status = status;
    answer.body = std::make_shared<const std::string>(std::move(words += '\n'));
    return answer;
}

struct HttpServer::State : std::enable_shared_from_this<HttpServer::State> {
    // A socket that is listened at; its coroutine ends when it is closed.
    struct Listener {
        tcp::acceptor acceptor;
        asio::steady_timer pause;
        model::Endpoint where;
        bool closed = false;

        void close() {
            closed = true;
            Code ignored;
            acceptor.close(ignored);
            pause.cancel();
        }
    };

    State(asio::io_context& io_, Handler handler_, Forbidden forbidden_, HttpLimits limits_)
        : io(io_),
          handler(std::move(handler_)),
          forbidden(std::move(forbidden_)),
          limits(limits_) {}

    Result<void> open(const model::Endpoint& where);
    asio::awaitable<void> accept(std::shared_ptr<Listener> from);
    void admit(tcp::socket socket);
    asio::awaitable<void> serve(Client client);
    asio::awaitable<bool> answer_one(Client client, HttpReader& reader);
    asio::awaitable<HttpAnswer> make_answer(const HttpRequest& request);
    asio::awaitable<bool> send(Client client, const HttpRequest& request, const HttpAnswer& answer);
    asio::awaitable<void> see_off(Client client);

    asio::io_context& io;
    Handler handler;
    Forbidden forbidden;
    HttpLimits limits;
    HttpCounters counters;
    std::shared_ptr<Listener> listener;
    std::set<Client> connections;
    bool stopping = false;
};

// ---- who comes ----

// Takes the place of the listener that is there.
Result<void> HttpServer::State::open(const model::Endpoint& where) {
    auto acceptor = open_acceptor(io, where);
    if (!acceptor) return failure(std::move(acceptor.error()));
    if (listener) listener->close();
    auto own = where;
    own.port = acceptor->local_endpoint().port();
    listener =
        std::make_shared<Listener>(Listener{std::move(*acceptor), asio::steady_timer(io), own});
    asio::co_spawn(
        io,
        [self = shared_from_this(), from = listener]() -> asio::awaitable<void> {
            co_await self->accept(from);
        },
        asio::detached);
    return {};
}

asio::awaitable<void> HttpServer::State::accept(std::shared_ptr<Listener> from) {
    while (!from->closed) {
        auto [code, socket] = co_await from->acceptor.async_accept(as_values);
        if (from->closed) break;
        if (!code) {
            admit(std::move(socket));
            continue;
        }
        // Out of descriptors or memory, most likely: at once again would only burn the CPU.
        spdlog::warn("http: accept at {}: {}", from->where.to_string(), code.message());
        from->pause.expires_after(accept_pause);
        co_await from->pause.async_wait(as_values);
    }
}

void HttpServer::State::admit(tcp::socket socket) {
    ++counters.accepted;
    const auto own = own_address(socket);
    if (!own) return;  // gone already
    if (forbidden(*own)) {
        ++counters.forbidden;
        return;
    }
    if (connections.size() >= limits.connections) {
        ++counters.full;
        return;
    }
    ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    auto client = std::make_shared<Connection>(std::move(socket), counters.slow);
    connections.insert(client);
    asio::co_spawn(
        io,
        [self = shared_from_this(), client]() -> asio::awaitable<void> {
            co_await self->serve(client);
        },
        // Whatever ended it, the place is free again.
        [self = shared_from_this(), client](std::exception_ptr) {
            client->close();
            client->deadline.cancel();
            self->connections.erase(client);
        });
}

// ---- what is said ----

asio::awaitable<void> HttpServer::State::serve(Client client) {
    HttpReader reader(limits.header);
    for (unsigned left = limits.requests; left > 0 && !stopping; --left) {
        if (left < limits.requests && !reader.has_bytes()) {
            client->allow(limits.idle);
            auto [code] = co_await client->socket.async_wait(tcp::socket::wait_read, as_values);
            if (code) co_return;
        }
        client->allow(limits.request);
        auto [code] = co_await reader.read(client->socket);
        if (code) co_return;
        client->leave_alone();
        HttpRequest request = reader.take();
        if (left == 1) request.keep = false;
        const HttpAnswer answer = co_await make_answer(request);
        if (!co_await send(client, request, answer)) co_return;
        if (!request.keep) break;
    }
    co_await see_off(client);
}

asio::awaitable<HttpAnswer> HttpServer::State::make_answer(const HttpRequest& request) {
    if (request.refused != 0) co_return http_words(request.refused, request.words);
    if (stopping) co_return http_words(503, "basculed is stopping");
    std::string what;
    try {
        co_return co_await handler(request.path);
    } catch (const std::exception& error) {
        what = error.what();
    }
    spdlog::error("http: {} failed: {}", request.path, what);
    co_return http_words(500, "internal error: basculed's log tells more");
}

// False when the client is gone or takes too long.
asio::awaitable<bool> HttpServer::State::send(Client client, const HttpRequest& request,
                                              const HttpAnswer& answer) {
    ++counters.answers[answer.status];
    const std::string head = http_head(request, answer);
    const std::string_view body = request.head_only ? std::string_view() : *answer.body;
    const std::array<asio::const_buffer, 2> all{asio::buffer(head), asio::buffer(body)};
    client->allow(limits.answer);
    auto [code, count] = co_await asio::async_write(client->socket, all, as_values);
    co_return !code;
}

// What came and was not read would make the kernel send a reset, which may overtake the answer.
asio::awaitable<void> HttpServer::State::see_off(Client client) {
    Code code;
    client->socket.shutdown(tcp::socket::shutdown_send, code);
    // A deadline of its own kind: who has been refused and goes on talking is not "slow".
    asio::steady_timer enough(io, limits.farewell);
    enough.async_wait([client](Code cancelled) {
        if (!cancelled) client->close();
    });
    client->leave_alone();
    std::array<char, 16384> ignored;
    for (std::size_t total = 0; !code && total < most_farewell;) {
        auto [ended, count] =
            co_await client->socket.async_read_some(asio::buffer(ignored), as_values);
        code = ended;
        total += count;
    }
}

// ---- the server ----

HttpServer::HttpServer(asio::io_context& io, Handler handler, Forbidden forbidden,
                       HttpLimits limits)
    : state_(std::make_shared<State>(io, std::move(handler), std::move(forbidden), limits)) {}

HttpServer::~HttpServer() {
    state_->stopping = true;
    listen({});
    for (const auto& client : state_->connections)
        client->close();
    // Whom they speak for may be gone before the last coroutine is.
    state_->handler = nullptr;
    state_->forbidden = nullptr;
}

Result<void> HttpServer::listen(const std::optional<model::Endpoint>& where) {
    const auto before = listening();
    if (where == before) return {};
    if (!where) {
        state_->listener->close();
        state_->listener.reset();
        return {};
    }
    // The kernel would refuse the new one beside the old one.
    if (before && overlap(*before, *where)) listen({});
    auto opened = state_->open(*where);
    if (!opened && before && !state_->listener)
        if (auto again = state_->open(*before); !again)
            spdlog::error("http: {}", again.error().text());
    return opened;
}

std::optional<model::Endpoint> HttpServer::listening() const {
    if (!state_->listener) return {};
    return state_->listener->where;
}

const HttpCounters& HttpServer::counters() const {
    return state_->counters;
}

std::size_t HttpServer::connections() const {
    return state_->connections.size();
}

}  // namespace bascule::node
