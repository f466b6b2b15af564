// SPDX-License-Identifier: Apache-2.0
#include "health/watch.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "health/diagnose.h"
#include "health/file_stamp.h"
#include "health/words.h"

namespace bascule::health {
namespace {

namespace asio = boost::asio;
using std::chrono::system_clock;
using namespace std::chrono_literals;

// Probes start at multiples of this only, those that are due before it together: to wake up for
// each of four thousand costs as much as to make them.
constexpr Clock::duration tick = 4ms;
constexpr auto ask_again_after = 100ms;  // for a destination that is not known yet
constexpr auto tell_reason_after = 1s;   // since it was last told
constexpr auto look_again_after = 60s;   // at a backend that is still silent

constexpr auto at_once = asio::cancellation_type::total;
constexpr std::size_t most_problem = 190;  // bytes of words

Outcome thrown(const std::exception& error) {
    return failed(Failure::local,
                  "the probe ended with an error: " + plain(error.what(), most_problem / 2));
}

Clock::time_point next_tick(Clock::time_point due) {
    const auto since_epoch = due.time_since_epoch();
    return Clock::time_point((since_epoch + tick - Clock::duration(1)) / tick * tick);
}

}  // namespace

// From a start to the stop that belongs to it. The coroutines that were started hold it.
struct Watch::Run {
    Run(Watch& of, std::shared_ptr<WatchShared> with)
        : watch(&of), shared(std::move(with)), timer(shared->io) {}

    Watch* watch;  // nullptr: stopped
    std::shared_ptr<WatchShared> shared;
    std::unique_ptr<Probe> probe;  // nullptr: could not be made yet
    FileStamps files;              // that it was made of
    asio::steady_timer timer;
    asio::cancellation_signal stop_probe;
    asio::cancellation_signal stop_look;
    bool looking = false;
};

Watch::Watch(std::shared_ptr<WatchShared> shared, Target target, Clock::time_point first)
    : shared_(std::move(shared)),
      damper_(target.health,
              shared_->hooks.initial ? shared_->hooks.initial(target) : Health::checking,
              Clock::now()),
      due_(first) {
    record_.target = std::move(target);
    record_.since = system_clock::now();
    ++shared_->unjudged;
    update(Clock::now());
    start();
}

Watch::~Watch() {
    stop();
    if (!record_.last) --shared_->unjudged;
}

void Watch::set_target(Target target) {
    const bool same_files = !run_->probe || run_->files == stamps_of_files(target.health);
    if (target == record_.target && same_files) return;
    stop();
    record_.target = std::move(target);
    damper_.set_options(record_.target.health);
    const Time now = Clock::now();
    const Time::duration interval = record_.target.health.interval;
    if (due_ < now) {
        due_ = now;
    } else if (due_ - now > interval) {
        due_ = now + (due_ - now) % interval;
    }
    update(now);
    start();
}

void Watch::start() {
    run_ = std::make_shared<Run>(*this, shared_);
    // The handler holds the run as well: the slot must outlive what is bound to it. An error of a
    // hook is a bug, and better seen than a target that nobody watches any more.
    asio::co_spawn(shared_->io, probe_on(run_),
                   asio::bind_cancellation_slot(run_->stop_probe.slot(),
                                                [run = run_](const std::exception_ptr& error) {
                                                    if (error && run->watch != nullptr)
                                                        std::rethrow_exception(error);
                                                }));
    arm_step(Clock::now());
}

void Watch::stop() {
    run_->watch = nullptr;
    // Within the io_context only: from elsewhere, co_spawn's handler puts off what it does, and
    // would not mind that the run has ended by then.
    asio::dispatch(shared_->io, [run = std::move(run_)] {
        run->stop_probe.emit(at_once);
        run->stop_look.emit(at_once);
    });
    explanation_.reset();
    looked_at_.reset();
    step_timer_.reset();
    next_step_.reset();
}

// Of the members of `watch` it uses none after a wait without a look whether it is still there.
asio::awaitable<void> Watch::probe_on(std::shared_ptr<Run> run) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    while (run->watch != nullptr) {
        run->timer.expires_at(next_tick(run->watch->due_));
        co_await run->timer.async_wait(asio::as_tuple(asio::deferred));
        Watch* const watch = run->watch;
        if (watch == nullptr) co_return;
        const Target& target = watch->record_.target;
        const Time started = Clock::now();
        if (auto problem = make_probe(*run, target)) {
            watch->take(std::move(*problem), started);
            continue;
        }
        const auto to = run->shared->hooks.destination(target);
        if (std::holds_alternative<std::monostate>(to)) {
            watch->ask_again(started);
            continue;
        }
        if (const auto* cannot = std::get_if<Outcome>(&to)) {
            watch->take(*cannot, started);
            continue;
        }
        Outcome outcome;
        try {
            outcome = co_await run->probe->run(std::get<Destination>(to),
                                               started + target.health.timeout);
        } catch (const std::exception& error) {
            outcome = thrown(error);
        }
        if (run->watch == nullptr) co_return;
        outcome = watch->better_told(std::move(outcome), started);
        watch->take(std::move(outcome), started);
    }
}

