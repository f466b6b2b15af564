// SPDX-License-Identifier: Apache-2.0
#include "sync/clock_offset.h"

namespace bascule::sync {
namespace {

constexpr std::chrono::minutes minute{1};

bool less(Seconds32 a, Seconds32 b) {
    return static_cast<std::int32_t>(a - b) < 0;
}

}  // namespace

void ClockOffset::begin(Seconds32 own, Seconds32 theirs, Moment now) {
    offset_ = least_ = own - theirs;
    minute_ = now;
}

void ClockOffset::sample(Seconds32 own, Seconds32 theirs, Moment now) {
    const Seconds32 seen = own - theirs;
    if (now - minute_ >= minute) {
        if (less(offset_, least_)) ++offset_;
        least_ = seen;
        minute_ = now;
    }
    if (less(seen, least_)) least_ = seen;
    if (less(least_, offset_)) offset_ = least_;
}

}  // namespace bascule::sync
