// SPDX-License-Identifier: Apache-2.0
#include "sync/refresh_turns.h"

#include "sync/messages.h"

namespace bascule::sync {
namespace {

constexpr std::int64_t turns = 4;
// Seconds: of the clock that ages are by, and of a pass that began late.
constexpr std::int64_t uncertain = 2;

std::int64_t milliseconds(Nanoseconds span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

}  // namespace

void RefreshTurns::on_pass(Moment now) {
    before_ = began_;
    began_ = now;
}

bool RefreshTurns::due(std::uint32_t partition, std::uint32_t age, std::uint32_t limit) const {
    if (!before_ || limit == 0) return false;
    const std::int64_t period = std::int64_t{limit} * 1000 / turns;
    const std::int64_t since_turn = period + milliseconds(*began_ - *before_) + uncertain * 1000;
    if (std::int64_t{age} * 1000 > since_turn) return false;
    return turn(*began_, partition, period) != turn(*before_, partition, period);
}

std::int64_t RefreshTurns::turn(Moment at, std::uint32_t partition, std::int64_t period) const {
    const std::int64_t shift = period * partition / std::int64_t{partitions};
    return (milliseconds(at.time_since_epoch()) + shift) / period;
}

}  // namespace bascule::sync
