// SPDX-License-Identifier: Apache-2.0
// The session tables from user space: a thin, typed door to the protocol of bpf/session_table.h.
// Not one word of a way is written here but by that header's functions.
#include "dataplane/session_table.h"

#include <arpa/inet.h>

#include <cstring>
#include <limits>
#include <utility>

#include "bpf/session_table.h"

namespace {

// Where idle limits come from: the sweep is given them, put() takes those that XDP goes by.
struct LimitSource {
    std::span<const bascule::dataplane::IdleLimits> by_slot;
    const bsc_service* services = nullptr;

    std::uint32_t of(std::uint32_t service, std::uint32_t state) const;
};

std::uint32_t choose(std::uint32_t state, std::uint32_t embryonic, std::uint32_t established,
                     std::uint32_t closing) {
    if (bsc_is_unproven(state)) return embryonic;
    return state == BSC_CLOSING ? closing : established;
}

std::uint32_t LimitSource::of(std::uint32_t service, std::uint32_t state) const {
    if (services == nullptr && by_slot.data() == nullptr)
        return std::numeric_limits<std::uint32_t>::max();
    if (services != nullptr) {
        if (service >= BSC_MAX_SERVICES) return 0;
        const bsc_service& entry = services[service];
        if ((entry.flags & BSC_SERVICE_IN_USE) == 0) return 0;
        return choose(state, entry.limit_embryonic, entry.limit_established, entry.limit_closing);
    }
    if (service >= by_slot.size() || !by_slot[service].in_use) return 0;
    const bascule::dataplane::IdleLimits& limits = by_slot[service];
    return choose(state, limits.embryonic, limits.established, limits.closing);
}

}  // namespace

BSC_INLINE __u32 bsc_weigh(const void* limits, __u64 b, __u32 now) {
    const auto* source = static_cast<const LimitSource*>(limits);
    return bsc_weight(b, now, source->of(bsc_service_of(b), bsc_state_of(b)));
}

namespace bascule::dataplane {

namespace {

// Every race is with a packet of the very same set; who loses this often is not alone in the
// world, and the caller is told.
constexpr int max_tries = 16;
// Writers hold a claim for nanoseconds. One that is this old has no writer any more.
constexpr std::uint32_t abandoned_after = 10;

// What differs between the families. `Words` is a constant to the header's functions.
struct V4 {
    static constexpr int words = BSC_KEY_WORDS_V4;
    static constexpr std::uint32_t sets_per_page = BSC_SETS_PER_PAGE_V4;
    static constexpr std::uint32_t set_words = BSC_SET_WORDS_V4;
    static __u64* sets(const SessionTable::Memory& memory) { return memory.sets4; }
    static std::uint32_t pages(const SessionTable::Memory& memory) { return memory.pages4; }

    static void encode(const SessionKey& key, __u64* out) {
        out[0] = key.source.v4_wire() | std::uint64_t{htons(key.source_port)} << 32 |
                 std::uint64_t{htons(key.destination_port)} << 48;
    }
    static void decode(const __u64* from, SessionKey& key) {
        key.source = Address::v4_from_wire(static_cast<std::uint32_t>(from[0]));
        key.source_port = ntohs(static_cast<std::uint16_t>(from[0] >> 32));
        key.destination_port = ntohs(static_cast<std::uint16_t>(from[0] >> 48));
    }
};

struct V6 {
    static constexpr int words = BSC_KEY_WORDS_V6;
    static constexpr std::uint32_t sets_per_page = BSC_SETS_PER_PAGE_V6;
    static constexpr std::uint32_t set_words = BSC_SET_WORDS_V6;
    static __u64* sets(const SessionTable::Memory& memory) { return memory.sets6; }
    static std::uint32_t pages(const SessionTable::Memory& memory) { return memory.pages6; }

    static void encode(const SessionKey& key, __u64* out) {
        std::memcpy(out, key.source.bytes().data(), 16);
        out[2] = htons(key.source_port) | std::uint64_t{htons(key.destination_port)} << 16;
    }
    static void decode(const __u64* from, SessionKey& key) {
        Address::Bytes bytes;
        std::memcpy(bytes.data(), from, 16);
        key.source = Address(bytes);
        key.source_port = ntohs(static_cast<std::uint16_t>(from[2]));
        key.destination_port = ntohs(static_cast<std::uint16_t>(from[2] >> 16));
    }
};

// A key as the table has it, and the two sets where it may be.
template <typename Family>
struct Spot {
    __u64 key[3] = {};
    std::uint32_t service = 0;
    __u64* first = nullptr;
    __u64* second = nullptr;

