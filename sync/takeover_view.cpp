// SPDX-License-Identifier: Apache-2.0
// What people are told of a VIP: who has it, who would have it next, and why this node waits.
#include <chrono>
#include <utility>

#include "sync/takeover_rank.h"
#include "sync/takeover_vip.h"

namespace bascule::sync {
namespace {

constexpr const char* no_route = "no route to any backend";

// "3 s", "250 ms", "2 h".
std::string in_words(Nanoseconds span) {
    using namespace std::chrono;
    if (span < seconds(1)) return std::to_string(ceil<milliseconds>(span).count()) + " ms";
    if (span < minutes(2)) return std::to_string(ceil<seconds>(span).count()) + " s";
    if (span < hours(2)) return std::to_string(ceil<minutes>(span).count()) + " min";
    return std::to_string(ceil<hours>(span).count()) + " h";
}

}  // namespace

std::string VipTakeover::unfit_because(const TakeoverAround& around) const {
    if (around.fitness == nullptr) return "this node has not said yet what it can";
    const OwnFitness::Vip* here = fitness(around);
    if (here == nullptr) return "this node knows no interface for it";
    if (!here->wanted) return "given up for the sake of its services";
    if (!here->carrier) return "no carrier";
    if (around.cut_off) return "no witness answers";
    if (around.fitness->leaving) return "this node leaves";
    if (!around.fitness->attached) return "no program is attached";
    if (failed_until_) return failure_;
    if (around.foreign != nullptr)
        return around.foreign->name +
               " speaks as a newer release, and what it has is not known here";
    return {};
}

std::string VipTakeover::offered_because(const TakeoverAround& around, Offer why) const {
    if (why == Offer::word) return "the operator's word";
    return why == Offer::unrouted ? no_route : unfit_because(around);
}

std::string VipTakeover::waits_for_holder(const TakeoverAround& around) const {
    const TakeoverPeer& holder = around.peers[*survey_.holder];
    const VipClaim& held = survey_.held;
    if (!holder.hears_us) return holder.name + " does not hear this node";
    if (!would_beat(around)) return "epochs are used up";
    if (held.role == VipRole::offering && survey_.first)
        return around.peers.name(*survey_.first) + " comes first";
    if (held.priority >= vip_.priority) return {};
    if (held.moved) return holder.name + " has it by the operator's word";
    if (!around.options.failback) return "failback is never";
    if (!fitness(around)->routed) return no_route;
    if (own_role(around) != VipRole::ready) return "not in step yet";
    if (survey_.readier) return around.peers.name(*survey_.readier) + " comes first";
    const Nanoseconds left = take_back_delay(around) - (around.now - settled_since(around));
    return left > Nanoseconds(0) ? "takes it back in " + in_words(left) : std::string();
}

std::string VipTakeover::waits_because(const TakeoverAround& around) const {
    if (is_mine()) return {};
    if (survey_.holder && survey_.held.role == VipRole::holding &&
        survey_.held.priority >= vip_.priority)
        return {};
    if (around.listening) return "listens who is there";
    if (unfit(around)) return unfit_because(around);
    if (around.unheard != nullptr) return "waits for a word of " + around.unheard->name;
    if (survey_.deaf) return around.peers.name(*survey_.deaf) + " does not hear this node";
    if (survey_.holder) return waits_for_holder(around);
    if (survey_.hears_one) return around.peers.name(*survey_.hears_one) + " hears one that has it";
    return survey_.first ? around.peers.name(*survey_.first) + " comes first" : std::string();
}

void VipTakeover::name_next(const TakeoverAround& around, VipView& view) const {
    TakeoverRank best;
    const auto consider = [&](const VipClaim& claim, const std::string& name) {
        if (!can_take(claim.role)) return;
        const TakeoverRank rank = rank_of(claim, name);
        if (view.next.empty() || rank > best) {
            best = rank;
            view.next = name;
            view.next_ready = rank.ready;
        }
    };
    if (state_ != State::having) consider(claim(), around.options.self);
    for (std::size_t i = 0; i < around.peers.size(); ++i) {
        const VipClaim* said = around.peers.claim(i, id(), hint_);
        if (said != nullptr) consider(*said, around.peers.name(i));
    }
}

void VipTakeover::name_nodes(const TakeoverAround& around, VipView& view) const {
    const auto add = [&](const VipClaim& claim, const std::string& name) {
        view.nodes.push_back(
            {.name = name, .role = claim.role, .priority = claim.priority, .epoch = claim.epoch});
        if (has_it(claim.role)) view.holders.push_back(name);
    };
    const VipClaim own = claim();
    add(own, around.options.self);
    for (std::size_t i = 0; i < around.peers.size(); ++i) {
        const VipClaim* said = around.peers.claim(i, id(), hint_);
        if (said != nullptr) add(*said, around.peers.name(i));
    }
    const bool here = has_it(own.role);
    const bool there = survey_.holder.has_value();
    if (!here && !there) return;
    const std::string& other = there ? around.peers.name(*survey_.holder) : around.options.self;
    const bool mine = here && (!there || beats(own, around.options.self, survey_.held, other));
    view.holder = mine ? around.options.self : other;
    view.holder_epoch = mine ? own.epoch : survey_.held.epoch;
}

VipView VipTakeover::view(const TakeoverAround& around) const {
    VipView view;
    const VipClaim own = claim();
    view.vip = id();
    view.role = own.role;
    view.epoch = own.epoch;
    view.priority = own.priority;
    view.since = role_since_;
    name_nodes(around, view);
    name_next(around, view);
    const bool mine = view.holder == around.options.self;
    view.moved = mine ? own.moved : survey_.holder && survey_.held.moved;
    view.waits = waits_because(around);
    view.unfit = unfit_because(around);
    if (holding_) view.problem = holding_->problem;
    return view;
}

}  // namespace bascule::sync
