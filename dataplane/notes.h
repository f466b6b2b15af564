// SPDX-License-Identifier: Apache-2.0
// What the walk noted of one packet (struct bsc_notes), as values for those who show it. Filled by
// copies of the program that trace or capture. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "bpf/contract.h"

namespace bascule::dataplane {

enum class Verdict : std::uint32_t { aborted, drop, pass, tx, redirect };  // as XDP numbers them
const char* name_of(Verdict verdict);

// A reason or an event: its name as an operator sees it, and what it means.
struct Word {
    const char* name;
    const char* meaning;
    bool operator==(const Word&) const = default;
};

// The session that a packet met.
struct NotedSession {
    bsc_state state = BSC_FREE;
    bool from_peer = false;
    std::uint16_t backend = 0;  // slot
    std::uint8_t generation = 0;
    std::uint32_t idle = 0;  // seconds before the packet

    bool operator==(const NotedSession&) const = default;
};

struct Notes {
    std::uint32_t steps = 0;               // BSC_STEP_*
    std::optional<Word> drop;              // set too when the drop was answered
    std::uint16_t vip = 0;                 // id; 0: none
    std::optional<std::uint16_t> service;  // slot
    std::optional<NotedSession> session;
    std::uint64_t events = 0;  // bit by enum bsc_event
    std::uint64_t flow_hash = 0;
    std::optional<std::uint32_t> ring_slot;  // none: the ring was not asked
    std::uint32_t ring_size = 0;
    std::uint16_t backend = 0;  // slot; 0: none
    std::uint8_t generation = 0;
    bsc_forward forward = BSC_FORWARD_L2;
    std::uint32_t redirect_ifindex = 0;  // 0: it leaves where it came in

    bool has(bsc_step step) const { return (steps & static_cast<std::uint32_t>(step)) != 0; }
    std::vector<Word> event_words() const;
};

// `now`: seconds of the data plane's clock, for the session's age.
Notes notes_of(const bsc_notes& noted, std::uint32_t now);

// A drop reason by its number, and the number by its name; nullopt: there is none.
std::optional<Word> drop_word(std::uint32_t reason);
std::optional<std::uint32_t> drop_reason(std::string_view name);

}  // namespace bascule::dataplane