    void place(const SessionTable::Memory& memory) {
        const std::uint64_t hash =
            bsc_place_hash(key, Family::words, service, memory.table_key[0], memory.table_key[1]);
        const bsc_place at = bsc_place_of(hash, Family::pages(memory), Family::sets_per_page);
        first = Family::sets(memory) + std::size_t{at.first} * Family::set_words;
        second = Family::sets(memory) + std::size_t{at.second} * Family::set_words;
    }
    bsc_found find() const {
        const bsc_found found = bsc_find_in(first, key, Family::words, service);
        return found.way != nullptr ? found : bsc_find_in(second, key, Family::words, service);
    }
};

template <typename Family>
Spot<Family> spot_of(const SessionTable::Memory& memory, const SessionKey& key) {
    Spot<Family> spot;
    Family::encode(key, spot.key);
    spot.service = key.service;
    spot.place(memory);
    return spot;
}

Session session_of(const SessionKey& key, std::uint64_t b, std::uint32_t now) {
    Session session;
    session.key = key;
    session.key.service = static_cast<std::uint16_t>(bsc_service_of(b));
    session.state = static_cast<bsc_state>(bsc_state_of(b));
    session.from_peer = (b & BSC_B_FROM_PEER) != 0;
    session.backend = static_cast<std::uint16_t>(bsc_backend_of(b));
    session.generation = static_cast<std::uint8_t>(bsc_generation_of(b));
    session.idle = bsc_age(b, now);
    return session;
}

// All of B but the version, which is the claim's.
std::uint64_t word_of(const Session& session, std::uint32_t now) {
    return std::uint64_t{session.state} | (session.from_peer ? BSC_B_FROM_PEER : 0) |
           std::uint64_t{session.key.service} << BSC_B_SERVICE_SHIFT |
           bsc_target(session.backend, session.generation) |
           bsc_stamp(session.state, now - session.idle);
}

// The live session of a way, with its key in `spot` (not placed yet); 0 when there is none or it
// changed hands meanwhile.
template <typename Family>
std::uint64_t snapshot(const __u64* way, Spot<Family>& spot) {
    const std::uint64_t b = bsc_load(way + Family::words);
    if (!bsc_is_live(b)) return 0;
    for (int i = 0; i < Family::words; i++)
        spot.key[i] = bsc_load(way + i);
    spot.service = bsc_service_of(b);
    return bsc_read_way(way, spot.key, Family::words, spot.service);
}

template <typename Family>
std::optional<Session> find_session(const SessionTable::Memory& memory, const SessionKey& key,
                                    std::uint32_t now) {
    const bsc_found found = spot_of<Family>(memory, key).find();
    if (found.way == nullptr) return std::nullopt;
    return session_of(key, found.b, now);
}

// What the claim took, while the way is still ours: its key has not been overwritten yet.
template <typename Family>
Session displaced_by(const struct bsc_claim& claim, std::uint32_t now) {
    __u64 words[3] = {};
    for (int i = 0; i < Family::words; i++)
        words[i] = bsc_load(claim.way + i);
    SessionKey key;
    Family::decode(words, key);
    return session_of(key, claim.taken, now);
}

template <typename Family>
bool put_session(const SessionTable::Memory& memory, const Session& session, std::uint32_t now,
                 std::optional<Session>* displaced) {
    const Spot<Family> spot = spot_of<Family>(memory, session.key);
    const LimitSource limits{{}, memory.services};
    const std::uint64_t b = word_of(session, now);
    const bool is_ours = session.state == BSC_ESTABLISHED && !session.from_peer;
    const std::uint32_t allowed = is_ours ? BSC_RANK_ESTABLISHED : BSC_RANK_CLOSING;

    for (int i = 0; i < max_tries; i++) {
        if (const bsc_found found = spot.find(); found.way != nullptr) {
            if (bsc_cas(found.way + Family::words, found.b, b | (found.b & BSC_B_VERSION_MASK)))
                return true;
            continue;
        }
        const std::uint32_t choice =
            bsc_choose(spot.first, spot.second, Family::words, now, &limits, allowed);
        if (choice == BSC_NO_WAY) return false;
        __u64* way = bsc_way_at(spot.first, spot.second, bsc_position_of(choice), Family::words);
        const struct bsc_claim claim =
            bsc_claim(way, Family::words, now, &limits, bsc_chosen_rank(choice));
        if (claim.way == nullptr) continue;
        if (displaced != nullptr && claim.rank >= BSC_RANK_UNPROVEN)
            *displaced = displaced_by<Family>(claim, now);
        const bsc_found mine = {claim.way, bsc_publish(&claim, spot.key, Family::words, b)};
        int removed = 0;
        const bsc_found stays = bsc_settle(spot.first, spot.second, spot.key, Family::words,
                                           spot.service, mine, &removed);
        if (stays.way == mine.way) return true;
        displaced = nullptr;  // told already; the next round overwrites the copy that stayed
    }
    return false;
}

template <typename Family>
bool erase_session(const SessionTable::Memory& memory, const SessionKey& key) {
    const Spot<Family> spot = spot_of<Family>(memory, key);
    for (int i = 0; i < max_tries; i++) {
        const bsc_found found = spot.find();
        if (found.way == nullptr) return false;
        if (bsc_free(found.way, Family::words, found.b)) return true;
    }
    return false;
}

// The sets of one of `parts` parts of a family's table. Pages are shared out whole.
struct SetRange {
    std::uint64_t begin;
    std::uint64_t end;
};
template <typename Family>
SetRange sets_of(const SessionTable::Memory& memory, std::uint32_t part, std::uint32_t parts) {
    const std::uint64_t pages = Family::pages(memory);
    return {pages * part / parts * Family::sets_per_page,
            pages * (part + 1) / parts * Family::sets_per_page};
}

// One pass over a range of sets of one family.
template <typename Family>
class Sweeper {
public:
    Sweeper(const SessionTable::Memory& memory, const std::function<std::uint32_t()>& clock,
            const LimitSource& limits, const SweepEvents& events, SweepReport& report)
        : memory_(memory),
          clock_(clock),
          now_(clock()),
          limits_(limits),
          events_(events),
          report_(report) {}

