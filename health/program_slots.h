// SPDX-License-Identifier: Apache-2.0
// How many programs run at once, and what becomes of those that have to go: killed, and waited for
// in the background, since even a killed process may take its time (a disk that hangs).
//
// A program counts until it is gone. Invariant: no process of ours is ever left a zombie, and no
// number of a process is signalled after it was waited for.
// Thread: that of the io_context. Found by boost::asio::use_service, so there is one an io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <list>

#include "health/program_start.h"

namespace bascule::health {

class ProgramSlots : public boost::asio::execution_context::service {
public:
    using key_type = ProgramSlots;
    static boost::asio::execution_context::id id;
    static constexpr std::size_t most = 64;

    explicit ProgramSlots(boost::asio::execution_context& context);

    // Room for one program; given back when it is destroyed.
    class Slot {
    public:
        Slot() = default;
        explicit Slot(ProgramSlots* slots) : slots_(slots) {}
        Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
        Slot& operator=(Slot&& other) noexcept {
            std::swap(slots_, other.slots_);
            return *this;
        }
        ~Slot() {
            if (slots_ != nullptr) slots_->give_back();
        }
        explicit operator bool() const { return slots_ != nullptr; }

    private:
        ProgramSlots* slots_ = nullptr;
    };

    // In the order in which it was asked for; without one at `deadline`.
    boost::asio::awaitable<Slot> take(std::chrono::steady_clock::time_point deadline);

    // Kills the group of `process`, and keeps its slot until it has ended.
    void bury(Process process, Slot slot);

    std::size_t used() const { return used_; }

private:
    struct Waiter;
    struct Dying;

    void shutdown() override;
    void give_back();
    void watch(std::list<Dying>::iterator dying);

    boost::asio::io_context& io_;
    boost::asio::steady_timer timer_;  // makes Asio's own services older than this one
    std::size_t used_ = 0;
    std::deque<Waiter*> waiters_;
    std::list<Dying> dying_;
    bool over_ = false;
};

}  // namespace bascule::health