// Nothing: there is one, by now or before.
std::optional<Outcome> Watch::make_probe(Run& run, const Target& target) {
    if (run.probe) return std::nullopt;
    try {
        // Before they are read: what is written meanwhile shows later.
        run.files = stamps_of_files(target.health);
        auto made = run.shared->make(run.shared->io, *run.shared->resources, target);
        if (!made) return failed(Failure::local, plain(made.error().text(), most_problem));
        run.probe = std::move(*made);
        return std::nullopt;
    } catch (const std::exception& error) {
        return thrown(error);
    }
}

// By the VIP: what the data plane saw, else what a second look has found.
Outcome Watch::better_told(Outcome outcome, Time now) {
    if (record_.target.health.via == model::Via::vip && !outcome.ok()) {
        std::optional<Outcome> told;
        if (shared_->hooks.explain) told = shared_->hooks.explain(record_.target, outcome);
        if (told) {
            outcome = std::move(*told);
        } else if (outcome.failure == Failure::timed_out) {
            second_look(outcome, now);
            return explanation_.value_or(std::move(outcome));
        }
    }
    explanation_.reset();
    looked_at_.reset();
    return outcome;
}

void Watch::second_look(const Outcome& silent, Time now) {
    if (run_->looking || (looked_at_ && now - *looked_at_ < look_again_after)) return;
    // With more at once, this one has its turn after a later time-out.
    if (shared_->second_looks >= Checker::most_second_looks) return;
    looked_at_ = now;
    run_->looking = true;
    ++shared_->second_looks;
    asio::co_spawn(
        shared_->io, look_again(run_, silent),
        asio::bind_cancellation_slot(run_->stop_look.slot(), [run = run_](std::exception_ptr) {
            run->looking = false;
            --run->shared->second_looks;
        }));
}

asio::awaitable<void> Watch::look_again(std::shared_ptr<Run> run, Outcome silent) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if (run->watch == nullptr) co_return;
    const Target target = run->watch->record_.target;
    WatchShared& shared = *run->shared;
    Outcome found =
        co_await diagnose(shared.io, *shared.resources, shared.make, target, std::move(silent));
    if (run->watch != nullptr) run->watch->take_explanation(std::move(found));
}

void Watch::take_explanation(Outcome outcome) {
    if (!looked_at_) return;  // the time-outs that it was about have ended meanwhile
    explanation_ = outcome;
    // It may be here before the time-out itself is taken.
    if (!record_.last || record_.last->ok()) return;
    record_.reason = outcome.words;
    record_.last = std::move(outcome);
    tell(Clock::now(), false);
}

