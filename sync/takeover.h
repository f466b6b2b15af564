// SPDX-License-Identifier: Apache-2.0
// Who holds a VIP. A pure state machine beside Membership: who lives and what they claim comes in;
// what this node should have, what it claims, and until when it may be found come out.
// Thread: the heartbeat thread's.
//
// Of the nodes that live and can, the one of the highest priority for the VIP; of equals the first
// by name. A claim carries an epoch, raised at each taking above all that was heard; of two holders
// the one of less epoch, then less priority, then the later name lets go. Who comes back waits
// until it is in step and `failback` allows.
//
// What comes out is a state, not a row of commands: whoever carries it out compares it with what is
// (VipDuty), so that nothing is lost when he is slow. He answers by VipHolding.
//
// Rules, in the order in which they count for a VIP that this node has:
//   1. a live peer has it with a higher claim, or has it and has not heard this node for dead_after
//      intervals (it cannot know better), or hears one that has it with a higher epoch, or with the
//      same one and an earlier name: let go, and linger (below)
//   2. no carrier, not wanted: let go at once
//   3. no witness answers, and either no peer lives or one that lives still sees one: offer it to a
//      peer that can for offer_time; as 2 when there is none, or it has not taken it by then
//   4. this node slept longer than its deadline while a peer could have taken: let go and linger,
//      and take again only after every peer that lives has been heard since
//   5. the address is not to be had on this host any more, or nobody renews it and its lease has
//      run out, and a peer could take: let go at once
//   6. leaving, no program attached, no backend to be reached, moved away by the operator: offer
//      it. A peer that can takes it (for the last two one that is ready); while none can it stays
// and for one that it has not:
//   7. not while unfit, listening after the start (and before a link is up), before every live peer
//      was heard since 4, while one has it that does not hear this node, while a peer lives whose
//      release this one does not understand, or within an interval after a taking was broken off
//   8. nobody has it, nor does a peer hear one that this node does not: who is best of those that
//      can, ready ones first, takes it. A peer that can and does not hear this node decides without
//      it: it comes first
//   9. one has it and offers it: who is best of the others that can takes it
//  10. one has it by less priority, not by the operator's word: who has been ready for
//      failback_delay takes it, unless failback is never
//  11. the operator says so: who is ready takes it
// 9 to 11 only from a holder that hears this node, or two would hold it. 10 and 11 only after both
// have lived, and this one was ready, for settle_time: right after they have found each other
// neither knows whether it is in step. Who is waited for (7 to 9) is waited for no longer than a
// taking may last: then the next one takes, and claims decide if both did.
// A taking that fails, or lasts too long, is given up only where a peer could take.
// In step counts for nothing (fit, not ready) for settle_time after a long sleep, and after
// a node that was alone hears a peer again.
//
// Two that do not hear each other may both take, at the same moment and with the same epoch. Who
// hears both names the one of them that keeps it. Where nobody hears both they both have it.
//
// A peer whose release this one does not understand (it lies more than one release ahead) may take
// any VIP, and knows what this one has. So this one takes nothing while that one lives, and keeps
// what it has; that one, which this one does not hear as far as VIPs go, takes nothing of it (7).
// Where it does not hear this one at all it takes what it can, and says that it has it, which means
// the same in every release: to that, and to nothing less, this one lets go by 1. Never two for
// long, then; and nobody only where the newer one cannot have it any more, which both say. Of equal
// priorities nobody takes from who has it (10): the name counts where nobody has it.
//
// Announcements begin anew for who has it when a peer comes to life or was started anew, does not
// have it any more, hears it for the first time, or could take it and cannot any more (each of
// these may have been about to take the VIP, and have told the network so): the last word on the
// wire is its own.
// Lingering: for a second the address stays, but is not found any more (its deadline has passed),
// so that what still arrives is treated as before. Not where no program is attached: there nothing
// keeps the host from answering for it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sync/membership.h"
#include "sync/moment.h"
#include "sync/vip_claim.h"

namespace bascule::sync {

inline constexpr Nanoseconds linger_time = std::chrono::seconds(1);
// Between the order to take a VIP and the word that it is taken; and how long a node that could not
// take it, while a peer could, says that it is unfit.
inline constexpr Nanoseconds longest_taking = std::chrono::seconds(1);
inline constexpr Nanoseconds failed_time = std::chrono::seconds(5);
// How long a VIP is found after its holder's last sign of life where no peer is heard that could
// take it: as long as its address stays by itself. (One that hears this node and is not heard by it
// takes it earlier: so long both are found.)
inline constexpr Nanoseconds lone_deadline = std::chrono::seconds(3);
// The same for who leaves while nobody can take it: a restart takes less. A peer that can within
// that time takes it all the same; its announcement ends the deadline (VipDeadline::yields).
inline constexpr Nanoseconds parting_deadline = std::chrono::seconds(15);
// How long the kernel keeps an address that nobody renews: node/vip.h.
inline constexpr Nanoseconds vip_lease = std::chrono::seconds(3);
// So much longer than `listen` a node listens whose links do not come up.
inline constexpr Nanoseconds longest_deafness = std::chrono::seconds(10);
// How long a VIP is offered by the operator's word or for want of a witness (who comes second may
// be waiting for the first one for longer, where dead_after intervals are a second or more); how
// long the operator's word to take one waits until that can be.
inline constexpr Nanoseconds offer_time = std::chrono::seconds(2);
// See rule 10.
inline constexpr Nanoseconds settle_time = std::chrono::seconds(1);

struct TakeoverVip {
    VipId vip = 0;
    std::uint32_t priority = 0;  // of this node

