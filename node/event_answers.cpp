// SPDX-License-Identifier: Apache-2.0
#include "node/event_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/address.h"
#include "control/framing.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

using control::Failure;
using control::Response;

constexpr auto look_again = 100ms;
constexpr std::uint32_t usual_limit = 100;

std::int64_t unix_milliseconds(std::chrono::system_clock::time_point when) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
}

// An address in the text that events have it in.
std::string plain(const std::string& name) {
    const auto address = Address::parse(name);
    return address ? address->to_string() : name;
}

void fill(control::Event& message, const Event& event) {
    message.set_serial(event.serial);
    message.set_unix_milliseconds(unix_milliseconds(event.when));
    message.set_kind(name_of(event.kind));
    message.set_subject(event.subject);
    message.set_text(event.text);
}

class Place {
public:
    explicit Place(std::shared_ptr<std::size_t> taken) : taken_(std::move(taken)) { ++*taken_; }
    ~Place() { --*taken_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

private:
    std::shared_ptr<std::size_t> taken_;
};

}  // namespace

bool is_about(std::string_view subject, std::string_view name) {
    if (name.empty() || subject == name) return true;
    // "lb2 10.9.0.12:7400": a path of a node.
    const auto space = subject.find(' ');
    if (space != std::string_view::npos && subject.substr(0, space) == name) return true;
    const auto slash = subject.find('/');
    if (slash == std::string_view::npos) return false;
    return subject.substr(0, slash) == name || subject.substr(slash + 1) == name;
}

EventDesk::EventDesk(const EventLog& log)
    : log_(log), began_unix_milliseconds_(unix_milliseconds(std::chrono::system_clock::now())) {}

Response EventDesk::found(const control::EventsRequest& ask) const {
    const std::string name = plain(ask.subject());
    auto events = log_.since(ask.after(), EventLog::most);
    std::erase_if(events, [&](const Event& event) { return !is_about(event.subject, name); });
    const std::size_t limit =
        std::min<std::size_t>(ask.limit() != 0 ? ask.limit() : usual_limit, EventLog::most);
    Response response;
    auto& message = *response.mutable_events();
    for (std::size_t i = events.size() - std::min(limit, events.size()); i < events.size(); ++i)
        fill(*message.add_events(), events[i]);
    message.set_last_serial(log_.last_serial());
    message.set_began_unix_milliseconds(began_unix_milliseconds_);
    if (log_.first_kept() > ask.after() + 1)
        message.set_missed(log_.first_kept() - ask.after() - 1);
    return response;
}

asio::awaitable<Response> EventDesk::answer(control::EventsRequest ask) {
    Response response = found(ask);
    // A number that is yet to come is another daemon's: it is told at once whose numbers these are.
    const bool waits = ask.wait_seconds() > 0 && response.events().events().empty() &&
                       ask.after() <= log_.last_serial();
    if (!waits) co_return response;
    if (*waiting_ >= most_waiting)
        co_return control::failure_response(
            Failure::FAILURE_BUSY, fmt::format("{} clients wait for events already", most_waiting));
    const Place place(waiting_);
    const auto ended = ended_;
    const auto wait =
        std::min<std::chrono::seconds>(std::chrono::seconds(ask.wait_seconds()), longest_wait);
    const auto deadline = std::chrono::steady_clock::now() + wait;
    std::uint64_t looked_at = log_.last_serial();
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!*ended && std::chrono::steady_clock::now() < deadline) {
        timer.expires_after(look_again);
        boost::system::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        if (*ended || log_.last_serial() == looked_at) continue;
        looked_at = log_.last_serial();
        response = found(ask);
        if (!response.events().events().empty()) co_return response;
    }
    co_return response;
}

}  // namespace bascule::node
