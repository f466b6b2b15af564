// SPDX-License-Identifier: Apache-2.0
// What this node decides about one VIP. The rules are told in takeover.h. Pure; thread: the
// heartbeat thread's.
//
// Invariant: it claims to have the VIP only between the answer that the address is here and the
// decision to let go; `epoch_` is of its last taking, and no claim of its own is older.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sync/moment.h"
#include "sync/takeover.h"
#include "sync/takeover_survey.h"

namespace bascule::sync {

class VipTakeover {
public:
    // `hint`: its place among the configured VIPs.
    VipTakeover(TakeoverVip vip, std::size_t hint, Moment now)
        : vip_(vip), hint_(hint), role_since_(now) {}

    VipId id() const { return vip_.vip; }
    // Of another configuration.
    void set(TakeoverVip vip, std::size_t hint);
    void set_holding(const VipHolding* holding);
    void move() { asked_ = true; }

    void look(const TakeoverAround& around, std::vector<VipMove>& moves);
    // It is not configured any more.
    void drop(std::vector<VipMove>& moves);

    // Nullopt: nothing has been decided yet.
    std::optional<VipDuty> duty() const;
    std::optional<VipDeadline> deadline(const TakeoverOptions& options, Moment now) const;
    VipClaim claim() const;
    VipView view(const TakeoverAround& around) const;
    Epoch highest() const { return known_; }
    // When look() has something to do though nothing is heard.
    Moment next(const TakeoverAround& around) const;

private:
    enum class State : std::uint8_t { undecided, absent, taking, having, lingering };
    enum class Offer : std::uint8_t { none, cut_off, leaving, detached, unrouted, word };

    TakeoverSurvey survey(const TakeoverAround& around) const;
    void learn_epochs(const TakeoverAround& around);
    void note_demotions(const TakeoverAround& around);
    void note_word(const TakeoverAround& around);
    void note_readiness(const TakeoverAround& around);
    void note_role(const TakeoverAround& around);

    void look_at_taking(const TakeoverAround& around, std::vector<VipMove>& moves);
    void consider_keeping(const TakeoverAround& around, bool could_take,
                          std::vector<VipMove>& moves);
    void look_after_address(const TakeoverAround& around, std::vector<VipMove>& moves);
    bool has_lapsed(Moment now) const;
    Offer wanted_offer(const TakeoverAround& around) const;
    void offer(const TakeoverAround& around, Offer why, std::vector<VipMove>& moves);
    void consider_taking(const TakeoverAround& around);
    void consider_taking_from(const TakeoverAround& around);
    std::string nobody_has_it(const TakeoverAround& around) const;
    // False: it waits for who comes first.
    bool is_my_turn(const TakeoverAround& around);
    void take(const TakeoverAround& around, bool moved, std::string why);
    void let_go(const TakeoverAround& around, bool linger, std::string why,
                std::vector<VipMove>& moves);
    void fail(const TakeoverAround& around, std::string why, std::vector<VipMove>& moves);

    VipRole own_role(const TakeoverAround& around) const;
    // Why this node cannot have it; empty: it can.
    std::string unfit_because(const TakeoverAround& around) const;
    bool unfit(const TakeoverAround& around) const;
    std::string offered_because(const TakeoverAround& around, Offer why) const;
    const OwnFitness::Vip* fitness(const TakeoverAround& around) const;
    Epoch next_epoch() const { return std::min(known_ + 1, most_epoch); }
    // Since when this node and the holder have been ready for a take-back.
    Moment settled_since(const TakeoverAround& around) const;
    Nanoseconds take_back_delay(const TakeoverAround& around) const;
    bool would_beat(const TakeoverAround& around) const;
    bool is_mine() const { return state_ == State::taking || state_ == State::having; }

    // For view(), in takeover_view.cpp.
    std::string waits_because(const TakeoverAround& around) const;
    std::string waits_for_holder(const TakeoverAround& around) const;
    void name_next(const TakeoverAround& around, VipView& view) const;
    void name_nodes(const TakeoverAround& around, VipView& view) const;

    TakeoverVip vip_;
    std::size_t hint_;

    State state_ = State::undecided;
    Epoch epoch_ = 0;  // of the last taking
    Epoch known_ = 0;  // the highest heard or made
    bool moved_ = false;
    std::string why_;  // it was taken
    Moment until_{};   // of taking or lingering
    std::uint64_t announcements_ = 0;
    bool leaving_ = false;  // and has it
    bool parting_ = false;  // with nobody who could take it
    Moment parting_until_{};
    std::optional<VipHolding> holding_;
    std::optional<Moment> not_here_since_;  // though it is held

    Offer offer_ = Offer::none;
    bool offered_ = false;  // to somebody
    Moment offered_since_{};

    bool asked_ = false;                   // the operator's word, not looked at yet
    std::optional<Moment> give_until_;     // by it
    std::optional<Moment> take_until_;     // by it
    std::optional<Moment> ready_since_;    // to take it
    std::optional<Moment> waiting_since_;  // for one that comes first
    std::optional<Moment> failed_until_;
    std::optional<Moment> broke_off_;  // a taking
    bool told_of_failure_ = false;     // of a taking that goes on
    std::string failure_;

    VipRole role_ = VipRole::unfit;
    Moment role_since_;
    TakeoverSurvey survey_;
    std::string last_holder_;
    std::vector<bool> peer_had_it_;
    std::vector<bool> peer_heard_none_;
    std::vector<bool> peer_could_take_;
};

}  // namespace bascule::sync
