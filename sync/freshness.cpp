// SPDX-License-Identifier: Apache-2.0
#include "sync/freshness.h"

#include <algorithm>

namespace bascule::sync {
namespace {

// Two clocks of different origins: the difference may be anything, and wraps around without harm.
Nanoseconds difference(std::uint64_t sent, Moment now) {
    const auto ours = std::chrono::duration_cast<Nanoseconds>(now.time_since_epoch()).count();
    return Nanoseconds(static_cast<std::int64_t>(static_cast<std::uint64_t>(ours) - sent));
}

}  // namespace

Nanoseconds Freshness::delayed(std::uint64_t sent, Moment now) const {
    const std::optional<Nanoseconds> least = behind_.least();
    if (!least) return Nanoseconds(0);
    return Nanoseconds(
        static_cast<std::int64_t>(static_cast<std::uint64_t>(difference(sent, now).count()) -
                                  static_cast<std::uint64_t>(least->count())));
}

Freshness::Verdict Freshness::judge(Incarnation incarnation, std::uint64_t sent, Proof proof,
                                    Nanoseconds most_delay, Moment now) const {
    if (incarnation == 0) return Verdict::unproven;
    if (incarnation == current_) {
        // A peer whose clock stood still (a host that was suspended) proves itself anew.
        const bool late = delayed(sent, now) > std::min(most_delay, lately_);
        return proof || !late ? Verdict::counts : Verdict::late;
    }
    if (std::ranges::find(over_, incarnation) != over_.end()) return Verdict::over;
    const bool begins = proof && (current_ == 0 || *proof > proven_at_);
    return begins ? Verdict::begins : Verdict::unproven;
}

void Freshness::accept(Incarnation incarnation, std::uint64_t sent, Proof proof, Moment now) {
    if (incarnation != current_) {
        if (current_ != 0) over_.push_back(current_);
        if (over_.size() > most_over) over_.pop_front();
        current_ = incarnation;
        proven_at_ = {};
        behind_ = {};
    } else if (proof && delayed(sent, now) > lately_) {
        behind_ = {};
    }
    if (proof) proven_at_ = std::max(proven_at_, *proof);
    behind_.add(difference(sent, now), now);
}

}  // namespace bascule::sync
