// SPDX-License-Identifier: Apache-2.0
#include "node/vip_failover.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "control/framing.h"
#include "node/vip_answers.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

using control::Failure;
using control::Response;
using Clock = std::chrono::steady_clock;

// Who has just come into step is ready a second later.
constexpr auto longest_move = 3s;
constexpr auto look_again = 2ms;

// A VIP on its way.
struct Move {
    Address vip;
    bool away = false;  // from this node to another; else the other way
    std::string from;
};

bool has_moved(const Move& move, const std::string& self, const sync::VipView& view) {
    if (!move.away) return view.holder == self && view.role == sync::VipRole::holding;
    return !has_it(view.role) && !view.holder.empty() && view.holder != self;
}

// Those that are asked for.
Result<std::vector<Address>> asked_vips(const Daemon& daemon, const std::string& text) {
    const auto& vips = daemon.state().config().vips;
    const VipFacts facts = gather_vip_facts(daemon);
    std::vector<Address> asked;
    if (text.empty()) {
        for (const auto& vip : vips)
            if (const auto* view = find_view(facts, vip.address); view && has_it(view->role))
                asked.push_back(vip.address);
        if (asked.empty())
            return failure(
                "this node has no VIP to give away: `bascule failover VIP` takes that one");
        return asked;
    }
    const auto address = Address::parse(text);
    if (!address || std::none_of(vips.begin(), vips.end(),
                                 [&](const auto& vip) { return vip.address == *address; }))
        return failure(fmt::format("there is no VIP '{}'", text));
    return std::vector<Address>(1, *address);
}

class Moving {
public:
    explicit Moving(Daemon& daemon) : daemon_(daemon) {}

    void ask(const Address& vip) {
        const VipFacts facts = gather_vip_facts(daemon_);
        const sync::VipView* view = find_view(facts, vip);
        if (view == nullptr) return fail(vip, "takeover has not begun yet: ask again");
        if (auto may = may_move(facts, *view); !may) return fail(vip, may.error().text());
        if (!daemon_.move_vip(vip)) return fail(vip, "too many are on their way: ask again");
        moves_.push_back({vip, has_it(view->role), view->holder});
    }

    asio::awaitable<void> wait() {
        asio::steady_timer timer(co_await asio::this_coro::executor);
        while (!moves_.empty() && daemon_.running() && daemon_.cluster() != nullptr &&
               Clock::now() - began_ < longest_move) {
            look();
            if (moves_.empty()) break;
            timer.expires_after(look_again);
            boost::system::error_code ignored;
            co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
        for (const Move& move : moves_)
            fail(move.vip, why_stuck(move));
    }

    Response response() { return std::move(response_); }

private:
    void fail(const Address& vip, const std::string& why) {
        response_.mutable_failed_over()->add_failed(vip.to_string() + ": " + why);
    }

    void look() {
        const VipFacts facts = gather_vip_facts(daemon_);
        std::erase_if(moves_, [&](const Move& move) {
            const sync::VipView* view = find_view(facts, move.vip);
            if (view == nullptr || !has_moved(move, facts.self, *view)) return false;
            auto* moved = response_.mutable_failed_over()->add_moved();
            moved->set_vip(move.vip.to_string());
            moved->set_from(move.from);
            moved->set_to(view->holder);
            moved->set_milliseconds(
                std::chrono::duration<double, std::milli>(Clock::now() - began_).count());
            return true;
        });
    }

    std::string why_stuck(const Move& move) const {
        if (!daemon_.running() || daemon_.cluster() == nullptr) return "basculed is stopping";
        const VipFacts facts = gather_vip_facts(daemon_);
        const sync::VipView* view = find_view(facts, move.vip);
        std::string why = "it has not moved within 3 s";
        if (view == nullptr) return why;
        for (const std::string* reason : {&view->problem, &view->unfit, &view->waits})
            if (!reason->empty()) return why + ": " + *reason;
        return why;
    }

    Daemon& daemon_;
    Clock::time_point began_ = Clock::now();
    std::vector<Move> moves_;
    Response response_;
};

}  // namespace

asio::awaitable<Response> answer_failover(Daemon& daemon, control::FailoverRequest ask) {
    if (daemon.cluster() == nullptr) {
        const std::string& problem = daemon.cluster_problem();
        co_return control::failure_response(
            Failure::FAILURE_INVALID,
            problem.empty() ? "this node is in no cluster: nobody else could have its VIPs"
                            : problem);
    }
    const auto asked = asked_vips(daemon, ask.vip());
    if (!asked)
        co_return control::failure_response(
            ask.vip().empty() ? Failure::FAILURE_INVALID : Failure::FAILURE_NOT_FOUND,
            asked.error().text());
    Moving moving(daemon);
    for (const Address& vip : *asked)
        moving.ask(vip);
    co_await moving.wait();
    co_return moving.response();
}

}  // namespace bascule::node
