// SPDX-License-Identifier: Apache-2.0
#include "sync/stream_dialler.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "sync/endpoints.h"

namespace bascule::sync {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

Moment now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

// Shared with its handlers, which may come when nobody waits for it any more: `over` then.
struct StreamDialler::Attempt {
    explicit Attempt(asio::io_context& io) : socket(io), timer(io) {}

    void cancel() {
        over = true;
        error_code ignored;
        timer.cancel();
        socket.close(ignored);
    }

    asio::ip::tcp::socket socket;
    asio::steady_timer timer;  // until it begins; then until it has lasted too long
    std::size_t path = 0;
    bool over = false;
};

StreamDialler::StreamDialler(asio::io_context& io, std::vector<model::Endpoint> own,
                             std::vector<model::Endpoint> theirs, const StreamLimits& limits,
                             User user)
    : io_(io),
      own_(std::move(own)),
      theirs_(std::move(theirs)),
      limits_(limits),
      user_(std::move(user)),
      choice_(own_.size()),
      backoff_(limits.backoff_least, limits.backoff_most) {}

StreamDialler::~StreamDialler() {
    stop();
}

void StreamDialler::start() {
    if (state_ == State::stopped) try_after(Nanoseconds(0));
}

void StreamDialler::stop() {
    state_ = State::stopped;
    if (attempt_) attempt_->cancel();
    attempt_.reset();
}

void StreamDialler::stands(std::size_t path) {
    if (state_ == State::stopped) return;
    state_ = State::idle;
    standing_ = path;
    choice_.succeeded();
    if (wanted()) retry();
}

void StreamDialler::failed(std::size_t path) {
    if (state_ == State::stopped) return;
    choice_.failed(path);
    state_ = State::idle;
    if (wanted()) retry();
}

void StreamDialler::lost(std::size_t path, Nanoseconds stood) {
    if (state_ == State::stopped) return;
    standing_.reset();
    choice_.failed(path);
    // One that comes up and breaks at once is as bad as one that does not come up.
    if (stood > limits_.backoff_most) backoff_.reset();
    if (state_ == State::idle) retry();
}

void StreamDialler::set_alive(std::size_t path, bool alive) {
    const bool came = alive && !choice_.alive(path);
    choice_.set_alive(path, alive);
    if (state_ == State::idle && wanted()) return retry();
    if (state_ == State::waiting && came) {
        backoff_.reset();
        return try_after(std::max(Nanoseconds(0), last_try_ + limits_.backoff_least - now()));
    }
    if (state_ != State::connecting && state_ != State::handed) return;
    // Begun while nothing came through: the kernel would repeat it only seconds later.
    const bool stale = came && attempt_->path == path && now() - last_try_ > limits_.backoff_least;
    if (stale) backoff_.reset();
    if (!stale && !choice_.better_than(attempt_->path)) return;
    if (state_ == State::handed) return user_.give_up();
    const auto given_up = attempt_;
    on_outcome(given_up, "given up, to be tried anew where heartbeats are");
}

// There is no stream, or it stands on a dead path while another lives.
bool StreamDialler::wanted() const {
    return !standing_ || choice_.better_than(*standing_);
}

void StreamDialler::retry() {
    try_after(backoff_.next());
}

void StreamDialler::try_after(Nanoseconds wait) {
    if (attempt_) attempt_->cancel();
    attempt_ = std::make_shared<Attempt>(io_);
    state_ = State::waiting;
    attempt_->timer.expires_after(wait);
    attempt_->timer.async_wait([this, attempt = attempt_](const error_code&) {
        if (attempt->over) return;
        if (wanted())
            connect();
        else
            state_ = State::idle;
    });
}

void StreamDialler::connect() {
    const auto attempt = attempt_;
    attempt->path = standing_ ? choice_.next_alive() : choice_.next();
    state_ = State::connecting;
    last_try_ = now();
    error_code code;
    const auto from = tcp_endpoint({own_[attempt->path].address, 0});
    attempt->socket.open(from.protocol(), code);
    // From the address by which the peer knows us, and by the path that is meant.
    if (!code) attempt->socket.bind(from, code);
    if (code)
        return on_outcome(
            attempt,
            fmt::format("from {}: {}", own_[attempt->path].address.to_string(), code.message()));
    attempt->timer.expires_after(limits_.handshake);
    attempt->timer.async_wait([this, attempt](const error_code& ended) {
        if (!ended && !attempt->over) on_outcome(attempt, "no answer");
    });
    attempt->socket.async_connect(tcp_endpoint(theirs_[attempt->path]),
                                  [this, attempt](const error_code& failed) {
                                      if (!attempt->over)
                                          on_outcome(attempt, failed ? failed.message() : "");
                                  });
}

// Of TCP. No problem: connected.
void StreamDialler::on_outcome(const std::shared_ptr<Attempt>& attempt,
                               const std::string& problem) {
    attempt->over = true;
    attempt->timer.cancel();
    const std::size_t path = attempt->path;
    if (problem.empty()) {
        state_ = State::handed;
        return user_.on_connected(std::move(attempt->socket), path);
    }
    attempt->cancel();
    user_.on_problem(theirs_[path].to_string() + ": " + problem);
    failed(path);
}

}  // namespace bascule::sync
