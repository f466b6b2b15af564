// SPDX-License-Identifier: Apache-2.0
// Keyed hashes of sessions, by which tables are compared: the same on every node of a cluster, and
// nobody outside can aim at equal ones. SipHash-1-3 (Aumasson and Bernstein; one round a word is
// enough here: its results are never shown to who chooses the flows). Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "sync/messages.h"
#include "sync/session_record.h"

namespace bascule::sync {

// Keys the fingerprints. The ring secret's two words.
using RingSecretWords = std::array<std::uint64_t, 2>;

class Fingerprinter {
public:
    explicit Fingerprinter(const RingSecretWords& key) : key_(key) {}

    struct Prints {
        std::uint32_t partition = 0;    // of the flow alone: its top 10 bits
        std::uint64_t fingerprint = 0;  // of flow and target
    };
    Prints of(const Flow& flow, TargetId target) const;
    std::uint32_t partition_of(const Flow& flow) const { return of(flow, 0).partition; }
    // Of a whole list, whose order counts.
    std::uint64_t of(std::span<const TargetId> targets) const;
    // A number that nobody else can guess, for each `counter` another.
    std::uint64_t random(std::uint64_t counter) const;

private:
    RingSecretWords key_;
};

}  // namespace bascule::sync