    void run(std::uint32_t part, std::uint32_t parts) {
        const SetRange range = sets_of<Family>(memory_, part, parts);
        for (std::uint64_t set = range.begin; set < range.end; set++) {
            __u64* words = Family::sets(memory_) + set * Family::set_words;
            for (int i = 0; i < BSC_WAYS_PER_SET; i++)
                visit(bsc_way(words, i, Family::words));
        }
    }

private:
    void visit(__u64* way) {
        const std::uint64_t b = bsc_load(way + Family::words);
        if (bsc_state_of(b) == BSC_FREE) return;
        if (bsc_state_of(b) == BSC_BUSY) {
            if (bsc_age(b, now_) < abandoned_after) return;
            now_ = clock_();
            if (bsc_age(b, now_) >= abandoned_after && bsc_free(way, Family::words, b))
                report_.abandoned++;
            return;
        }
        Spot<Family> spot;
        const std::uint64_t seen = snapshot<Family>(way, spot);
        if (seen == 0) return;
        if (is_over(seen) && end(way, spot, seen)) return;
        settle(way, spot, seen);
    }

    // The clock and the limits were read before `b`: a session younger than they are looks ages
    // old, or without a service. So what looks over is looked at again, by what holds now.
    bool is_over(std::uint64_t b) {
        if (!is_over_by(limits_, b)) return false;
        now_ = clock_();
        if (memory_.services == nullptr) return is_over_by(limits_, b);
        return is_over_by(LimitSource{{}, memory_.services}, b);
    }
    bool is_over_by(const LimitSource& limits, std::uint64_t b) const {
        const std::uint32_t limit = limits.of(bsc_service_of(b), bsc_state_of(b));
        return limit == 0 || bsc_age(b, now_) > limit;  // 0: the service is gone
    }

    // False when a packet came in between: the session lives on.
    bool end(__u64* way, const Spot<Family>& spot, std::uint64_t b) {
        if (!bsc_free(way, Family::words, b)) return false;
        report_.expired++;
        if (!is_established_here(b)) return true;
        report_.ended++;
        events_.on_end(session_of(spot, b));
        return true;
    }

    // Counts the way, unless it was one of two copies and not the one that stays.
    void settle(__u64* way, Spot<Family>& spot, std::uint64_t b) {
        spot.place(memory_);
        int removed = 0;
        const bsc_found stays = bsc_settle(spot.first, spot.second, spot.key, Family::words,
                                           spot.service, {way, b}, &removed);
        report_.duplicates += removed != 0;
        if (stays.way != way) return;
        const std::uint32_t state = bsc_state_of(b);
        if (state <= BSC_ESTABLISHED) {
            report_.by_state[state]++;
            report_.by_family[Family::words == BSC_KEY_WORDS_V4 ? 0 : 1]++;
        }
        report_.from_peer += (b & BSC_B_FROM_PEER) != 0;
        if (!bsc_is_unproven(state))
            report_.by_backend[static_cast<std::uint16_t>(bsc_backend_of(b))]++;
        if (is_established_here(b) && events_.on_seen_here)
            events_.on_seen_here(session_of(spot, b));
    }

