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
           around.fitness->leaving || around.cut_off || failed_until_.has_value() ||
           around.foreign != nullptr;
}

VipRole VipTakeover::own_role(const TakeoverAround& around) const {
    if (unfit(around)) return VipRole::unfit;
    const bool ready = around.fitness->synced && !around.doubtful && fitness(around)->routed;
    return ready ? VipRole::ready : VipRole::fit;
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
    peer_could_take_.resize(around.peers.size(), false);
    // Who has slept, and keeps it, may have been replaced meanwhile by one that is gone again.
    bool announce = around.slept > Nanoseconds(0);
    for (std::size_t i = 0; i < around.peers.size(); ++i) {
        if (!around.peers[i].live) continue;
        const VipClaim* claim = around.peers.claim(i, id(), hint_);
        const bool has = claim != nullptr && has_it(claim->role);
        const bool anew = around.peers[i].revived || around.peers[i].restarted;
        announce = announce || anew || (peer_had_it_[i] && !has);
        peer_had_it_[i] = has;
        // It may have begun to take the VIP, and told the network so, and nobody else.
        const bool hears = claim != nullptr && claim->heard;
        announce = announce || (peer_heard_none_[i] && hears);
        peer_heard_none_[i] = claim != nullptr && !hears;
        // The same, and given up before its next heartbeat could say that it has it.
        const bool can = claim != nullptr && can_take(claim->role);
        announce = announce || (peer_could_take_[i] && !has && !can);
        peer_could_take_[i] = can;
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
    if (!is_mine()) return VipDeadline{.vip = id(), .until = Moment::min(), .yields = false};
    if (parting_) return VipDeadline{.vip = id(), .until = parting_until_, .yields = true};
    // Who says that it leaves is not probed, and so found dead half an interval earlier.
    const Nanoseconds earlier = leaving_ ? options.interval * 3 / 4 : Nanoseconds(0);
    const Nanoseconds watched = options.interval * options.dead_after - earlier;
    return VipDeadline{.vip = id(),
                       .until = now + (survey_.could_take ? watched : lone_deadline),
                       .yields = false};
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
            .heard = heard,
            .holder = heard ? survey_.told : NodePlace(0)};
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
    if (state_ == State::having && holding_ && holding_->confirmed != Moment{})
        consider(holding_->confirmed + vip_lease);
    if (waiting_since_) consider(*waiting_since_ + around.patience());
    if (!is_mine() && ready_since_ && survey_.holder) {
        consider(settled_since(around) + settle_time);
        consider(settled_since(around) + take_back_delay(around));
    }
    return next;
}

}  // namespace bascule::sync
