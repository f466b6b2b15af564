// SPDX-License-Identifier: Apache-2.0
// Joins what is the same for all VIPs (who lives, whether this node slept, is cut off, listens) to
// the decisions about each (takeover_vip.h).
#include "sync/takeover.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "sync/takeover_peers.h"
#include "sync/takeover_vip.h"

namespace bascule::sync {

struct Takeover::Impl {
    Impl(TakeoverOptions asked, const std::vector<std::string>& names, Moment now)
        : options(std::move(asked)),
          peers(options.self, names),
          started(now),
          last_look(now),
          listens_since(now) {
        check(options);
        set_vips();
    }

    static void check(const TakeoverOptions& options);
    void set_vips();
    TakeoverAround around() const;
    void note_sleep(Nanoseconds said, Moment now);
    void note_company(Moment now);
    void note_listening(Moment now);
    Moment listens_until() const;
    void look(std::span<const PeerStanding> standings, Nanoseconds said, Moment now,
              TakeoverOutput& out);
    bool say_at_once(const std::vector<VipClaim>& made) const;

    TakeoverOptions options;
    TakeoverPeers peers;
    std::optional<OwnFitness> fitness;
    std::vector<VipTakeover> vips;
    std::vector<VipMove> dropped;  // of set_options(), told by the next look

    Moment started;
    Moment last_look;
    Moment listens_since;       // to links that are up
    bool heard_lately = false;  // they were, at the last look
    bool listening = true;
    bool company = false;  // somebody lives
    Nanoseconds slept{0};  // before the last look, if beyond the deadline
    std::optional<Moment> woke;
    std::optional<Moment> doubtful_until;

