// SPDX-License-Identifier: Apache-2.0
// One target under watch: its record and damper, and the coroutine that probes it when it is due.
//
// A coroutine lives on for the moment that its cancellation takes. It holds its Run, which outlives
// the watch, and looks after each wait whether the run still has one; so nothing dangles, and after
// ~Watch or set_target() no result of the run before counts. Thread: that of the io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "health/checker.h"
#include "health/steady_weight.h"

namespace bascule::health {

// What all watches of a checker share. Held by its coroutines as well.
struct WatchShared {
    boost::asio::io_context& io;
    Checker::Hooks hooks;
    MakeProbe make;
    SharedResources resources;
    std::size_t unjudged = 0;      // targets without a result
    std::size_t second_looks = 0;  // under way
};

class Watch {
public:
    // Probes from `first` on.
    Watch(std::shared_ptr<WatchShared> shared, Target target, Clock::time_point first);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // The same backend, to be checked in another way from now on: as the target says, and by its
    // files as they are by now.
    void set_target(Target target);
    const Record& record() const { return record_; }

private:
    struct Run;
    using Time = Clock::time_point;

    void start();
    void stop();
    static std::optional<Outcome> make_probe(Run& run, const Target& target);
    static boost::asio::awaitable<void> probe_on(std::shared_ptr<Run> run);
    static boost::asio::awaitable<void> look_again(std::shared_ptr<Run> run, Outcome silent);

    Outcome better_told(Outcome outcome, Time now);
    void second_look(const Outcome& silent, Time now);
    void take(Outcome outcome, Time started);
    void take_explanation(Outcome outcome);
    void schedule_next(Time now);
    void ask_again(Time now);
    void update(Time now);
    void arm_step(Time now);
    void on_step();
    void tell(Time now, bool health_changed);
    static std::chrono::system_clock::time_point wall(Time time, Time now);

    std::shared_ptr<WatchShared> shared_;
    Record record_;
    Damper damper_;
    SteadyWeight program_weight_;
    Time due_;
    std::optional<Time> phase_;  // when it was due before it began to ask for its destination
    std::shared_ptr<Run> run_;

    // What on_change has heard.
    std::uint32_t told_weight_ = 100;
    std::string told_reason_;
    Time told_at_{};
    bool told_kept_down_ = false;

    // Of the time-outs in a row that nothing explained.
    std::optional<Outcome> explanation_;
    std::optional<Time> looked_at_;

    std::unique_ptr<boost::asio::steady_timer> step_timer_;
    std::optional<Time> next_step_;  // that it waits for
};

}  // namespace bascule::health
