// SPDX-License-Identifier: Apache-2.0
// What a seed makes: how many nodes and paths, how they are set, how bad the
// network is. And what a run may break on purpose, from outside of the
// machines, to show that the judge finds it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bascule::sim {

// Simulated time since the world began.
using Time = std::chrono::nanoseconds;
using namespace std::chrono_literals;

enum class Breakage {
    none,
    lost_batch,        // a batch is thrown away, and its acknowledgement made up
    deaf_compare,      // what a comparison found differing is not told
    younger,           // records arrive as if their packets were seen later
    other_target,      // a record arrives with another backend
    embryonic,         // sessions that are not established are told to the replica
    late_end,          // an end is told once more, later, as if it were of now
    let_replay_in,     // a recorded heartbeat is given the number and time of a new
                       // one
    deaf_ear,          // one peer's heartbeats are not handed in
    eternal_answer,    // the stream answers for a peer that is dead
    no_tombstones,     // a node forgets what was taken back when it starts
    no_bound,          // the log may grow far beyond its bound
    idle_hands,        // what is said to be an address of the host is none
    announced_once,    // who is told to announce again does not
    found_for_ever,    // who lets go of a VIP is found by it all the same
    late_deadline,     // a node that stands still is found for longer than it said
    blind_witness,     // a node believes that a witness answers
    always_in_step,    // and that it is in step
    eternal_carrier,   // and that its interfaces have carrier
    unheard_claims,    // what one node claims is not heard
    forgotten_word,    // nobody hears that a VIP was moved by the operator
    forgotten_epoch,   // a node begins with epoch 0 each time
    no_refresh,        // that sessions go on is not told
    wordless_answer,   // what a peer claims is not heard by the stream's answer
    nameless_hearsay,  // who hears a holder does not say whom
    held_parting,      // who has left is found for as long as it said, whoever announces
    unconfirmed,       // how long an address is renewed for is not told
    early_ear,         // a node believes that its links are up when it starts
    misunderstood,     // a newer release believes that it is understood
};
const std::vector<Breakage>& all_breakages();  // without `none`
const char* name_of(Breakage breakage);
std::optional<Breakage> breakage_of(std::string_view name);

struct Plan {
    std::uint64_t seed = 0;
    Breakage breakage = Breakage::none;

    std::size_t nodes = 2;
    std::size_t paths = 1;
    Time interval = 100ms;
    std::uint32_t dead_after = 3;
    Time chaos = 5s;            // so long things happen, then all heals
    Time stream_silence = 3s;   // a stream that stalls for so long is given up
    std::uint32_t limit = 600;  // idle limit, seconds
    std::size_t flows = 16;
    std::size_t targets = 4;
    std::size_t room = 1000;          // sessions in a table
    std::size_t log_bytes = 65536;    // of a replica
    std::size_t most_unsent = 16384;  // bytes that a socket takes ahead of the network
    double bytes_a_microsecond = 10;
    Time audit_interval = 2s;
    Time between_events = 20ms;  // of clients, on average
    Time between_troubles = 400ms;
    std::size_t vips = 1;
    bool failback = true;
    Time failback_delay{0};
    bool witness = false;
    std::optional<std::size_t> newer;  // this node's release is not understood by the others
    std::vector<std::vector<std::uint32_t>> priorities;  // by node and VIP

    // Who has started hears for so long who is there.
    Time listen() const { return std::max<Time>(1400ms, 6 * interval); }
    Time calm_life{0};  // so long clients go on after all has healed

    std::string text() const;
};

Plan make_plan(std::uint64_t seed, Breakage breakage = Breakage::none);

}  // namespace bascule::sim
