// SPDX-License-Identifier: Apache-2.0
#include "sim/vip_hands.h"

#include <array>
#include <utility>

namespace bascule::sim {
namespace {

using What = sync::VipDuty::What;

constexpr Time lease = 3s;
constexpr Time renew_every = 1s;
constexpr std::array<Time, 6> row = {10ms, 40ms, 150ms, 800ms, 1s, 3s};  // one after the other
constexpr Time look_again = 10ms;                                        // while they hang
constexpr Time row_goes_on = 1s;  // more often than it does: a history is short

}  // namespace

VipHands::VipHands(Around around) : around_(std::move(around)) {
    around_.later(renew_every, [this] { renew(); });
}

void VipHands::set_duties(std::vector<sync::VipDuty> duties) {
    duties_ = std::move(duties);
    const Time most = around_.random.chance(0.1) ? most_hand_delay : most_hand_delay / 10;
    want_work(Time(around_.random.between(0, most.count())));
}

// The earliest time counts: an order does not wait for what is mended at leisure.
void VipHands::want_work(Time span) {
    const sync::Moment at = around_.now() + span;
    if (due_ && *due_ <= at) return;
    due_ = at;
    around_.later(span, [this, at] {
        if (due_ == at) work();
    });
}

void VipHands::work() {
    due_.reset();
    hung_ = around_.trouble.hang;
    if (hung_) return want_work(look_again);
    std::vector<sync::VipHolding> holdings;
    for (const sync::VipDuty& duty : duties_)
        carry_out(duty, holdings);
    around_.answer(std::move(holdings));
}

void VipHands::carry_out(const sync::VipDuty& duty, std::vector<sync::VipHolding>& holdings) {
    const std::size_t vip = vip_of(duty.vip);
    Row& known = rows_[vip];
    if (duty.what != What::held) ++known.number;  // it ends
    sync::VipHolding holding{.vip = duty.vip, .epoch = duty.epoch, .here = false, .problem = {}};
    if (duty.what == What::held && around_.trouble.refuse) {
        holding.problem = "the host refuses it";
        around_.host.remove(vip);
    } else if (duty.what == What::held) {
        const bool had = around_.host.has(vip, around_.now());
        const Time stays = duty.parting ? Time(sync::parting_deadline) : lease;
        if (around_.plan.breakage != Breakage::idle_hands)
            around_.host.add(vip, around_.now() + stays);
        holding.here = true;
        if (around_.plan.breakage != Breakage::unconfirmed) holding.confirmed = around_.now();
        const bool again = known.announcements != duty.announcements &&
                           around_.plan.breakage != Breakage::announced_once;
        if (known.epoch != duty.epoch || again || !had) {
            known = {duty.epoch, duty.announcements, known.number + 1};
            announce(vip, known.number, 0);
        }
    } else if (duty.what == What::absent) {
        around_.host.remove(vip);
    } else {
        holding.here = around_.host.has(vip, around_.now());
    }
    holdings.push_back(std::move(holding));
}

void VipHands::renew() {
    if (!around_.trouble.hang) {
        for (const sync::VipDuty& duty : duties_)
            if (duty.what == What::held && !around_.trouble.refuse &&
                around_.host.has(vip_of(duty.vip), around_.now()))
                around_.host.add(
                    vip_of(duty.vip),
                    around_.now() + (duty.parting ? Time(sync::parting_deadline) : lease));
        want_work(0ms);  // what has run out, or a stranger has taken
    }
    around_.later(renew_every, [this] { renew(); });
}

void VipHands::announce(std::size_t vip, std::uint64_t number, std::size_t step) {
    if (rows_[vip].number != number) return;
    // One thread does it all: hanging it announces nothing, and then what is overdue comes first.
    if (around_.trouble.hang || hung_)
        return around_.later(look_again,
                             [this, vip, number, step] { announce(vip, number, step); });
    if (around_.host.has(vip, around_.now())) around_.announced(vip);
    const Time next = step < row.size() ? row[step] : row_goes_on;
    around_.later(next, [this, vip, number, step] { announce(vip, number, step + 1); });
}

}  // namespace bascule::sim