    bool operator==(const TakeoverVip&) const = default;
};

struct TakeoverOptions {
    std::string self;
    Nanoseconds interval{20'000'000};
    std::uint32_t dead_after = 5;
    bool failback = true;  // when-synced, or never
    Nanoseconds failback_delay{0};
    // Hears who is there first. Ends earlier when every peer of the configuration has told its
    // claims, and not before set_fitness(). Has to be long enough for a live peer to be heard and
    // to prove that it is of now: some intervals. Until then addresses of an earlier run are left
    // alone, unless a peer has the VIP.
    Nanoseconds listen{0};
    Epoch epoch_floor = 0;  // every own claim is above it
    std::vector<TakeoverVip> vips;
};

// What this node can, as the control thread knows.
struct OwnFitness {
    struct Vip {
        VipId vip = 0;
        bool wanted = true;    // not given up for its service's sake
        bool carrier = false;  // its interface is there and has carrier
        bool routed = true;  // a backend of its services can be reached from here; else never ready
        bool operator==(const Vip&) const = default;
    };
    bool attached = false;
    // An interface that heartbeats go by has carrier: before it has, nobody can be heard. Counts
    // only for a node that listens.
    bool hears = true;
    bool witness = true;  // one answers, or none is asked for
    bool synced = false;
    bool leaving = false;
    std::vector<Vip> vips;  // one that is missing is unfit

    bool operator==(const OwnFitness&) const = default;
};

// A peer as Takeover sees it.
struct PeerStanding {
    Liveness liveness = Liveness::unknown;
    Incarnation incarnation = 0;  // 0: none that counts
    bool incompatible = false;
    bool hears_us = true;  // it holds this node for alive
    bool witness = true;
    Moment heard{};  // when its newest claims came
    std::span<const VipClaim> claims;
};

// What is to be with a VIP here.
struct VipDuty {
    enum class What : std::uint8_t { absent, held, lingering };
    VipId vip = 0;
    What what = What::absent;
    Epoch epoch = 0;
    std::uint64_t announcements = 0;  // rises: tell the network again, from the start of the row
    bool parting = false;             // held, and this node goes: its lease is parting_deadline

    bool operator==(const VipDuty&) const = default;
};

// What is with it.
struct VipHolding {
    VipId vip = 0;
    Epoch epoch = 0;      // of the duty that this answers
    bool here = false;    // this host has the address
    std::string problem;  // it should be here and cannot be: why
    // Before the kernel was last asked to keep it, and did; vip_lease after that it takes the
    // address away, whoever hangs meanwhile. Moment{}: not told.
    Moment confirmed{};

    bool operator==(const VipHolding&) const = default;
};

// Until when XDP answers for it; Moment::min(): not at all.
struct VipDeadline {
    VipId vip = 0;
    Moment until = Moment::min();
    // Ends as soon as another host announces the VIP: this node leaves. `until` stays the same, and
    // is to be set once, or it would not end.
    bool yields = false;

    bool operator==(const VipDeadline&) const = default;
};

// For events.
struct VipMove {
    enum class What : std::uint8_t { taken, released, offered, failed };
    VipId vip = 0;
    What what = What::taken;
    Epoch epoch = 0;
    std::string why;  // "lb1 is dead", "lb2 holds it with epoch 8", "the operator's word"
};

struct VipView {
    // What a node says of it; this one first, then peers that live.
    struct Node {
        std::string name;
        VipRole role = VipRole::unfit;
        std::uint32_t priority = 0;
        Epoch epoch = 0;
    };
    VipId vip = 0;
    VipRole role = VipRole::unfit;  // of this node
    Epoch epoch = 0;
    std::uint32_t priority = 0;
    bool moved = false;
    Moment since{};
    std::string holder;  // this node or a live peer; empty: nobody that is heard
    Epoch holder_epoch = 0;
    std::vector<std::string> holders;  // more than one: two hold it
    std::string next;                  // who would take it if its holder died now; empty: nobody
    bool next_ready = false;           // without a client's noticing
    // Why this node does not take it, where nobody has it or one of less priority.
    std::string waits;
    std::string unfit;    // why this node could not have it; empty: it could
    std::string problem;  // of VipHolding
    std::vector<Node> nodes;
};

struct TakeoverOutput {
    bool duties_changed = false;
    bool claims_changed = false;  // say so at once, not only with the next heartbeat
    std::vector<VipMove> moves;
};

class Takeover {
public:
    // `peers`: names, in Membership's order.
    Takeover(TakeoverOptions options, std::vector<std::string> peers, Moment now);
    ~Takeover();
    Takeover(const Takeover&) = delete;
    Takeover& operator=(const Takeover&) = delete;

    // After every heartbeat that counted, and every tick. `slept`: as Membership says.
    TakeoverOutput look(std::span<const PeerStanding> peers, Nanoseconds slept, Moment now);
    // When look() has something to do though nothing is heard; Moment::max(): nothing.
    Moment next() const;

    // Counted from the next look() on.
    void set_fitness(const OwnFitness& fitness);
    void set_holdings(const std::vector<VipHolding>& holdings);
    // Another configuration: VIPs that stay keep their role. One that goes is let go at once.
    void set_options(const TakeoverOptions& options);
    // The operator's word: gives the VIP away if this node has it, else takes it. Forgotten where
    // that cannot be within offer_time: whoever asks sees it in view().
    void move(VipId vip);

    // VIPs that nothing has been decided of yet (see `listen`) are in neither of these.
    std::vector<VipDuty> duties() const;
    // When a round of heartbeats was sent to all peers: they will believe so long that this node
    // lives. And when duties have changed.
    std::vector<VipDeadline> deadlines(Moment now) const;
    std::vector<VipClaim> claims() const;  // none before set_fitness()
    std::vector<VipView> view() const;
    // The highest that it has heard or made: to be kept on disk, a block ahead.
    Epoch highest() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::sync