    std::vector<VipDuty> duties;
    std::vector<VipClaim> claims;
};

void Takeover::Impl::check(const TakeoverOptions& options) {
    if (options.dead_after < 2 || options.interval <= Nanoseconds(0) ||
        options.vips.size() > most_vips)
        throw std::invalid_argument("takeover: options that make no sense");
}

void Takeover::Impl::set_vips() {
    std::vector<VipTakeover> next;
    for (std::size_t i = 0; i < options.vips.size(); ++i) {
        const TakeoverVip& vip = options.vips[i];
        const auto known = std::find_if(vips.begin(), vips.end(),
                                        [&](const auto& old) { return old.id() == vip.vip; });
        if (known == vips.end()) {
            next.emplace_back(vip, i, last_look);
            continue;
        }
        known->set(vip, i);
        next.push_back(std::move(*known));
        vips.erase(known);
    }
    for (VipTakeover& gone : vips)
        gone.drop(dropped);
    vips = std::move(next);
}

TakeoverAround Takeover::Impl::around() const {
    const bool cut_off =
        fitness && !fitness->witness && (!peers.somebody_lives() || peers.somebody_sees_witness());
    return {.options = options,
            .peers = peers,
            .fitness = fitness ? &*fitness : nullptr,
            .listening = listening,
            .cut_off = cut_off,
            .doubtful = doubtful_until.has_value(),
            .unheard = woke ? peers.unheard_since(*woke) : nullptr,
            .foreign = peers.foreign(),
            .slept = slept,
            .now = last_look};
}

void Takeover::Impl::note_sleep(Nanoseconds said, Moment now) {
    const Nanoseconds deadline = options.interval * options.dead_after;
    // From what was heard last on, or as whoever calls has found out.
    const Nanoseconds longest = std::max<Nanoseconds>(now - last_look, said + options.interval);
    slept = longest > deadline ? longest : Nanoseconds(0);
    last_look = now;
    if (slept == Nanoseconds(0)) return;
    woke = now;
    doubtful_until = now + settle_time;
}

void Takeover::Impl::note_company(Moment now) {
    // Who was alone has been in step with itself.
    if (peers.somebody_lives() && !company) doubtful_until = now + settle_time;
    company = peers.somebody_lives();
    if (doubtful_until && now >= *doubtful_until) doubtful_until.reset();
    // One that answers in other ways only is not waited for without end.
    if (woke && (peers.unheard_since(*woke) == nullptr || now - *woke >= around().patience()))
        woke.reset();
    note_listening(now);
}

void Takeover::Impl::note_listening(Moment now) {
    if (!listening) return;
    // Looks are some time apart: it could hear at the one that finds it so, and not before, nor
    // while it slept.
    if (!fitness || !fitness->hears || !heard_lately || slept > Nanoseconds(0)) listens_since = now;
    heard_lately = fitness && fitness->hears;
    if (fitness && (now >= listens_until() || peers.all_ever_heard())) listening = false;
}

Moment Takeover::Impl::listens_until() const {
    return std::min(listens_since, started + longest_deafness) + options.listen;
}

void Takeover::Impl::look(std::span<const PeerStanding> standings, Nanoseconds said, Moment now,
                          TakeoverOutput& out) {
    peers.update(standings, now);
    note_sleep(said, now);
    note_company(now);
    const TakeoverAround seen = around();
    for (VipTakeover& vip : vips)
        vip.look(seen, out.moves);
}

// What peers decide by; the highest epoch that a node knows of can wait for the next heartbeat.
bool Takeover::Impl::say_at_once(const std::vector<VipClaim>& made) const {
    return !std::equal(made.begin(), made.end(), claims.begin(), claims.end(),
                       [](const VipClaim& one, const VipClaim& other) {
                           return one.vip == other.vip && one.role == other.role &&
                                  one.priority == other.priority && one.moved == other.moved &&
                                  one.heard == other.heard &&
                                  (!has_it(one.role) || one.epoch == other.epoch);
                       });
}

Takeover::Takeover(TakeoverOptions options, std::vector<std::string> peers, Moment now)
    : impl_(std::make_unique<Impl>(std::move(options), peers, now)) {}

Takeover::~Takeover() = default;

TakeoverOutput Takeover::look(std::span<const PeerStanding> peers, Nanoseconds slept, Moment now) {
    TakeoverOutput out;
    out.moves = std::exchange(impl_->dropped, {});
    impl_->look(peers, slept, now, out);
    std::vector<VipDuty> duties;
    std::vector<VipClaim> claims;
    for (const VipTakeover& vip : impl_->vips) {
        if (const auto duty = vip.duty()) duties.push_back(*duty);
        if (impl_->fitness) claims.push_back(vip.claim());
    }
    out.duties_changed = duties != impl_->duties;
    out.claims_changed = impl_->say_at_once(claims);
    impl_->duties = std::move(duties);
    impl_->claims = std::move(claims);
    return out;
}

Moment Takeover::next() const {
    const TakeoverAround around = impl_->around();
    Moment next = Moment::max();
    if (impl_->listening && impl_->fitness) next = impl_->listens_until();
    if (impl_->doubtful_until) next = std::min(next, *impl_->doubtful_until);
    if (impl_->woke) next = std::min(next, *impl_->woke + around.patience());
    for (const VipTakeover& vip : impl_->vips)
        next = std::min(next, vip.next(around));
    return next;
}

void Takeover::set_fitness(const OwnFitness& fitness) {
    impl_->fitness = fitness;
}

void Takeover::set_holdings(const std::vector<VipHolding>& holdings) {
    for (VipTakeover& vip : impl_->vips) {
        const auto found = std::find_if(holdings.begin(), holdings.end(), [&](const auto& holding) {
            return holding.vip == vip.id();
        });
        vip.set_holding(found == holdings.end() ? nullptr : &*found);
    }
}

void Takeover::set_options(const TakeoverOptions& options) {
    Impl::check(options);
    impl_->options = options;
    impl_->set_vips();
}

void Takeover::move(VipId id) {
    for (VipTakeover& vip : impl_->vips)
        if (vip.id() == id) vip.move();
}

std::vector<VipDuty> Takeover::duties() const {
    return impl_->duties;
}

std::vector<VipDeadline> Takeover::deadlines(Moment now) const {
    std::vector<VipDeadline> deadlines;
    for (const VipTakeover& vip : impl_->vips)
        if (const auto deadline = vip.deadline(impl_->options, now)) deadlines.push_back(*deadline);
    return deadlines;
}

std::vector<VipClaim> Takeover::claims() const {
    return impl_->claims;
}

std::vector<VipView> Takeover::view() const {
    const TakeoverAround around = impl_->around();
    std::vector<VipView> views;
    for (const VipTakeover& vip : impl_->vips)
        views.push_back(vip.view(around));
    return views;
}

Epoch Takeover::highest() const {
    Epoch highest = impl_->options.epoch_floor;
    for (const VipTakeover& vip : impl_->vips)
        highest = std::max(highest, vip.highest());
    return highest;
}

}  // namespace bascule::sync
