// SPDX-License-Identifier: Apache-2.0
#include "health/damper.h"

#include <algorithm>
#include <limits>

namespace bascule::health {
namespace {

using model::Milliseconds;

constexpr std::uint32_t steps = 9;  // from 10 to 100 per cent
constexpr Milliseconds minute{60'000};

// As many as can begin within `span`, each twice as long as the one before.
std::uint64_t held_falls(const model::HealthConfig& health, Milliseconds span) {
    Milliseconds hold = std::min(health.hold_down, health.hold_down_most);
    if (hold.count() <= 0) return std::numeric_limits<std::uint32_t>::max();
    std::uint64_t count = 1;
    for (Milliseconds over = hold; over <= span; over += hold) {
        ++count;
        hold = std::min(hold * 2, health.hold_down_most);
    }
    return count;
}

std::uint64_t by_hold_down(const model::HealthConfig& health) {
    constexpr std::uint64_t unbounded = std::numeric_limits<std::uint64_t>::max();
    if (health.flap_limit == 0 || health.flap_window.count() <= 0) return unbounded;
    const Milliseconds span = std::min(minute, health.flap_window);
    const auto spans = static_cast<std::uint64_t>((minute + span - Milliseconds(1)) / span);
    return spans * 2 * (health.flap_limit + held_falls(health, span));
}

std::uint64_t by_speed(const model::HealthConfig& health) {
    const Milliseconds cycle =
        2 * health.interval + (health.fall + health.rise - 2) * health.fast_interval;
    // A result may be late by the timeout, and a start by an interval, once in all.
    const Milliseconds span = minute + health.timeout + health.interval;
    return 2 + 2 * static_cast<std::uint64_t>(span / std::max(cycle, Milliseconds(1)));
}

std::uint32_t clamped(std::uint64_t count) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::min(count, most));
}

}  // namespace

const char* name_of(Health health) {
    switch (health) {
        case Health::unchecked:
            return "unchecked";
        case Health::checking:
            return "checking";
        case Health::up:
            return "up";
        case Health::down:
            return "down";
    }
    return "?";
}

Damper::Options::Options(const model::HealthConfig& health)
    : rise(std::max(health.rise, 1U)),
      fall(std::max(health.fall, 1U)),
      flap_limit(health.flap_limit),
      flap_window(health.flap_window),
      hold_down(health.hold_down),
      hold_down_most(health.hold_down_most),
      slow_start(health.slow_start) {}

Damper::Damper(const model::HealthConfig& options, Health initial, Time now)
    : options_(options), health_(initial), since_(now) {}

bool Damper::on_result(bool ok, Time now) {
    if (health_ == Health::up && now - since_ >= options_.flap_window) last_hold_ = Milliseconds(0);
    const Health told = ok ? Health::up : Health::down;
    if (told == health_) {
        against_ = 0;
        return false;
    }
    against_ = std::min(against_ + 1, needed());
    if (against_ < needed() || held_until(now)) return false;
    if (health_ == Health::up) on_fall(now);
    slow_ = health_ == Health::down;
    go(told, now);
    return true;
}

void Damper::go(Health health, Time now) {
    health_ = health;
    since_ = now;
    against_ = 0;
    if (health == Health::up) held_until_.reset();
}

void Damper::on_fall(Time now) {
    falls_.push_back(now);
    while (falls_.size() > std::size_t{options_.flap_limit} + 1)
        falls_.pop_front();
    if (options_.flap_limit == 0 || falls_in_window(now) <= options_.flap_limit) return;
    const Milliseconds hold =
        last_hold_.count() == 0 ? options_.hold_down : last_hold_ + last_hold_;
    last_hold_ = std::min(hold, options_.hold_down_most);
    held_until_ = now + last_hold_;
}

void Damper::set_options(const model::HealthConfig& options) {
    options_ = Options(options);
    against_ = std::min(against_, needed());
    if (options_.flap_limit == 0) held_until_.reset();
}

bool Damper::in_doubt(Time now) const {
    return against_ > 0 && !kept_down(now);
}

std::optional<Damper::Time> Damper::held_until(Time now) const {
    if (health_ != Health::down || !held_until_ || now >= *held_until_) return std::nullopt;
    return held_until_;
}

bool Damper::kept_down(Time now) const {
    return held_until(now) && against_ >= needed();
}

std::uint32_t Damper::needed() const {
    switch (health_) {
        case Health::up:
            return options_.fall;
        case Health::down:
            return options_.rise;
        case Health::checking:
        case Health::unchecked:
            break;
    }
    return 1;
}

std::uint32_t Damper::falls_in_window(Time now) const {
    return static_cast<std::uint32_t>(std::count_if(falls_.begin(), falls_.end(), [&](Time fall) {
        return now - fall < options_.flap_window;
    }));
}

std::uint32_t Damper::weight_percent(Time now) const {
    if (health_ != Health::up || !slow_ || now - since_ >= options_.slow_start) return 100;
    const auto elapsed = std::max(now - since_, Time::duration(0));
    return 10 +
           10 * static_cast<std::uint32_t>(elapsed * steps / Time::duration(options_.slow_start));
}

std::optional<Damper::Time> Damper::next_step(Time now) const {
    const std::uint32_t percent = weight_percent(now);
    if (percent == 100) return std::nullopt;
    const Time::duration whole = options_.slow_start;
    return since_ + (whole * (percent / 10) + Time::duration(steps - 1)) / steps;
}

std::uint32_t most_changes_a_minute(const model::HealthConfig& health) {
    return clamped(std::min(by_hold_down(health), by_speed(health)));
}

std::uint32_t most_steps_a_minute(const model::HealthConfig& health) {
    if (health.slow_start.count() <= 0) return 0;
    const std::uint64_t returns = (std::uint64_t{most_changes_a_minute(health)} + 1) / 2;
    const auto in_time =
        static_cast<std::uint64_t>(minute * static_cast<std::int64_t>(steps) / health.slow_start);
    // Each start of a slow start begins its steps anew, so there may be one more than there is
    // time.
    return clamped(std::min((returns + 1) * steps, in_time + 1));
}

}  // namespace bascule::health
