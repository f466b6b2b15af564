// SPDX-License-Identifier: Apache-2.0
// What this node does with a VIP that it has: keeps it, offers it, or lets it go.
#include <chrono>
#include <string>
#include <utility>

#include "sync/takeover_vip.h"

namespace bascule::sync {

void VipTakeover::consider_keeping(const TakeoverAround& around, bool could_take,
                                   std::vector<VipMove>& moves) {
    if (survey_.above) {
        const std::string& name = around.peers.name(*survey_.above);
        std::string why = name + " has it with epoch " + std::to_string(survey_.above_epoch);
        if (survey_.above_is_deaf) why = name + " has it and does not hear this node";
        return let_go(around, true, std::move(why), moves);
    }
    if (survey_.hears_higher) {
        const std::string& name = around.peers.name(*survey_.hears_higher);
        return let_go(around, true, name + " hears one that has it with a higher epoch", moves);
    }
    const OwnFitness::Vip* here = fitness(around);
    if (here == nullptr || !here->wanted || !here->carrier)
        return let_go(around, false, unfit_because(around), moves);
    if (around.slept > Nanoseconds(0) && could_take) {
        using std::chrono::milliseconds;
        const auto span = std::chrono::round<milliseconds>(around.slept).count();
        return let_go(around, true, "this node stood still for " + std::to_string(span) + " ms",
                      moves);
    }
    if (state_ == State::taking) {
        if (unfit(around)) let_go(around, false, unfit_because(around), moves);
        return;
    }
    offer(around, wanted_offer(around), moves);
    if (around.cut_off && (!offered_ || around.now - offered_since_ >= offer_time))
        return let_go(around, false, unfit_because(around), moves);
    look_after_address(around, moves);
}

// The address may have gone for good: its interface did, or the host refuses it.
void VipTakeover::look_after_address(const TakeoverAround& around, std::vector<VipMove>& moves) {
    if (!holding_ || holding_->epoch != epoch_) {
        not_here_since_.reset();
        return;
    }
    if (holding_->here) {
        not_here_since_.reset();
        if (has_lapsed(around.now) && survey_.could_take)
            fail(around, "its address was not renewed for as long as its lease", moves);
        return;
    }
    if (!not_here_since_) not_here_since_ = around.now;
    const bool given_up =
        !holding_->problem.empty() || around.now - *not_here_since_ >= longest_taking;
    if (!given_up || !survey_.could_take) return;
    fail(around, holding_->problem.empty() ? "the address is gone" : holding_->problem, moves);
}

// By its own clock, which nobody stops, the kernel has taken the address away by now.
bool VipTakeover::has_lapsed(Moment now) const {
    return holding_->confirmed != Moment{} && now - holding_->confirmed >= vip_lease;
}

VipTakeover::Offer VipTakeover::wanted_offer(const TakeoverAround& around) const {
    if (around.cut_off) return Offer::cut_off;
    if (around.fitness->leaving) return Offer::leaving;
    if (!around.fitness->attached) return Offer::detached;
    if (give_until_) return Offer::word;
    return fitness(around)->routed ? Offer::none : Offer::unrouted;
}

void VipTakeover::offer(const TakeoverAround& around, Offer why, std::vector<VipMove>& moves) {
    const bool only_ready = why == Offer::word || why == Offer::unrouted;
    const bool taker = only_ready ? survey_.ready_taker : survey_.taker;
    const bool offers = why != Offer::none && taker;
    if (offers && (!offered_ || offer_ != why)) {
        offered_since_ = around.now;
        moves.push_back({.vip = id(),
                         .what = VipMove::What::offered,
                         .epoch = epoch_,
                         .why = offered_because(around, why)});
    }
    offered_ = offers;
    offer_ = why;
    leaving_ = around.fitness->leaving;
    const bool parts = leaving_ && !survey_.could_take;
    if (parts && !parting_) parting_until_ = around.now + parting_deadline;
    parting_ = parts;
}

}  // namespace bascule::sync
