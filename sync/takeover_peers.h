// SPDX-License-Identifier: Apache-2.0
// The other nodes as takeover sees them at one look: who lives, who hears this node, what each
// claims. Pure; thread: the heartbeat thread's.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sync/moment.h"
#include "sync/takeover.h"

namespace bascule::sync {

struct TakeoverPeer {
    std::string name;
    NodePlace place = 0;
    bool live = false;        // alive or suspect
    bool compatible = false;  // lives, and what it says means what this release takes it for
    bool hears_us = false;
    bool witness = false;
    bool revived = false;    // lives since this very look
    bool restarted = false;  // or is another run since
    Incarnation incarnation = 0;
    bool ever_heard = false;  // has said what it claims
    Moment heard{};
    Moment live_since{};
    Moment deaf_since{};             // it lives, and does not hear this node
    std::vector<VipClaim> claims;    // of a compatible one
    std::vector<VipId> foreign_has;  // of one that is not
};

class TakeoverPeers {
public:
    TakeoverPeers(const std::string& self, const std::vector<std::string>& names);

    // Throws std::invalid_argument when these are not one for each name.
    void update(std::span<const PeerStanding> standings, Moment now);

    std::size_t size() const { return peers_.size(); }
    const TakeoverPeer& operator[](std::size_t peer) const { return peers_[peer]; }
    const std::string& name(std::size_t peer) const { return peers_[peer].name; }

    // What a live peer says of the VIP; nullptr: nothing that counts. `hint`: where it is if the
    // peer has the same VIPs in the same order.
    const VipClaim* claim(std::size_t peer, VipId vip, std::size_t hint) const;

    // A live one that is not understood has it: nothing else counts of what it claims.
    bool foreign_has(std::size_t peer, VipId vip) const;

    bool somebody_lives() const;
    bool somebody_revived() const;
    bool somebody_sees_witness() const;
    bool all_ever_heard() const;
    NodePlace own_place() const { return own_place_; }
    // One that lives, and of which it cannot be known what it has and takes; nullptr: none.
    const TakeoverPeer* foreign() const;
    // A live one that has not been heard since; nullptr: all have.
    const TakeoverPeer* unheard_since(Moment moment) const;

private:
    std::vector<TakeoverPeer> peers_;
    NodePlace own_place_ = 0;
};

}  // namespace bascule::sync
