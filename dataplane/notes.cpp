// SPDX-License-Identifier: Apache-2.0
#include "dataplane/notes.h"

#include <array>

#include "bpf/session_word.h"

namespace bascule::dataplane {

namespace {

constexpr std::array<Word, BSC_DROP_REASON_COUNT> drop_words = {{
#define X(symbol, name, text) {name, text},
    BSC_DROP_REASONS(X)
#undef X
}};

constexpr std::array<Word, BSC_EVENT_COUNT> known_events = {{
#define X(symbol, name, text) {name, text},
    BSC_EVENTS(X)
#undef X
}};

NotedSession session_of(std::uint64_t b, std::uint32_t now) {
    NotedSession session;
    session.state = static_cast<bsc_state>(bsc_state_of(b));
    session.from_peer = (b & BSC_B_FROM_PEER) != 0;
    session.backend = static_cast<std::uint16_t>(bsc_backend_of(b));
    session.generation = static_cast<std::uint8_t>(bsc_generation_of(b));
    session.idle = bsc_age(b, now);
    return session;
}

}  // namespace

const char* name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::aborted:
            return "aborted";
        case Verdict::drop:
            return "drop";
        case Verdict::pass:
            return "pass";
        case Verdict::tx:
            return "tx";
        case Verdict::redirect:
            return "redirect";
    }
    return "unknown";
}

std::vector<Word> Notes::event_words() const {
    std::vector<Word> words;
    for (std::size_t i = 0; i < known_events.size(); i++)
        if ((events >> i & 1) != 0) words.push_back(known_events[i]);
    return words;
}

Notes notes_of(const bsc_notes& noted, std::uint32_t now) {
    Notes notes;
    notes.steps = noted.steps;
    notes.drop = drop_word(noted.drop);
    notes.vip = static_cast<std::uint16_t>(noted.vip);
    if (noted.service < BSC_MAX_SERVICES) notes.service = static_cast<std::uint16_t>(noted.service);
    if (noted.session != 0) notes.session = session_of(noted.session, now);
    notes.events = noted.events;
    notes.flow_hash = noted.flow_hash;
    if (noted.ring_slot != BSC_NONE) notes.ring_slot = noted.ring_slot;
    notes.ring_size = noted.ring_size;
    notes.backend = static_cast<std::uint16_t>(noted.backend);
    notes.generation = static_cast<std::uint8_t>(noted.generation);
    notes.forward = static_cast<bsc_forward>(noted.forward & 3);
    notes.redirect_ifindex = noted.redirect_ifindex;
    return notes;
}

std::optional<Word> drop_word(std::uint32_t reason) {
    if (reason >= drop_words.size()) return std::nullopt;
    return drop_words[reason];
}

std::optional<std::uint32_t> drop_reason(std::string_view name) {
    for (std::uint32_t i = 0; i < drop_words.size(); i++)
        if (name == drop_words[i].name) return i;
    return std::nullopt;
}

}  // namespace bascule::dataplane
