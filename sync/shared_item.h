// SPDX-License-Identifier: Apache-2.0
// One thing that all nodes of a cluster know alike, and which of two counts. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sync/hybrid_clock.h"

namespace bascule::sync {

inline constexpr std::size_t most_shared_key = 255;       // bytes
inline constexpr std::size_t most_shared_value = 16'384;  // bytes
inline constexpr std::size_t most_shared_origin = 63;     // bytes, as names of nodes
inline constexpr std::uint32_t shared_buckets = 64;

struct SharedItem {
    std::string key;
    std::string value;
    HybridTime time = 0;
    // Name of the node where it was said. With a tombstone of a kind whose origins have registers
    // of their own: that of the item which is taken back.
    std::string origin;
    bool removed = false;          // a tombstone; `value` is empty, `expires` is 0
    WallMilliseconds expires = 0;  // by hybrid time's milliseconds; 0: never. Then as if it was not

    bool operator==(const SharedItem&) const = default;
};

// The part before the first '/'; empty: there is none.
std::string_view kind_of(std::string_view key);

// What is wrong with its form; empty: nothing. Key and value are UTF-8 without control characters,
// a key is KIND/REST, an origin is a name as nodes have it, a time is above 0 and below
// latest_time.
std::string flaw_of(const SharedItem& item);

// Of `mode/…` each origin has a register of its own: what one says does not overwrite what another
// said. All other kinds have one for each key.
bool has_register_for_each_origin(std::string_view kind);
// The name of the register that it is for; starts with the key, which may be followed by the
// separator and the origin.
inline constexpr char register_separator = '\x1f';
std::string register_of(const SharedItem& item);

// Of one register, which counts: the higher hybrid time, of equals the higher origin, of those the
// tombstone, then the higher value, then the higher expiry. A total order.
bool beats(const SharedItem& one, const SharedItem& other);

bool has_expired(const SharedItem& item, WallMilliseconds now);

// Of all its fields, and of the key: the same on every node and in every release.
std::uint64_t fingerprint_of(const SharedItem& item);
std::uint32_t bucket_of(std::string_view key);

}  // namespace bascule::sync
