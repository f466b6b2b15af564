// SPDX-License-Identifier: Apache-2.0
// What peers say to each other on a stream, as values. On the wire: protobuf (gossip.proto) in
// frames of a 4-byte big-endian length; codec.h is the way between.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sync/heartbeat.h"
#include "sync/moment.h"
#include "sync/session_record.h"
#include "sync/shared_map.h"

namespace bascule::sync {

inline constexpr std::size_t most_frame = std::size_t{1} << 20;  // bytes, without the length
inline constexpr std::size_t most_records = 16'384;              // in one message
inline constexpr std::uint32_t partitions = 1024;

// The first word of both sides, before anything else.
struct Hello {
    std::uint32_t version = protocol_version;
    std::uint32_t needs = protocol_needs;
    std::string cluster;
    std::string node;
    Incarnation incarnation = 0;
    std::string release;
    // What the speaker has from the hearer already: the log goes on behind it.
    Incarnation received_incarnation = 0;
    std::uint64_t received_batch = 0;
    // By the speaker's data plane's clock: when it says this, and when its run began, before which
    // it has known nothing itself.
    Seconds32 now = 0;
    Seconds32 since = 0;

    bool operator==(const Hello&) const = default;
};

// Part of the log of deltas: numbered for each incarnation, from 1, the same for all peers.
struct Batch {
    std::uint64_t number = 0;
    Seconds32 now = 0;       // the sender's data plane's clock when it was made; records are by it
    std::uint64_t made = 0;  // the sender's CLOCK_MONOTONIC, nanoseconds: for the lag
    std::vector<SessionRecord> records;

    bool operator==(const Batch&) const = default;
};

// All up to `number` is in the table.
struct Ack {
    std::uint64_t number = 0;
    std::uint64_t made = 0;  // of that batch, sent back

    bool operator==(const Ack&) const = default;
};

// What the log had for the hearer is gone, or the speaker's own logs overflowed: resync from me.
struct Gap {
    std::uint64_t number = 0;  // of the newest batch at this moment: the log goes on behind it

    bool operator==(const Gap&) const = default;
};

// Which targets the speaker can store, sorted: digests are over sessions of common ones only.
struct Catalogue {
    std::vector<TargetId> targets;

    bool operator==(const Catalogue&) const = default;
};

// One round of comparing. Asker -> answerer; the digests are of the asker's table.
struct Digests {
    std::uint32_t round = 0;
    bool joining = false;                // the asker is not in step with the answerer
    std::vector<std::uint32_t> which;    // partitions, rising; empty: all
    std::vector<std::uint64_t> digests;  // one for each of them
    std::vector<std::uint32_t> counts;   // sessions in each
    std::uint64_t common = 0;  // hash of the targets that the asker believes both can store

    bool operator==(const Digests&) const = default;
};
// Answerer -> asker: these differ (or came out the same, when not listed).
struct Differing {
    std::uint32_t round = 0;
    std::vector<std::uint32_t> which;
    bool in_step = false;  // the answerer has finished a whole round of its own

    bool operator==(const Differing&) const = default;
};
// Asker -> answerer: what I have in a partition, as fingerprints of flow and target.
struct Listing {
    std::uint32_t round = 0;
    std::uint32_t partition = 0;
    std::vector<std::uint64_t> fingerprints;

    bool operator==(const Listing&) const = default;
};
// Answerer -> asker: what you lack; `last` of possibly several. And what I lack of your list.
struct Repair {
    std::uint32_t round = 0;
    std::uint32_t partition = 0;
    bool last = true;
    Seconds32 now = 0;
    std::vector<SessionRecord> records;
    std::vector<std::uint64_t> missing;

    bool operator==(const Repair&) const = default;
};
// Asker -> answerer: what you lacked. Also ends the round when `done`.
struct Supply {
    std::uint32_t round = 0;
    bool done = false;
    Seconds32 now = 0;
    std::vector<SessionRecord> records;

    bool operator==(const Supply&) const = default;
};

// Shared map: digests of its buckets; items; and a wish for what is in some buckets.
struct SharedDigests {
    std::vector<std::uint64_t> buckets;

    bool operator==(const SharedDigests&) const = default;
};
struct SharedItems {
    std::vector<SharedItem> items;
    std::vector<std::uint32_t> wanted;  // buckets whose items the hearer should send

    bool operator==(const SharedItems&) const = default;
};

struct Ping {
    std::uint64_t token = 0;

    bool operator==(const Ping&) const = default;
};
struct Pong {
    std::uint64_t token = 0;
    // As encode_heartbeat() makes it; empty: the speaker is of a release that does not say it. At
    // most most_heartbeat bytes; whoever wants to know decodes it.
    std::string heartbeat{};

    bool operator==(const Pong&) const = default;
};
// The speaker closes, and why.
struct Bye {
    std::string why;

    bool operator==(const Bye&) const = default;
};

using StreamMessage = std::variant<Hello, Batch, Ack, Gap, Catalogue, Digests, Differing, Listing,
                                   Repair, Supply, SharedDigests, SharedItems, Ping, Pong, Bye>;

// A whole frame, length included; shared by all peers that it goes to.
using Frame = std::shared_ptr<const std::string>;

}  // namespace bascule::sync
