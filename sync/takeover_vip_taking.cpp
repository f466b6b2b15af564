// SPDX-License-Identifier: Apache-2.0
// When this node takes a VIP, and what becomes of the taking.
#include <algorithm>
#include <string>
#include <utility>

#include "sync/takeover_rank.h"
#include "sync/takeover_vip.h"

namespace bascule::sync {

void VipTakeover::consider_taking(const TakeoverAround& around) {
    if (state_ == State::undecided && (!around.listening || survey_.holder)) state_ = State::absent;
    const bool broke_off = broke_off_ && around.now - *broke_off_ < around.options.interval;
    if (around.listening || around.unheard != nullptr || unfit(around) || survey_.deaf ||
        broke_off) {
        waiting_since_.reset();
        return;
    }
    if (survey_.holder) return consider_taking_from(around);
    if (survey_.hears_one) {
        waiting_since_.reset();
        return;
    }
    if (is_my_turn(around)) take(around, false, nobody_has_it(around));
}

std::string VipTakeover::nobody_has_it(const TakeoverAround& around) const {
    for (std::size_t i = 0; i < around.peers.size(); ++i)
        if (around.peers.name(i) == last_holder_)
            return last_holder_ +
                   (around.peers[i].live ? " does not have it any more" : " is dead");
    return "nobody has it";
}

bool VipTakeover::is_my_turn(const TakeoverAround& around) {
    if (!survey_.first) {
        waiting_since_.reset();
        return true;
    }
    if (!waiting_since_) waiting_since_ = around.now;
    return around.now - *waiting_since_ >= around.patience();
}

void VipTakeover::consider_taking_from(const TakeoverAround& around) {
    const TakeoverPeer& holder = around.peers[*survey_.holder];
    const VipClaim& held = survey_.held;
    const bool ready = own_role(around) == VipRole::ready;
    const bool can = holder.hears_us && would_beat(around);
    if (can && held.role == VipRole::offering && (ready || !held.moved)) {
        if (is_my_turn(around)) take(around, held.moved, holder.name + " offers it");
        return;
    }
    waiting_since_.reset();
    if (!can || !ready || !ready_since_) return;
    const Nanoseconds settled = around.now - settled_since(around);
    if (take_until_ && settled >= settle_time) return take(around, true, "the operator's word");
    const bool mine_by_priority =
        around.options.failback && !held.moved && held.priority < vip_.priority && !survey_.readier;
    if (!mine_by_priority || settled < take_back_delay(around)) return;
    take(around, false,
         "priority " + std::to_string(vip_.priority) + ", over " + std::to_string(held.priority) +
             " of " + holder.name);
}

void VipTakeover::take(const TakeoverAround& around, bool moved, std::string why) {
    epoch_ = next_epoch();
    known_ = std::max(known_, epoch_);
    state_ = State::taking;
    until_ = around.now + longest_taking;
    moved_ = moved;
    why_ = std::move(why);
    take_until_.reset();
    waiting_since_.reset();
    told_of_failure_ = false;
}

// Not where epochs have come to their end: there who has it keeps it, or two would take it from
// each other for ever.
bool VipTakeover::would_beat(const TakeoverAround& around) const {
    const VipClaim own{.vip = id(),
                       .role = VipRole::holding,
                       .epoch = next_epoch(),
                       .priority = vip_.priority,
                       .moved = false,
                       .heard = false};
    return beats(own, around.options.self, survey_.held, around.peers.name(*survey_.holder));
}

Moment VipTakeover::settled_since(const TakeoverAround& around) const {
    const Moment ready = ready_since_.value_or(around.now);
    return survey_.holder ? std::max(ready, around.peers[*survey_.holder].live_since) : ready;
}

Nanoseconds VipTakeover::take_back_delay(const TakeoverAround& around) const {
    return std::max(settle_time, around.options.failback_delay);
}

void VipTakeover::look_at_taking(const TakeoverAround& around, std::vector<VipMove>& moves) {
    const bool answered = holding_ && holding_->epoch == epoch_;
    if (answered && holding_->here) {
        state_ = State::having;
        not_here_since_.reset();
        moves.push_back({.vip = id(), .what = VipMove::What::taken, .epoch = epoch_, .why = why_});
        return;
    }
    const bool refused = answered && !holding_->problem.empty();
    if (!refused && around.now < until_) return;
    std::string why = refused ? holding_->problem : "the address was not there after a second";
    if (survey_.could_take) return fail(around, std::move(why), moves);
    // Nobody else can: the hands go on trying.
    if (std::exchange(told_of_failure_, true)) return;
    moves.push_back(
        {.vip = id(), .what = VipMove::What::failed, .epoch = epoch_, .why = std::move(why)});
}

void VipTakeover::fail(const TakeoverAround& around, std::string why, std::vector<VipMove>& moves) {
    failed_until_ = around.now + failed_time;
    failure_ = std::move(why);
    let_go(around, false, failure_, moves);
}

}  // namespace bascule::sync
