// SPDX-License-Identifier: Apache-2.0
#include "health/user_lookups.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "health/outcome.h"

namespace bascule::health {

namespace asio = boost::asio;

asio::execution_context::id UserLookups::id;

// The way back from a thread, which may still be waiting when the io_context has ended.
struct UserLookups::Gate {
    std::mutex mutex;
    asio::io_context* io;  // nullptr: has ended
};

struct UserLookups::Lookup {
    std::vector<Waiter*> waiters;
};

// Asks for as long as it lives.
struct UserLookups::Waiter {
    Waiter(asio::io_context& io, std::shared_ptr<Lookup> of) : lookup(std::move(of)), timer(io) {
        lookup->waiters.push_back(this);
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { std::erase(lookup->waiters, this); }

    std::shared_ptr<Lookup> lookup;
    asio::steady_timer timer;
    std::optional<Result<ProgramUser>> answer;
};

UserLookups::UserLookups(asio::execution_context& context)
    : service(context),
      io_(static_cast<asio::io_context&>(context)),
      timer_(io_),
      gate_(std::make_shared<Gate>()) {
    gate_->io = &io_;
}

asio::awaitable<Result<ProgramUser>> UserLookups::find(
    std::string name, std::chrono::steady_clock::time_point deadline) {
    auto lookup = join(name);
    if (!lookup) co_return failure("no thread is left to look up user " + quoted(name));
    Waiter waiter(io_, std::move(lookup));
    waiter.timer.expires_at(deadline);
    co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (waiter.answer) co_return std::move(*waiter.answer);
    co_return failure("the user database has not answered in time who " + quoted(name) + " is");
}

std::shared_ptr<UserLookups::Lookup> UserLookups::join(const std::string& name) {
    const auto known = under_way_.find(name);
    if (known != under_way_.end()) return known->second;
    try {
        start(name);
    } catch (const std::system_error&) {
        return nullptr;
    }
    return under_way_[name] = std::make_shared<Lookup>();
}

// Detached: who waits for a database that hangs would hang with it.
void UserLookups::start(const std::string& name) {
    std::thread([this, name, look_up = look_up_, gate = gate_] {
        auto answer = look_up(name);
        const std::lock_guard lock(gate->mutex);
        if (gate->io == nullptr) return;
        asio::post(*gate->io, [this, name, answer = std::move(answer)] { tell(name, answer); });
    }).detach();
}

void UserLookups::tell(const std::string& name, const Result<ProgramUser>& answer) {
    const auto lookup = std::move(under_way_.extract(name).mapped());
    for (Waiter* waiter : lookup->waiters) {
        waiter->answer = answer;
        waiter->timer.cancel();
    }
}

void UserLookups::shutdown() {
    const std::lock_guard lock(gate_->mutex);
    gate_->io = nullptr;
}

}  // namespace bascule::health
