// SPDX-License-Identifier: Apache-2.0
#include "sync/stream_listener.h"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "sync/endpoints.h"

namespace bascule::sync {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int backlog = 64;
constexpr std::chrono::seconds between_tries{1};
// When there is no descriptor left, say: the connection stays in the backlog meanwhile.
constexpr std::chrono::milliseconds after_failure{100};

}  // namespace

// Shared with its handlers, which may come after the listener has gone: `over` then.
struct StreamListener::Path : std::enable_shared_from_this<Path> {
    Path(asio::io_context& io, const model::Endpoint& endpoint, std::size_t number, OnAccepted user)
        : own(endpoint), index(number), on_accepted(std::move(user)), acceptor(io), timer(io) {}

    void open() {
        const auto at = tcp_endpoint(own);
        error_code code;
        acceptor.open(at.protocol(), code);
        if (!code) acceptor.set_option(asio::socket_base::reuse_address(true), code);
        if (!code && !own.address.is_v4()) acceptor.set_option(asio::ip::v6_only(true), code);
        if (!code) acceptor.bind(at, code);
        if (!code) acceptor.listen(backlog, code);
        if (!code) {
            problem.clear();
            return accept();
        }
        problem = "cannot listen at " + own.to_string() + ": " + code.message();
        error_code ignored;
        acceptor.close(ignored);
        after(between_tries, &Path::open);
    }

    void accept() {
        acceptor.async_accept(
            [self = shared_from_this()](const error_code& code, asio::ip::tcp::socket socket) {
                if (self->over) return;
                if (code) return self->after(after_failure, &Path::accept);
                self->on_accepted(std::move(socket), self->index);
                if (!self->over) self->accept();
            });
    }

    void after(std::chrono::milliseconds time, void (Path::*then)()) {
        timer.expires_after(time);
        timer.async_wait([self = shared_from_this(), then](const error_code&) {
            if (!self->over) (self.get()->*then)();
        });
    }

    void close() {
        over = true;
        error_code ignored;
        acceptor.close(ignored);
        timer.cancel();
    }

    model::Endpoint own;
    std::size_t index;
    OnAccepted on_accepted;
    asio::ip::tcp::acceptor acceptor;
    asio::steady_timer timer;
    std::string problem;
    bool over = false;
};

StreamListener::StreamListener(asio::io_context& io, const std::vector<model::Endpoint>& own,
                               OnAccepted on_accepted) {
    for (const model::Endpoint& endpoint : own) {
        paths_.push_back(std::make_shared<Path>(io, endpoint, paths_.size(), on_accepted));
        paths_.back()->open();
    }
}

StreamListener::~StreamListener() {
    for (const auto& path : paths_)
        path->close();
}

std::vector<std::string> StreamListener::problems() const {
    std::vector<std::string> out;
    for (const auto& path : paths_) {
        if (!path->problem.empty()) out.push_back(path->problem);
    }
    return out;
}

}  // namespace bascule::sync
