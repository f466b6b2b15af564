// SPDX-License-Identifier: Apache-2.0
#include "sync/takeover_survey.h"

#include <algorithm>

#include "sync/takeover_rank.h"

namespace bascule::sync {
namespace {

// For so long that it cannot know what this node has.
bool is_deaf(const TakeoverAround& around, const TakeoverPeer& peer) {
    return !peer.hears_us && around.now - peer.deaf_since >= around.deadline();
}

// A peer that is not understood. Who has it and hears this node keeps away from it, or lets go;
// who does not hear it knows nothing of it, and has it.
void note_foreign(const TakeoverAround& around, const VipClaim& own, std::size_t index,
                  TakeoverSurvey& found) {
    if (found.above || !around.peers.foreign_has(index, own.vip)) return;
    if (!is_deaf(around, around.peers[index])) return;
    found.above = index;
    found.above_is_deaf = true;
}

// A peer that has the VIP.
void note_holder(const TakeoverAround& around, const VipClaim& own, std::size_t index,
                 const VipClaim& claim, TakeoverSurvey& found) {
    const TakeoverPeer& peer = around.peers[index];
    found.could_take = true;
    if (claim.epoch > found.told_epoch || found.told == 0) {
        found.told_epoch = claim.epoch;
        found.told = peer.place;
    } else if (claim.epoch == found.told_epoch) {
        found.told = std::min(found.told, peer.place);
    }
    if (!found.holder || beats(claim, peer.name, found.held, around.peers.name(*found.holder))) {
        found.holder = index;
        found.held = claim;
    }
    const bool higher = beats(claim, peer.name, own, around.options.self);
    const bool deaf = is_deaf(around, peer);
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

// Two that have it and do not hear each other: who hears both names the first of them.
bool is_beaten(const TakeoverAround& around, const VipClaim& own, const VipClaim& told) {
    if (told.epoch != own.epoch) return told.epoch > own.epoch;
    return told.holder != 0 && told.holder < around.peers.own_place();
}

// A peer that hears one that this node may not hear.
void note_hearsay(const TakeoverAround& around, const VipClaim& own, std::size_t index,
                  const VipClaim& claim, TakeoverSurvey& found) {
    if (!claim.heard || around.now - around.peers[index].heard > around.deadline()) return;
    found.hears_one = index;
    if (is_beaten(around, own, claim)) found.hears_higher = index;
}

}  // namespace

TakeoverSurvey survey(const TakeoverAround& around, const VipClaim& own, std::size_t hint) {
    TakeoverSurvey found;
    found.could_take = around.peers.foreign() != nullptr;
    for (std::size_t i = 0; i < around.peers.size(); ++i) {
        note_foreign(around, own, i, found);
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
