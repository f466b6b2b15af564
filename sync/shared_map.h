// SPDX-License-Identifier: Apache-2.0
// What all nodes of a cluster know alike: a map of items that converges whatever is lost, doubled
// or reordered on the way. Pure. Thread: control.
//
// The map is a set of registers, each of which keeps the one item that beats() all others it was
// given. Most kinds have a register for each key: the last writer wins. Of `mode/…` each origin
// has its own, and of what has not expired the most severe one is shown (the value that compares
// highest): a calm node does not end what another one needs. (A register for each key with "the
// more severe wins, unless it has expired" would not converge: three items can beat each other in
// turn.)
//
// What is taken back leaves a tombstone, which is an item as any other. It is dropped only when
// every node of the configuration has it, or the item would come back from one that was away:
//  1. all digests are equal: one node says how far back things may be forgotten (make_floor). That
//     is an item, too. From then on dead items that are older count in no digest, so that it does
//     not matter when a node drops them.
//  2. all digests are equal, with that item: each node drops them at its own time (forget), and
//     remembers how far. What is older and unknown to it was taken back, or comes from a node that
//     never belonged to the cluster: it is answered by a tombstone of the same time, so that it
//     ends also where it comes from, a disk of yesterday as it may be.
// Kinds: word/SERVICE/BACKEND (operator's words), forget/floor (above); mode/SERVICE and list/NAME
// have their place.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sync/hybrid_clock.h"
#include "sync/moment.h"
#include "sync/shared_item.h"

namespace bascule::sync {

inline constexpr std::size_t most_shared_items = 65'536;  // tombstones included
// Of keys, values and origins together.
inline constexpr std::size_t most_shared_bytes = std::size_t{16} << 20;

// What is dead may be forgotten when it is so much older than the newest of all.
inline constexpr WallMilliseconds shared_memory = 24ULL * 3600 * 1000;
inline constexpr const char* shared_floor_key = "forget/floor";

class SharedMap {
public:
    // `self`: this node's name. `last`: the newest hybrid time that an earlier run has used.
    explicit SharedMap(std::string self, HybridTime last = 0);

    // Another name from now on. What was said by the earlier one stays said by it.
    void set_self(std::string self) { self_ = std::move(self); }

    // The live item; nullptr: none, removed or expired (by `now` of the hybrid clock).
    const SharedItem* find(const std::string& key, WallMilliseconds now) const;
    // Live items of a kind, one for each key, in order of key.
    std::vector<SharedItem> of_kind(const std::string& kind, WallMilliseconds now) const;
    // The hybrid clock's milliseconds, when the wall clock says this.
    WallMilliseconds now(WallMilliseconds wall) const;

    // What would be said: made, but not in the map until apply() (so that it can be kept on disk
    // first). Refused: bounds, with words.
    Result<SharedItem> make(const std::string& key, const std::string& value, WallMilliseconds wall,
                            WallMilliseconds expires = 0);
    // What takes back all that is said of a key, as far as it is known here: one item for each
    // register; none when nothing is said of it.
    std::vector<SharedItem> make_removal(const std::string& key, WallMilliseconds wall);

    enum class Applied {
        newer,       // the map has it now
        known,       // it had it
        older,       // it has, or had, what beats it
        taken_back,  // it was forgotten here: a tombstone stands in its place now
        refused,     // beyond a bound or not well formed; counted
    };
    // From this node, a peer or the disk; any order, any number of times.
    Applied apply(const SharedItem& item);

    // Of all items but forgotten ones: equal digests, equal live items. 0 only when empty.
    std::uint64_t digest() const;
    const std::vector<std::uint64_t>& bucket_digests() const { return buckets_; }
    // By register, tombstones included.
    const std::map<std::string, SharedItem>& items() const { return items_; }
    HybridTime last_time() const { return clock_.last(); }
    std::uint64_t refused() const { return refused_; }
    bool full() const;

    // ---- forgetting: see above ----
    // Both: `digest` is what all nodes of the configuration were seen to have; nothing when ours is
    // another by now.
    // To be applied, kept and sent as any item; nullopt: nothing has become old enough lately.
    std::optional<SharedItem> make_floor(std::uint64_t digest, WallMilliseconds wall);
    // Whether something has changed, which is then to be kept on disk.
    bool forget(std::uint64_t digest);
    // For a node that has no peers, which learns nothing from anybody: drops what is dead and older
    // than shared_memory, when half of the room is taken. It has to keep tombstones otherwise: it
    // may be given peers that were away.
    bool forget_alone(WallMilliseconds wall);

    // How far back was forgotten. Belongs to the cluster that agreed to it: 0 with another one. To
    // be set after the items of the disk are in.
    HybridTime forgotten() const { return forgotten_; }
    void set_forgotten(HybridTime time) { forgotten_ = time; }

private:
    std::string flaw_of_room(const SharedItem& item) const;
    void place(const std::string& name, const SharedItem& item);
    bool is_dead(const SharedItem& item, HybridTime before) const;
    std::uint64_t counted(const SharedItem& item) const;
    void follow_floor();
    bool drop_dead(HybridTime before);
    const SharedItem* most_severe(const std::string& key, WallMilliseconds now) const;

    std::string self_;
    HybridClock clock_;
    std::map<std::string, SharedItem> items_;
    std::vector<std::uint64_t> buckets_;
    std::size_t bytes_ = 0;
    HybridTime floor_ = 0;      // dead items before it count in no digest; all nodes have the same
    HybridTime forgotten_ = 0;  // unknown items before it were taken back; of this node alone
    std::uint64_t refused_ = 0;
};

}  // namespace bascule::sync
