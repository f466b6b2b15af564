// SPDX-License-Identifier: Apache-2.0
#include "sync/heartbeat_vips.h"

#include <algorithm>
#include <utility>

namespace bascule::sync {
namespace {

bool lives(const Membership& membership, std::size_t peer) {
    const Liveness liveness = membership.liveness(peer);
    return liveness == Liveness::alive || liveness == Liveness::suspect;
}

}  // namespace

HeartbeatVips::HeartbeatVips(const TakeoverOptions& options, std::vector<std::string> peers,
                             const HeartbeatPort::Callbacks& callbacks, Moment now)
    : peer_count_(peers.size()),
      takeover_(options, std::move(peers), now),
      on_duties_(callbacks.on_duties),
      set_deadlines_(callbacks.set_deadlines),
      interval_(options.interval),
      dead_after_(options.dead_after),
      promised_(now),
      away_since_(now) {}

bool HeartbeatVips::read(HeartbeatInbox& inbox) {
    bool any = false;
    // First: what else has come may be about its VIPs.
    if (const auto options = inbox.takeover.take()) {
        takeover_.set_options(*options);
        any = true;
    }
    if (const auto fitness = inbox.fitness.take()) {
        takeover_.set_fitness(*fitness);
        any = true;
    }
    if (const auto holdings = inbox.holdings.take()) {
        takeover_.set_holdings(*holdings);
        any = true;
    }
    for (const VipId vip : inbox.moves.take()) {
        takeover_.move(vip);
        any = true;
    }
    return any;
}

void HeartbeatVips::sent_round(const Membership& membership, std::uint32_t reached, Moment made) {
    bool alone = true;
    bool heard = false;
    for (std::size_t peer = 0; peer < peer_count_; ++peer) {
        if (!lives(membership, peer)) continue;
        alone = false;
        heard = heard || (reached >> peer & 1) != 0;
    }
    // One of several is enough: who is cut off from the others cannot be told from here, and where
    // a path loses what has left this host, nobody here knows it either.
    if (!alone && !heard) return;
    if (!alone) silent_ = std::max(silent_, made - away_since_ - interval_);
    promised_ = away_since_ = made;
    renew_ = true;
}

bool HeartbeatVips::look(Membership& membership, Nanoseconds slept, Moment now) {
    if (slept > Nanoseconds(0)) away_since_ = now;
    if (silent_ >= interval_) slept = std::max(slept, silent_);
    silent_ = Nanoseconds(0);
    standings_.clear();
    for (std::size_t peer = 0; peer < peer_count_; ++peer)
        standings_.push_back({.liveness = membership.liveness(peer),
                              .incarnation = membership.incarnation(peer),
                              .incompatible = membership.incompatible(peer),
                              .hears_us = membership.hears_us(peer),
                              .witness = membership.sees_witness(peer),
                              .heard = membership.claims_heard(peer),
                              .claims = membership.claims(peer)});
    TakeoverOutput out = takeover_.look(standings_, slept, now);
    set_deadlines();
    if (out.duties_changed && on_duties_) on_duties_(takeover_.duties());
    membership.set_claims(takeover_.claims());
    for (VipMove& move : out.moves)
        add_move(moves_, std::move(move), moves_lost_);
    return out.claims_changed;
}

void HeartbeatVips::set_deadlines() {
    std::vector<VipDeadline> deadlines = takeover_.deadlines(promised_);
    std::vector<VipDeadline> changed;
    for (const VipDeadline& deadline : deadlines) {
        // One that yields is said once: it may have ended by an announcement that nothing but the
        // data plane has heard.
        const bool again = renew_ && !deadline.yields;
        if (again || std::ranges::find(given_, deadline) == given_.end())
            changed.push_back(deadline);
    }
    renew_ = false;
    given_ = std::move(deadlines);
    if (!changed.empty() && set_deadlines_) set_deadlines_(changed);
}

void HeartbeatVips::add_to(HeartbeatReport& report) {
    for (VipMove& move : moves_)
        add_move(report.moves, std::move(move), moves_lost_);
    moves_.clear();
    report.moves_lost = moves_lost_;
    report.vips = takeover_.view();
    report.highest_epoch = takeover_.highest();
}

}  // namespace bascule::sync
