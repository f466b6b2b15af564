// SPDX-License-Identifier: Apache-2.0
#include "sync/stream_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "sync/codec.h"
#include "sync/endpoints.h"

namespace bascule::sync {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Bytes read or written before others have their turn.
constexpr std::size_t most_a_turn = std::size_t{256} << 10;
// Pings, Pongs and the like that wait for the frame before them. A peer that asks faster than it
// reads gets no more answers than these.
constexpr std::size_t most_urgent = 16;
constexpr std::size_t most_probes = 32;
// An answer to an older one says nothing about now.
constexpr Nanoseconds probe_lasts{1'000'000'000};

Moment now() {
    return std::chrono::steady_clock::now();
}

std::string seconds(Nanoseconds time) {
    return fmt::format("{:g} s", std::chrono::duration<double>(time).count());
}

std::span<const std::uint8_t> bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

StreamConnection::StreamConnection(asio::ip::tcp::socket socket, std::unique_ptr<TlsSession> tls,
                                   const StreamLimits& limits, std::size_t path, Owner& owner)
    : socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      tls_(std::move(tls)),
      limits_(limits),
      path_(path),
      owner_(&owner) {
    error_code ignored;
    remote_ = endpoint_of(socket_.remote_endpoint(ignored));
    socket_.non_blocking(true, ignored);
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    // The kernel takes twice as much, for what it needs itself.
    const auto most = static_cast<int>(limits_.most_unsent / 2);
    socket_.set_option(asio::socket_base::send_buffer_size(most), ignored);
}

void StreamConnection::start() {
    arm(limits_.handshake, &StreamConnection::on_late);
    shake_hands();
}

// ---- waiting
// -------------------------------------------------------------------------------------

void StreamConnection::await(Wait what, Member then) {
    socket_.async_wait(what, [self = shared_from_this(), then](const error_code& code) {
        if (self->phase_ == Phase::gone) return;
        if (code)
            self->end(End::broken, code.message());
        else
            (self.get()->*then)();
    });
}

void StreamConnection::later(Member then) {
    asio::post(socket_.get_executor(), [self = shared_from_this(), then] {
        if (self->phase_ != Phase::gone) (self.get()->*then)();
    });
}

void StreamConnection::arm(Nanoseconds in, Member then) {
    timer_.expires_after(in);
    timer_.async_wait([self = shared_from_this(), then](const error_code& code) {
        if (!code && self->phase_ != Phase::gone) (self.get()->*then)();
    });
}

void StreamConnection::on_late() {
    if (phase_ == Phase::closing)
        close();
    else
        end(End::broken, phase_ == Phase::securing
                             ? "no TLS handshake within " + seconds(limits_.handshake)
                             : "no hello within " + seconds(limits_.handshake));
}

void StreamConnection::on_tick() {
    const Moment at = now();
    // It is this process that slept: what the peer did meanwhile has yet to be read.
    if (at - timer_.expiry() > limits_.ping) last_received_ = last_progress_ = at;
    if (at - last_received_ > limits_.silent)
        return end(End::broken, "silent for " + seconds(limits_.silent));
    if (current_ && at - last_progress_ > limits_.stalled)
        return end(End::broken, "has taken nothing for " + seconds(limits_.stalled));
    say(Ping{.token = ++last_token_});
    arm(limits_.ping, &StreamConnection::on_tick);
}

// ---- coming
// --------------------------------------------------------------------------------------

void StreamConnection::shake_hands() {
    if (phase_ != Phase::securing) return;
    switch (tls_->handshake()) {
        case TlsSession::Step::want_read:
            return await(Wait::wait_read, &StreamConnection::shake_hands);
        case TlsSession::Step::want_write:
            return await(Wait::wait_write, &StreamConnection::shake_hands);
        case TlsSession::Step::ended:
        case TlsSession::Step::failed:
            return end(tls_->broken() ? End::broken : End::refused, tls_->problem());
        case TlsSession::Step::done:
            break;
    }
    phase_ = Phase::greeting;
    owner_->on_secured(*this);
    read_some();
}

void StreamConnection::read_some() {
    for (std::size_t budget = most_a_turn; budget > 0;) {
        if (phase_ != Phase::greeting && phase_ != Phase::open) return;
        std::size_t count = 0;
        switch (tls_->read(buffer_, count)) {
            case TlsSession::Step::want_read:
                return await(Wait::wait_read, &StreamConnection::read_some);
            case TlsSession::Step::want_write:
                return await(Wait::wait_write, &StreamConnection::read_some);
            case TlsSession::Step::ended:
                return end(End::broken, "closed by the other side");
            case TlsSession::Step::failed:
                return end(End::broken, tls_->problem());
            case TlsSession::Step::done:
                break;
        }
        last_received_ = now();
        traffic_.bytes_received += count;
        reader_.push(std::span(buffer_).first(count));
        if (!take_frames()) return;
        budget -= std::min(budget, count);
    }
    later(&StreamConnection::read_some);
}

// False: it is over.
bool StreamConnection::take_frames() {
    while (phase_ == Phase::greeting || phase_ == Phase::open) {
        const auto frame = reader_.next();
        if (!frame) {
            finish(frame.error().text(), End::refused);
            return false;
        }
        if (!*frame) return true;
        const auto message = decode(**frame);
        if (!message)
            finish(message.error().text(), End::refused);
        else if (!*message)
            ++traffic_.unknown;
        else
            take(**message);
    }
    return false;
}

void StreamConnection::take(const StreamMessage& message) {
    if (const auto* bye = std::get_if<Bye>(&message))
        return end(phase_ == Phase::greeting ? End::refused : End::broken, "says: " + bye->why);
    if (phase_ == Phase::open) return take_open(message);
    const auto* hello = std::get_if<Hello>(&message);
    if (!hello) return finish("spoke before its hello", End::refused);
    if (const auto fine = owner_->on_hello(*this, *hello); !fine)
        finish(fine.error().text(), End::refused);
}

void StreamConnection::take_open(const StreamMessage& message) {
    if (const auto* ping = std::get_if<Ping>(&message)) {
        auto heartbeat = owner_->answer_to(*this);
        if (heartbeat) say(Pong{.token = ping->token, .heartbeat = std::move(*heartbeat)});
        return;
    }
    if (const auto* pong = std::get_if<Pong>(&message)) return on_pong(*pong);
    if (std::holds_alternative<Hello>(message)) return finish("a second hello", End::refused);
    const auto fine = owner_->on_message(*this, message);
    if (!fine) finish(fine.error().text(), End::refused);
}

void StreamConnection::on_pong(const Pong& pong) {
    const auto asked =
        std::ranges::find(probes_, pong.token, [](const auto& p) { return p.first; });
    if (asked == probes_.end()) return;
    const Moment when = asked->second;
    probes_.erase(probes_.begin(), asked + 1);
    if (now() - when <= probe_lasts) owner_->on_answer(*this, pong, when);
}

// ---- going
// ---------------------------------------------------------------------------------------

void StreamConnection::send_hello(const Hello& hello) {
    say(hello);
}

void StreamConnection::open() {
    phase_ = Phase::open;
    last_received_ = last_progress_ = now();
    arm(limits_.ping, &StreamConnection::on_tick);
    schedule_write();
}

void StreamConnection::wake() {
    if (phase_ == Phase::open) schedule_write();
}

void StreamConnection::probe() {
    if (phase_ != Phase::open || !say(Ping{.token = ++last_token_})) return;
    if (probes_.size() == most_probes) probes_.pop_front();
    probes_.emplace_back(last_token_, now());
}

bool StreamConnection::say(const StreamMessage& message) {
    if (urgent_.size() >= most_urgent) return false;
    urgent_.push_back(encode(message));
    schedule_write();
    return true;
}

// Never at once: it is called from within what gives the frames.
void StreamConnection::schedule_write() {
    if (writing_ != Writing::idle) return;
    writing_ = Writing::scheduled;
    later(&StreamConnection::write_some);
}

bool StreamConnection::has_current() {
    if (current_) return true;
    if (!urgent_.empty()) {
        current_ = std::move(urgent_.front());
        urgent_.pop_front();
    } else if (phase_ == Phase::open) {
        current_ = owner_->next_frame(*this);
    }
    sent_of_current_ = 0;
    last_progress_ = now();
    return current_ != nullptr;
}

void StreamConnection::write_some() {
    writing_ = Writing::idle;
    for (std::size_t budget = most_a_turn; budget > 0;) {
        if (phase_ == Phase::gone) return;
        if (!has_current()) {
            if (phase_ == Phase::closing) drain();
            return;
        }
        std::size_t count = 0;
        const auto step = tls_->write(bytes_of(*current_).subspan(sent_of_current_), count);
        if (step == TlsSession::Step::want_read || step == TlsSession::Step::want_write) {
            writing_ = Writing::waiting;
            return await(step == TlsSession::Step::want_read ? Wait::wait_read : Wait::wait_write,
                         &StreamConnection::write_some);
        }
        if (step != TlsSession::Step::done)
            return end(End::broken, step == TlsSession::Step::ended ? "closed by the other side"
                                                                    : tls_->problem());
        last_progress_ = now();
        traffic_.bytes_sent += count;
        sent_of_current_ += count;
        if (sent_of_current_ == current_->size()) current_.reset();
        budget -= std::min(budget, count);
    }
    schedule_write();
}

// ---- ending
// --------------------------------------------------------------------------------------

void StreamConnection::finish(const std::string& why, End end) {
    if (phase_ == Phase::securing) return this->end(end, why);
    if (phase_ == Phase::closing || phase_ == Phase::gone) return;
    phase_ = Phase::closing;
    // What was begun has to be ended, or the Bye would be part of it.
    urgent_.clear();
    say(Bye{.why = why});
    arm(limits_.linger, &StreamConnection::on_late);
    if (owner_) owner_->on_ended(*this, end, why);
}

// All is said. What the peer still sends is read and thrown away: a socket closed before would
// answer it with a reset, which can overtake the Bye.
void StreamConnection::drain() {
    error_code code;
    if (!std::exchange(all_said_, true)) {
        tls_->say_end();
        socket_.shutdown(asio::ip::tcp::socket::shutdown_send, code);
    }
    for (std::size_t budget = most_a_turn; budget > 0;) {
        const std::size_t count = socket_.read_some(asio::buffer(buffer_), code);
        if (code == asio::error::would_block)
            return await(Wait::wait_read, &StreamConnection::drain);
        if (code) return close();
        budget -= std::min(budget, count);
    }
    later(&StreamConnection::drain);
}

void StreamConnection::end(End end, const std::string& why) {
    if (phase_ == Phase::gone) return;
    const bool ended = phase_ == Phase::closing;
    const auto self = shared_from_this();  // its owner may let go of it
    phase_ = Phase::closing;
    if (!ended && owner_) owner_->on_ended(*this, end, why);
    close();
}

void StreamConnection::close() {
    if (phase_ == Phase::gone) return;
    const auto self = shared_from_this();
    phase_ = Phase::gone;
    error_code ignored;
    timer_.cancel();
    socket_.close(ignored);
    if (owner_) owner_->on_gone(*this);
}

void StreamConnection::abandon() {
    owner_ = nullptr;
    close();
}

}  // namespace bascule::sync
