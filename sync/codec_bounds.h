// SPDX-License-Identifier: Apache-2.0
// What one message may hold. With every bound met a message still fits most_frame, so whoever keeps
// to them never makes one that cannot be sent. (SharedItems has no such promise: its sender stops
// adding when most_items_bytes are reached.)
#pragma once

#include <cstddef>
#include <cstdint>

#include "sync/messages.h"

namespace bascule::sync {

// Bytes of the names of clusters and nodes; as configuration has them.
inline constexpr std::size_t most_name = 63;
inline constexpr std::size_t most_release = 63;      // bytes
inline constexpr std::size_t most_why = 512;         // bytes of Bye's words; longer ones are cut
inline constexpr std::size_t most_heartbeat = 8192;  // bytes, in a Pong
inline constexpr std::size_t most_echoes = 2;        // in a Heartbeat
inline constexpr std::uint32_t most_claimed_priority = 255;  // a byte
// In a Listing, and what is missing in a Repair.
inline constexpr std::size_t most_fingerprints = 32'768;
inline constexpr std::size_t most_targets = 65'536;  // in a Catalogue

// SharedItems: the sum of items_bytes() over its items has to stay below.
inline constexpr std::size_t most_items_bytes = most_frame - 4096;
inline std::size_t items_bytes(const SharedItem& item) {
    constexpr std::size_t numbers_and_tags = 48;
    return item.key.size() + item.value.size() + item.origin.size() + numbers_and_tags;
}

}  // namespace bascule::sync