    static bool is_established_here(std::uint64_t b) {
        return bsc_state_of(b) == BSC_ESTABLISHED && (b & BSC_B_FROM_PEER) == 0;
    }
    Session session_of(const Spot<Family>& spot, std::uint64_t b) const {
        SessionKey key;
        Family::decode(spot.key, key);
        return dataplane::session_of(key, b, now_);
    }

    const SessionTable::Memory& memory_;
    const std::function<std::uint32_t()>& clock_;
    std::uint32_t now_;
    const LimitSource& limits_;
    const SweepEvents& events_;
    SweepReport& report_;
};

// Live sessions of a range of sets, until `visit` returns false.
template <typename Family, typename Visit>
bool visit_sets(const SessionTable::Memory& memory, SetRange range, Visit&& visit) {
    for (std::uint64_t set = range.begin; set < range.end; set++) {
        __u64* words = Family::sets(memory) + set * Family::set_words;
        for (int i = 0; i < BSC_WAYS_PER_SET; i++) {
            Spot<Family> spot;
            const std::uint64_t b = snapshot<Family>(bsc_way(words, i, Family::words), spot);
            if (b != 0 && !visit(spot, b)) return false;
        }
    }
    return true;
}

template <typename Family>
bool visit_all(const SessionTable::Memory& memory, std::uint32_t now,
               const std::function<bool(const Session&)>& visit) {
    return visit_sets<Family>(memory, sets_of<Family>(memory, 0, 1),
                              [&](const Spot<Family>& spot, std::uint64_t b) {
                                  SessionKey key;
                                  Family::decode(spot.key, key);
                                  return visit(session_of(key, b, now));
                              });
}

template <typename Family>
void visit_proven(const SessionTable::Memory& memory, std::uint32_t now, std::uint32_t part,
                  std::uint32_t parts, const std::function<void(const Session&)>& visit) {
    visit_sets<Family>(memory, sets_of<Family>(memory, part, parts),
                       [&](const Spot<Family>& spot, std::uint64_t b) {
                           if (bsc_is_unproven(bsc_state_of(b))) return true;
                           SessionKey key;
                           Family::decode(spot.key, key);
                           visit(session_of(key, b, now));
                           return true;
                       });
}

std::uint64_t half_of_the_ways(std::uint32_t pages, std::uint32_t sets_per_page) {
    return std::uint64_t{pages} * sets_per_page * BSC_WAYS_PER_SET / 2;
}

}  // namespace

SessionTable::SessionTable(Memory memory, std::function<std::uint32_t()> clock)
    : memory_(memory), clock_(std::move(clock)) {}

std::uint64_t SessionTable::capacity_v4() const {
    return half_of_the_ways(memory_.pages4, BSC_SETS_PER_PAGE_V4);
}

std::uint64_t SessionTable::capacity_v6() const {
    return half_of_the_ways(memory_.pages6, BSC_SETS_PER_PAGE_V6);
}

std::optional<Session> SessionTable::find(const SessionKey& key) const {
    return key.source.is_v4() ? find_session<V4>(memory_, key, clock_())
                              : find_session<V6>(memory_, key, clock_());
}

bool SessionTable::put(const Session& session, std::optional<Session>* displaced) {
    if (displaced != nullptr) displaced->reset();
    return session.key.source.is_v4() ? put_session<V4>(memory_, session, clock_(), displaced)
                                      : put_session<V6>(memory_, session, clock_(), displaced);
}

bool SessionTable::erase(const SessionKey& key) {
    return key.source.is_v4() ? erase_session<V4>(memory_, key) : erase_session<V6>(memory_, key);
}

void SessionTable::sweep(std::uint32_t part, std::uint32_t parts,
                         std::span<const IdleLimits> limits, const SweepEvents& events,
                         SweepReport& report) {
    const LimitSource source{limits, nullptr};
    Sweeper<V4>(memory_, clock_, source, events, report).run(part, parts);
    Sweeper<V6>(memory_, clock_, source, events, report).run(part, parts);
}

void SessionTable::for_each(const std::function<bool(const Session&)>& visit) const {
    const std::uint32_t now = clock_();
    if (visit_all<V4>(memory_, now, visit)) visit_all<V6>(memory_, now, visit);
}

void SessionTable::walk(std::uint32_t part, std::uint32_t parts,
                        const std::function<void(const Session&)>& visit) const {
    const std::uint32_t now = clock_();
    visit_proven<V4>(memory_, now, part, parts, visit);
    visit_proven<V6>(memory_, now, part, parts, visit);
}

}  // namespace bascule::dataplane
