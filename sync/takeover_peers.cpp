// SPDX-License-Identifier: Apache-2.0
#include "sync/takeover_peers.h"

#include <algorithm>
#include <stdexcept>

namespace bascule::sync {
namespace {

void learn(TakeoverPeer& peer, const PeerStanding& standing, Moment now) {
    const bool lived = peer.live;
    peer.live = standing.liveness == Liveness::alive || standing.liveness == Liveness::suspect;
    peer.revived = peer.live && !lived;
    peer.restarted = peer.live && lived && standing.incarnation != peer.incarnation;
    peer.incarnation = standing.incarnation;
    if (peer.revived) {
        peer.live_since = now;
        peer.deaf_since = now;
    }
    peer.compatible = peer.live && !standing.incompatible;
    peer.hears_us = peer.live && standing.hears_us;
    if (peer.hears_us) peer.deaf_since = now;
    peer.witness = peer.compatible && standing.witness;
    peer.heard = standing.heard;
    if (peer.compatible)
        peer.claims.assign(standing.claims.begin(), standing.claims.end());
    else
        peer.claims.clear();
    peer.foreign_has.clear();
    if (peer.live && !peer.compatible)
        for (const VipClaim& claim : standing.claims)
            if (has_it(claim.role)) peer.foreign_has.push_back(claim.vip);
    // Who has just begun has nothing to say yet.
    if (peer.live && (standing.incompatible || !peer.claims.empty())) peer.ever_heard = true;
}

}  // namespace

TakeoverPeers::TakeoverPeers(const std::string& self, const std::vector<std::string>& names) {
    const auto place_of = [&](const std::string& name) {
        const auto before = std::ranges::count_if(names, [&](const auto& n) { return n < name; });
        return static_cast<NodePlace>(1 + before + (self < name ? 1 : 0));
    };
    own_place_ = place_of(self);
    for (const std::string& name : names) {
        peers_.emplace_back();
        peers_.back().name = name;
        peers_.back().place = place_of(name);
    }
}

void TakeoverPeers::update(std::span<const PeerStanding> standings, Moment now) {
    if (standings.size() != peers_.size())
        throw std::invalid_argument("takeover: not one standing for each peer");
    for (std::size_t peer = 0; peer < peers_.size(); ++peer)
        learn(peers_[peer], standings[peer], now);
}

const VipClaim* TakeoverPeers::claim(std::size_t peer, VipId vip, std::size_t hint) const {
    const std::vector<VipClaim>& claims = peers_[peer].claims;
    const auto is_it = [vip](const VipClaim& claim) { return claim.vip == vip; };
    auto found = claims.end();
    if (hint < claims.size() && is_it(claims[hint]))
        found = claims.begin() + static_cast<std::ptrdiff_t>(hint);
    else
        found = std::find_if(claims.begin(), claims.end(), is_it);
    return found == claims.end() || found->epoch > most_epoch ? nullptr : &*found;
}

bool TakeoverPeers::foreign_has(std::size_t peer, VipId vip) const {
    return std::ranges::find(peers_[peer].foreign_has, vip) != peers_[peer].foreign_has.end();
}

bool TakeoverPeers::somebody_lives() const {
    return std::any_of(peers_.begin(), peers_.end(), [](const auto& peer) { return peer.live; });
}

bool TakeoverPeers::somebody_revived() const {
    return std::any_of(peers_.begin(), peers_.end(), [](const auto& peer) { return peer.revived; });
}

bool TakeoverPeers::somebody_sees_witness() const {
    return std::any_of(peers_.begin(), peers_.end(), [](const auto& peer) { return peer.witness; });
}

bool TakeoverPeers::all_ever_heard() const {
    return std::all_of(peers_.begin(), peers_.end(),
                       [](const auto& peer) { return peer.ever_heard; });
}

const TakeoverPeer* TakeoverPeers::foreign() const {
    const auto found = std::ranges::find_if(
        peers_, [](const auto& peer) { return peer.live && !peer.compatible; });
    return found == peers_.end() ? nullptr : &*found;
}

const TakeoverPeer* TakeoverPeers::unheard_since(Moment moment) const {
    for (const TakeoverPeer& peer : peers_)
        if (peer.live && peer.heard <= moment) return &peer;
    return nullptr;
}

}  // namespace bascule::sync
