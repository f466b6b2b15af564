// SPDX-License-Identifier: Apache-2.0
// How nodes bring their shared maps together: what is new is pushed at once; whatever that missed
// is found by digests and repaired. A pure state machine. Thread: control.
//
//   who asks                              who answers
//   SharedDigests: of my buckets     ->
//                                    <-   SharedItems: mine of those that differ; `wanted`: yours
//   SharedItems: mine of `wanted`,   ->
//   but for what was just the same
// One asks when a stream is made, and when heartbeats have shown another digest for two ticks.
//
// What a peer can cost is bounded: an exchange carries about most_exchange_bytes each way, a peer
// gets most_answers of them a tick, and asking a peer with which it brings nothing (one map is at
// its bound) becomes rare.
#pragma once

#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "sync/messages.h"
#include "sync/shared_map.h"

namespace bascule::sync {

// To all that are connected.
inline constexpr std::size_t every_peer = ~std::size_t{0};

struct SharedToSend {
    std::size_t peer = 0;
    StreamMessage message;
};

class SharedExchange {
public:
    static constexpr std::size_t most_exchange_bytes = std::size_t{2} << 20;
    static constexpr std::size_t most_message_bytes = std::size_t{256} << 10;
    static constexpr unsigned most_answers = 8;
    static constexpr unsigned longest_pause = 64;  // ticks

    // `map` outlives it.
    explicit SharedExchange(SharedMap& map) : map_(map) {}

    // What a message brought about.
    struct Outcome {
        std::vector<SharedToSend> send;
        std::vector<std::string> changed;  // keys of which the map has something newer now
        bool to_keep = false;              // the map is another than before
        std::string refusal;               // why the first of the refused items is refused
    };
    // Other messages are none of it.
    Outcome on_message(std::size_t peer, const StreamMessage& message);
    std::vector<SharedToSend> on_connected(std::size_t peer);
    // Its heartbeats say so.
    void on_peer_digest(std::size_t peer, std::uint64_t digest);
    // Every second.
    std::vector<SharedToSend> tick();

    // Of what was just said here.
    static std::vector<SharedToSend> push(const std::vector<SharedItem>& items);

    // Other peers, or the same ones by other numbers.
    void reset() { peers_.clear(); }
    // As many peers have last said that they have what we have.
    std::size_t in_step() const;
    // Messages that were left alone since their sender asked too much.
    std::uint64_t ignored() const { return ignored_; }

private:
    struct Peer {
        std::optional<std::uint64_t> digest;
        unsigned differs = 0;          // ticks in a row
        unsigned wait = 0;             // ticks until it is asked again
        unsigned pause = 1;            // between the next two
        std::uint64_t asked_ours = 0;  // digests when it was asked last
        std::uint64_t asked_theirs = 0;
        unsigned answers = 0;    // in this tick
        std::uint32_t next = 0;  // bucket that the next exchange begins with
        // Fingerprints of what it has sent lately and we have, too.
        std::unordered_set<std::uint64_t> same;
    };

    SharedToSend ask(std::size_t number, Peer& peer);
    bool may_answer(Peer& peer);
    void take_items(Peer& peer, const SharedItems& message, Outcome& outcome);
    void answer(std::size_t number, Peer& peer, std::vector<std::uint32_t> buckets, bool want,
                Outcome& outcome);

    SharedMap& map_;
    std::map<std::size_t, Peer> peers_;
    std::uint64_t ignored_ = 0;
};

}  // namespace bascule::sync
