// SPDX-License-Identifier: Apache-2.0
// What one look finds: the state of this node and its peers, and what they say of one VIP. Pure;
// thread: the heartbeat thread's.
#pragma once

#include <cstddef>
#include <optional>

#include "sync/moment.h"
#include "sync/takeover.h"
#include "sync/takeover_peers.h"

namespace bascule::sync {

// What is the same for all VIPs of a look.
struct TakeoverAround {
    const TakeoverOptions& options;
    const TakeoverPeers& peers;
    const OwnFitness* fitness = nullptr;  // nullptr: not said yet
    bool listening = false;
    bool cut_off = false;                   // no witness answers here, though it should (rule 3)
    bool doubtful = false;                  // in step counts for nothing now
    const TakeoverPeer* unheard = nullptr;  // since this node slept; nullptr: nobody is missed
    const TakeoverPeer* foreign = nullptr;  // its claims mean nothing here; nullptr: there is none
    Nanoseconds slept{0};                   // before this look, if beyond the deadline
    Moment now{};

    Nanoseconds deadline() const { return options.interval * options.dead_after; }
    // How long a node waits for one that comes before it.
    Nanoseconds patience() const { return longest_taking + deadline() + options.interval; }
};

// What the peers say of one VIP. Indexes are of peers.
struct TakeoverSurvey {
    std::optional<std::size_t> holder;  // the highest claim of those that have it
    VipClaim held{};                    // its claim
    // What is told of it to those who may not hear it: of the highest epoch the first by name.
    Epoch told_epoch = 0;
    NodePlace told = 0;
    // Has it with a higher claim than this node's, or for want of hearing it.
    std::optional<std::size_t> above;
    Epoch above_epoch = 0;
    bool above_is_deaf = false;
    // Has it, and does not hear this node: whatever this node takes, it would let go again.
    std::optional<std::size_t> deaf;
    // Has it not, and hears one that has; one that has it with a higher claim than this node's.
    std::optional<std::size_t> hears_one;
    std::optional<std::size_t> hears_higher;
    bool could_take = false;             // one that lives would take it without this node
    bool taker = false;                  // one could take it from this node
    bool ready_taker = false;            // without a client's noticing
    std::optional<std::size_t> first;    // could, and comes before this node
    std::optional<std::size_t> readier;  // of those, one that is ready
};

// `own`: this node's part in it; its epoch that of its last taking. `hint`: the VIP's place among
// the configured ones.
TakeoverSurvey survey(const TakeoverAround& around, const VipClaim& own, std::size_t hint);

}  // namespace bascule::sync