void Watch::take(Outcome outcome, Time started) {
    const Time now = Clock::now();
    const bool ok = outcome.ok();
    if (!record_.last) --shared_->unjudged;
    ++record_.checks;
    if (!ok) {
        ++record_.failures;
        ++record_.by_failure[static_cast<std::size_t>(outcome.failure)];
    }
    record_.last_at = system_clock::now();
    record_.last_duration = std::chrono::duration_cast<std::chrono::microseconds>(now - started);
    record_.durations.add(record_.last_duration);
    record_.last_late = std::chrono::duration_cast<std::chrono::microseconds>(started - due_);

    const bool changed = damper_.on_result(ok, now);
    if (!ok) {
        record_.reason = outcome.words;
    } else {
        program_weight_.say(outcome.weight_percent.value_or(100), now);
        if (damper_.health() == Health::up) record_.reason.clear();
    }
    if (changed) {
        record_.since = record_.last_at;
        record_.changes.push_back({record_.last_at, damper_.health(), outcome.words});
        if (record_.changes.size() > Record::most_changes) record_.changes.pop_front();
    }
    record_.last = std::move(outcome);
    schedule_next(now);
    update(now);
    arm_step(now);
    tell(now, changed);
}

void Watch::schedule_next(Time now) {
    const model::HealthConfig& health = record_.target.health;
    const Time::duration step = std::max<Time::duration>(
        damper_.in_doubt(now) ? health.fast_interval : health.interval, 1ms);
    if (phase_) {
        due_ = *phase_ + (std::max(now - *phase_, Time::duration(0)) / step + 1) * step;
        phase_.reset();
        return;
    }
    due_ += step;
    if (due_ >= now) return;
    // A probe has outlasted its interval; or the process stood still: then all are late, and must
    // not start together, so each waits for its phase.
    due_ = now - due_ < step ? now : due_ + ((now - due_) / step + 1) * step;
}

void Watch::ask_again(Time now) {
    // All ask at once when it is known at last; after that each keeps the phase it had.
    if (!phase_) phase_ = due_;
    due_ = now + ask_again_after;
    update(now);
}

void Watch::update(Time now) {
    const std::uint32_t slow = damper_.weight_percent(now);
    record_.weight_percent = (slow * program_weight_.percent() + 99) / 100;
    record_.health = damper_.health();
    record_.against = damper_.against();
    record_.needed = damper_.needed();
    record_.kept_down = damper_.kept_down(now);
    record_.held_until.reset();
    if (const auto until = damper_.held_until(now)) record_.held_until = wall(*until, now);
    record_.next_at = wall(due_, now);
}

// Waits for the next change of the weight, if there is one to come.
void Watch::arm_step(Time now) {
    std::optional<Time> next = damper_.next_step(now);
    if (const auto settled = program_weight_.next())
        next = next ? std::min(*next, *settled) : *settled;
    if (next == next_step_) return;
    next_step_ = next;
    if (!next) {
        step_timer_.reset();
        return;
    }
    if (!step_timer_) step_timer_ = std::make_unique<asio::steady_timer>(shared_->io);
    step_timer_->expires_at(*next);
    // A stop ends the wait, but not a handler that is queued already.
    step_timer_->async_wait([run = run_](const boost::system::error_code& error) {
        if (!error && run->watch != nullptr) run->watch->on_step();
    });
}

void Watch::on_step() {
    const Time now = Clock::now();
    next_step_.reset();
    program_weight_.settle(now);
    update(now);
    arm_step(now);
    tell(now, false);
}

void Watch::tell(Time now, bool health_changed) {
    bool due = health_changed || record_.weight_percent != told_weight_;
    if (record_.health != Health::down) {
        told_reason_.clear();
    } else if (health_changed ||
               (record_.reason != told_reason_ && now - told_at_ >= tell_reason_after)) {
        told_reason_ = record_.reason;
        told_at_ = now;
        due = true;
    }
    if (!record_.held_until) {
        told_kept_down_ = false;
    } else if (record_.kept_down && !told_kept_down_) {
        told_kept_down_ = due = true;
    }
    told_weight_ = record_.weight_percent;
    if (due && shared_->hooks.on_change) shared_->hooks.on_change(record_, health_changed);
}

std::chrono::system_clock::time_point Watch::wall(Time time, Time now) {
    return system_clock::now() + std::chrono::duration_cast<system_clock::duration>(time - now);
}

}  // namespace bascule::health
