// SPDX-License-Identifier: Apache-2.0
#include "sync/merge.h"

#include <algorithm>

namespace bascule::sync {
namespace {

using Kind = SessionRecord::Kind;
using State = StoredSession::State;
using Action = MergeResult::Action;

// Whole seconds of two clocks: from here on, seconds, one is later than the other.
constexpr std::int32_t clearly = 2;
// A copy came by two pairs of clocks.
constexpr std::int32_t clearly_for_copy = 3;
// This is also the answer to what was refused for being clearly older: by rounding the sender may
// see two seconds where we see one, and both would hold to their own.
constexpr std::int32_t clearly_for_refreshed = 1;
// Owners follow each other: the word of one who has not owned it for so long is not the owner's.
constexpr std::int32_t long_ago = 10;

// Seconds from `b` to `a`; negative when `a` is earlier.
std::int32_t later_by(Seconds32 a, Seconds32 b) {
    return static_cast<std::int32_t>(a - b);
}

bool is_clearly_newer(const SessionRecord& record, std::int32_t newer) {
    return newer >= (record.kind == Kind::refreshed ? clearly_for_refreshed : clearly);
}

MergeResult ignored(bool stale = false) {
    return {Action::ignore, {}, stale};
}

MergeResult brought(State state, TargetId target, Seconds32 seen) {
    return {Action::put, {state, true, target, seen}, false};
}

// Goes on, at the peer's target. An owner that is heard of twice does not make it older.
MergeResult goes_on(const StoredSession& here, const SessionRecord& record) {
    const bool known = here.state == State::established && here.target == record.target;
    const bool older = known && later_by(record.seen, here.seen) < 0;
    return brought(State::established, record.target, older ? here.seen : record.seen);
}

// Where it went stays, if that is still known.
MergeResult closes(const StoredSession& here, const SessionRecord& record) {
    return brought(State::closing, here.target != 0 ? here.target : record.target, record.seen);
}

// A session that goes on at the peer, against what is seen here.
MergeResult begin_against_own(const StoredSession& here, const SessionRecord& record,
                              std::int32_t newer) {
    if (is_clearly_newer(record, newer)) return goes_on(here, record);
    if (newer <= -clearly) return ignored(true);
    if (record.target == here.target) return ignored();
    return record.target > here.target ? goes_on(here, record) : ignored(true);
}

MergeResult end_against_own(const StoredSession& here, const SessionRecord& record,
                            std::int32_t newer) {
    if (newer <= -clearly) return ignored(true);
    if (record.kind == Kind::ended) return {Action::erase, {}, false};
    return closes(here, record);
}

// The owner's word counts, whatever the seconds say, in the order in which it is heard.
MergeResult owners_word(const StoredSession& here, const SessionRecord& record,
                        std::int32_t newer) {
    if (newer < -long_ago) return ignored(true);
    if (record.kind == Kind::ended) return {Action::erase, {}, false};
    if (record.kind == Kind::closed) return closes(here, record);
    return goes_on(here, record);
}

MergeResult into_closing(const StoredSession& here, const SessionRecord& record,
                         std::int32_t newer) {
    if (record.kind == Kind::ended)
        return newer <= -clearly ? ignored(true) : MergeResult{Action::erase, {}, false};
    if (record.kind == Kind::closed) return newer > 0 ? closes(here, record) : ignored();
    const bool owner = here.from_peer && record.kind != Kind::copy && newer >= -long_ago;
    if (owner || is_clearly_newer(record, newer)) return goes_on(here, record);
    return ignored(true);
}

}  // namespace

MergeResult merge(const std::optional<StoredSession>& here, const SessionRecord& told,
                  Seconds32 now, std::uint32_t limit, Seconds32 head_start) {
    SessionRecord record = told;
    if (later_by(record.seen, now) > 0) record.seen = now;
    if (!here || here->state == State::unproven) {
        if (record.kind == Kind::closed || record.kind == Kind::ended) return ignored();
        if (now - record.seen >= limit) return ignored();
        return brought(State::established, record.target, record.seen);
    }
    // No copy wins by its head start over what is seen here.
    const bool equals = here->from_peer || record.kind != Kind::copy;
    const std::int32_t newer =
        later_by(record.seen, here->seen) + (equals ? static_cast<std::int32_t>(head_start) : 0);
    if (here->state == State::closing) return into_closing(*here, record, newer);
    const bool begins = record.kind != Kind::closed && record.kind != Kind::ended;
    if (!here->from_peer)
        return begins ? begin_against_own(*here, record, newer)
                      : end_against_own(*here, record, newer);
    if (record.kind != Kind::copy) return owners_word(*here, record, newer);
    if (newer >= clearly_for_copy) return goes_on(*here, record);
    // Told again, or known better: neither has an owner's word, so there is nothing to send back.
    return ignored();
}

}  // namespace bascule::sync
