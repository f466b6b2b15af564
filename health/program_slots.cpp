// SPDX-License-Identifier: Apache-2.0
#include "health/program_slots.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace bascule::health {

namespace asio = boost::asio;

asio::execution_context::id ProgramSlots::id;

// Stands in the queue for as long as it lives.
struct ProgramSlots::Waiter {
    explicit Waiter(ProgramSlots& all) : slots(all), timer(all.io_) {
        slots.waiters_.push_back(this);
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
        std::erase(slots.waiters_, this);
        if (granted) slots.give_back();
    }

    ProgramSlots& slots;
    asio::steady_timer timer;
    bool granted = false;
};

struct ProgramSlots::Dying {
    Dying(asio::io_context& io, Process dying, Slot room)
        : process(std::move(dying)), slot(std::move(room)), ended(io, process.pidfd.release()) {}

    Process process;
    Slot slot;
    asio::posix::stream_descriptor ended;
};

ProgramSlots::ProgramSlots(asio::execution_context& context)
    : service(context), io_(static_cast<asio::io_context&>(context)), timer_(io_) {
    // As for the timer: the service of descriptors has to be there, too.
    const asio::posix::stream_descriptor older(io_);
}

asio::awaitable<ProgramSlots::Slot> ProgramSlots::take(
    std::chrono::steady_clock::time_point deadline) {
    if (used_ < most) {
        ++used_;
        co_return Slot(this);
    }
    Waiter waiter(*this);
    waiter.timer.expires_at(deadline);
    co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return std::exchange(waiter.granted, false) ? Slot(this) : Slot();
}

void ProgramSlots::give_back() {
    if (over_ || waiters_.empty()) {
        --used_;
        return;
    }
    Waiter* const next = waiters_.front();
    waiters_.pop_front();
    next->granted = true;
    next->timer.cancel();
}

void ProgramSlots::bury(Process process, Slot slot) {
    process.kill_group();
    // At the end of everything nobody can wait any more; init will.
    if (over_ || process.reap()) return;
    dying_.emplace_back(io_, std::move(process), std::move(slot));
    watch(std::prev(dying_.end()));
}

void ProgramSlots::watch(std::list<Dying>::iterator dying) {
    dying->ended.async_wait(asio::posix::stream_descriptor::wait_read,
                            [this, dying](const boost::system::error_code& error) {
                                if (error) return;
                                dying->process.pidfd = Descriptor(dying->ended.release());
                                dying->process.reap();
                                dying_.erase(dying);
                            });
}

void ProgramSlots::shutdown() {
    over_ = true;
    dying_.clear();
}

}  // namespace bascule::health
