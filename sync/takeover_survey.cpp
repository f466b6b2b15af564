// SPDX-License-Identifier: Apache-2.0
#include "sync/takeover_survey.h"

#include "sync/takeover_rank.h"

namespace bascule::sync {
namespace {

// A peer that has the VIP.
void note_holder(const TakeoverAround& around, const VipClaim& own, std::size_t index,
                 const VipClaim& claim, TakeoverSurvey& found) {
    const TakeoverPeer& peer = around.peers[index];
    found.could_take = true;
    if (!found.holder || beats(claim, peer.name, found.held, around.peers.name(*found.holder))) {
        found.holder = index;
        found.held = claim;
    }
    const bool higher = beats(claim, peer.name, own, around.options.self);
    const bool deaf = !peer.hears_us && around.now - peer.deaf_since >= around.deadline();
    if (deaf) found.deaf = index;
    if (found.above || !(higher || deaf)) return;
    found.above = index;
    found.above_epoch = claim.epoch;
    found.above_is_deaf = !higher;
}

// A peer that could take it.
void note_candidate(const TakeoverAround& around, const VipClaim& own, std::size_t index,
                    const VipClaim& claim, TakeoverSurvey& found) {
    const TakeoverPeer& peer = around.peers[index];
    const bool ready = claim.role == VipRole::ready;
    const bool greater = rank_of(claim, peer.name) > rank_of(own, around.options.self);
    found.could_take = true;
    if (peer.hears_us) {
        found.taker = true;
        found.ready_taker = found.ready_taker || ready;
    }
    if (greater || !peer.hears_us) found.first = index;
    if (greater && ready && peer.hears_us) found.readier = index;
}

// A peer that hears one that this node may not hear.
void note_hearsay(const TakeoverAround& around, const VipClaim& own, std::size_t index,
                  const VipClaim& claim, TakeoverSurvey& found) {
    if (!claim.heard || around.now - around.peers[index].heard > around.deadline()) return;
    found.hears_one = index;
    if (claim.epoch > own.epoch) found.hears_higher = index;
}

}  // namespace

TakeoverSurvey survey(const TakeoverAround& around, const VipClaim& own, std::size_t hint) {
    TakeoverSurvey found;
    for (std::size_t i = 0; i < around.peers.size(); ++i) {
        const VipClaim* claim = around.peers.claim(i, own.vip, hint);
        if (claim == nullptr) continue;
        if (has_it(claim->role))
            note_holder(around, own, i, *claim, found);
        else if (can_take(claim->role))
            note_candidate(around, own, i, *claim, found);
        if (!has_it(claim->role)) note_hearsay(around, own, i, *claim, found);
    }
    return found;
}

}  // namespace bascule::sync
