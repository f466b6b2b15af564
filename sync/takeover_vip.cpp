// SPDX-License-Identifier: Apache-2.0
#include "sync/takeover_vip.h"

#include <algorithm>
#include <utility>

#include "sync/takeover_rank.h"

namespace bascule::sync {

void VipTakeover::set(TakeoverVip vip, std::size_t hint) {
    vip_ = vip;
    hint_ = hint;
}

void VipTakeover::set_holding(const VipHolding* holding) {
    if (holding == nullptr)
        holding_.reset();
    else
        holding_ = *holding;
}

// ---- what is ----

const OwnFitness::Vip* VipTakeover::fitness(const TakeoverAround& around) const {
    if (around.fitness == nullptr) return nullptr;
    const auto& vips = around.fitness->vips;
    if (hint_ < vips.size() && vips[hint_].vip == id()) return &vips[hint_];
    const auto found =
        std::find_if(vips.begin(), vips.end(), [this](const auto& vip) { return vip.vip == id(); });
    return found == vips.end() ? nullptr : &*found;
}

bool VipTakeover::unfit(const TakeoverAround& around) const {
    const OwnFitness::Vip* here = fitness(around);
    return here == nullptr || !here->wanted || !here->carrier || !around.fitness->attached ||
           around.fitness->leaving || around.cut_off || failed_until_.has_value();
}

VipRole VipTakeover::own_role(const TakeoverAround& around) const {
    if (unfit(around)) return VipRole::unfit;
    return around.fitness->synced && !around.doubtful ? VipRole::ready : VipRole::fit;
}

TakeoverSurvey VipTakeover::survey(const TakeoverAround& around) const {
    const VipClaim own{.vip = id(),
                       .role = own_role(around),
                       .epoch = epoch_,
                       .priority = vip_.priority,
                       .moved = false,
                       .heard = false};
    return sync::survey(around, own, hint_);
}

void VipTakeover::learn_epochs(const TakeoverAround& around) {
    known_ = std::max(known_, std::min(around.options.epoch_floor, most_epoch));
    for (std::size_t i = 0; i < around.peers.size(); ++i) {
        const VipClaim* claim = around.peers.claim(i, id(), hint_);
        if (claim != nullptr) known_ = std::max(known_, claim->epoch);
    }
}

// After who has been found by it besides this node, the network has to be told who is.
void VipTakeover::note_demotions(const TakeoverAround& around) {
    peer_had_it_.resize(around.peers.size(), false);
    peer_heard_none_.resize(around.peers.size(), false);
    // Who has slept, and keeps it, may have been replaced meanwhile by one that is gone again.
    bool announce = around.slept > Nanoseconds(0);
    for (std::size_t i = 0; i < around.peers.size(); ++i) {
        if (!around.peers[i].live) continue;
        const VipClaim* claim = around.peers.claim(i, id(), hint_);
        const bool has = claim != nullptr && has_it(claim->role);
        announce = announce || around.peers[i].revived || (peer_had_it_[i] && !has);
        peer_had_it_[i] = has;
        // It may have begun to take the VIP, and told the network so, and nobody else.
        const bool hears = claim != nullptr && claim->heard;
        announce = announce || (peer_heard_none_[i] && hears);
        peer_heard_none_[i] = claim != nullptr && !hears;
    }
    if (announce && state_ == State::having) ++announcements_;
}

void VipTakeover::note_readiness(const TakeoverAround& around) {
    if (failed_until_ && around.now >= *failed_until_) failed_until_.reset();
    const bool ready = own_role(around) == VipRole::ready;
    if (!ready)
        ready_since_.reset();
    else if (!ready_since_)
        ready_since_ = around.now;
}

void VipTakeover::note_word(const TakeoverAround& around) {
    if (give_until_ && around.now >= *give_until_) give_until_.reset();
    if (take_until_ && around.now >= *take_until_) take_until_.reset();
    if (!std::exchange(asked_, false)) return;
    if (is_mine())
        give_until_ = around.now + offer_time;
    else
        take_until_ = around.now + offer_time;
}

// ---- what is decided ----

void VipTakeover::look(const TakeoverAround& around, std::vector<VipMove>& moves) {
    const bool could_take = survey_.could_take;  // while this node slept
    learn_epochs(around);
    note_readiness(around);
    note_word(around);
    survey_ = survey(around);
    note_demotions(around);
    if (state_ == State::taking) look_at_taking(around, moves);
    if (is_mine()) consider_keeping(around, could_take, moves);
    // Without a program the host answers for what lingers.
    const bool lingers =
        around.now < until_ && around.fitness != nullptr && around.fitness->attached;
    if (state_ == State::lingering && !lingers) state_ = State::absent;
    if (!is_mine()) consider_taking(around);
    if (survey_.holder)
        last_holder_ = around.peers.name(*survey_.holder);
    else if (state_ == State::having)
        last_holder_ = around.options.self;
    note_role(around);
}

void VipTakeover::note_role(const TakeoverAround& around) {
    VipRole role = own_role(around);
    if (state_ == State::having) role = offered_ ? VipRole::offering : VipRole::holding;
    if (role != role_) role_since_ = around.now;
    role_ = role;
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

void VipTakeover::let_go(const TakeoverAround& around, bool linger, std::string why,
                         std::vector<VipMove>& moves) {
    const bool had = state_ == State::having;
    const bool told = !had && std::exchange(told_of_failure_, false);
    const bool stays = had && linger && around.fitness->attached;
    state_ = stays ? State::lingering : State::absent;
    until_ = around.now + linger_time;
    if (!had) broke_off_ = around.now;
    if (!told)
        moves.push_back({.vip = id(),
                         .what = had ? VipMove::What::released : VipMove::What::failed,
                         .epoch = epoch_,
                         .why = std::move(why)});
    offer_ = Offer::none;
    offered_ = false;
    leaving_ = parting_ = false;
    give_until_.reset();
    // Whatever made it let go: it is not taken back right away.
    ready_since_.reset();
}

void VipTakeover::drop(std::vector<VipMove>& moves) {
    if (state_ == State::having)
        moves.push_back({.vip = id(),
                         .what = VipMove::What::released,
                         .epoch = epoch_,
                         .why = "it is not configured any more"});
}

// ---- keeping it ----

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
    if (!holding_ || holding_->epoch != epoch_ || holding_->here) {
        not_here_since_.reset();
        return;
    }
    if (!not_here_since_) not_here_since_ = around.now;
    const bool given_up =
        !holding_->problem.empty() || around.now - *not_here_since_ >= longest_taking;
    if (!given_up || !survey_.could_take) return;
    fail(around, holding_->problem.empty() ? "the address is gone" : holding_->problem, moves);
}

VipTakeover::Offer VipTakeover::wanted_offer(const TakeoverAround& around) const {
    if (around.cut_off) return Offer::cut_off;
    if (around.fitness->leaving) return Offer::leaving;
    if (!around.fitness->attached) return Offer::detached;
    return give_until_ ? Offer::word : Offer::none;
}

void VipTakeover::offer(const TakeoverAround& around, Offer why, std::vector<VipMove>& moves) {
    const bool taker = why == Offer::word ? survey_.ready_taker : survey_.taker;
    const bool offers = why != Offer::none && taker;
    if (offers && (!offered_ || offer_ != why)) {
        offered_since_ = around.now;
        std::string words = why == Offer::word ? "the operator's word" : unfit_because(around);
        moves.push_back({.vip = id(),
                         .what = VipMove::What::offered,
                         .epoch = epoch_,
                         .why = std::move(words)});
    }
    offered_ = offers;
    offer_ = why;
    leaving_ = around.fitness->leaving;
    parting_ = leaving_ && !survey_.could_take;
}

// ---- taking it ----

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

// ---- what comes out ----

std::optional<VipDuty> VipTakeover::duty() const {
    using What = VipDuty::What;
    if (state_ == State::undecided) return std::nullopt;
    const What what = is_mine()                    ? What::held
                      : state_ == State::lingering ? What::lingering
                                                   : What::absent;
    return VipDuty{.vip = id(),
                   .what = what,
                   .epoch = epoch_,
                   .announcements = announcements_,
                   .parting = parting_};
}

std::optional<VipDeadline> VipTakeover::deadline(const TakeoverOptions& options, Moment now) const {
    if (state_ == State::undecided) return std::nullopt;
    if (!is_mine()) return VipDeadline{.vip = id(), .until = Moment::min()};
    const Nanoseconds alone = parting_ ? parting_deadline : lone_deadline;
    // Who says that it leaves is not probed, and so found dead half an interval earlier.
    const Nanoseconds earlier = leaving_ ? options.interval * 3 / 4 : Nanoseconds(0);
    const Nanoseconds watched = options.interval * options.dead_after - earlier;
    return VipDeadline{.vip = id(), .until = now + (survey_.could_take ? watched : alone)};
}

VipClaim VipTakeover::claim() const {
    const bool has = has_it(role_);
    const bool heard = !has && survey_.holder;
    return {.vip = id(),
            .role = role_,
            .epoch = has     ? epoch_
                     : heard ? survey_.held.epoch
                             : known_,
            .priority = vip_.priority,
            .moved = has && (offered_ ? offer_ == Offer::word : moved_),
            .heard = heard};
}

Moment VipTakeover::next(const TakeoverAround& around) const {
    Moment next = Moment::max();
    const auto consider = [&](std::optional<Moment> moment) {
        if (moment && *moment > around.now) next = std::min(next, *moment);
    };
    if (state_ == State::taking || state_ == State::lingering) consider(until_);
    consider(failed_until_);
    consider(give_until_);
    if (offered_ && offer_ == Offer::cut_off) consider(offered_since_ + offer_time);
    if (not_here_since_) consider(*not_here_since_ + longest_taking);
    if (waiting_since_) consider(*waiting_since_ + around.patience());
    if (!is_mine() && ready_since_ && survey_.holder) {
        consider(settled_since(around) + settle_time);
        consider(settled_since(around) + take_back_delay(around));
    }
    return next;
}

}  // namespace bascule::sync
