// SPDX-License-Identifier: Apache-2.0
#include "sync/record_applier.h"

#include <functional>

namespace bascule::sync {
namespace {

using Kind = SessionRecord::Kind;
using State = StoredSession::State;

// Whether there is more to a session after it than its time.
bool differs(const std::optional<StoredSession>& before, const StoredSession& after) {
    return !before || before->state != after.state || before->target != after.target;
}

// A session of ours becomes another's by a record of about the same second: at the other side it
// may have gone the other way round.
bool is_disputed(const std::optional<StoredSession>& before, const SessionRecord& record) {
    constexpr std::int32_t uncertain = 2;
    if (!before || before->from_peer || before->state == State::unproven) return false;
    const auto newer = static_cast<std::int32_t>(record.seen - before->seen);
    return newer >= -uncertain && newer <= uncertain;
}

// The peer's session has won, and is at a target that is not known here: where the one here goes is
// wrong, and nothing is better than that. Once the target is known the session comes by a round.
Applied drop_outdated(SessionStore& store, const std::optional<StoredSession>& here,
                      const SessionRecord& record) {
    if (!here || here->state != State::established) return {};
    store.erase(record.flow);
    return {true, false, is_disputed(here, record)};
}

Applied apply(SessionStore& store, const SessionRecord& record, PeerCounters& counters,
              const std::function<Seconds32(const std::optional<StoredSession>&)>& head_start) {
    const bool ends = record.kind == Kind::closed || record.kind == Kind::ended;
    const bool unknown = !ends && !store.knows(record.flow.service, record.target);
    if (unknown) ++counters.unknown_target;
    const std::optional<StoredSession> here = store.find(record.flow);
    const MergeResult merged =
        merge(here, record, store.now(), store.established_limit(record.flow.service),
              head_start ? head_start(here) : 0);
    if (merged.stale) ++counters.stale;
    if (merged.action == MergeResult::Action::ignore) {
        // Ours is told again in its turn, which settles what is only refreshed too late.
        const bool other = here && here->target != record.target;
        return {false, merged.stale, (merged.stale || other) && record.kind != Kind::refreshed};
    }
    if (unknown) return drop_outdated(store, here, record);
    if (merged.action == MergeResult::Action::erase) {
        store.erase(record.flow);
        return {true, false, is_disputed(here, record)};
    }
    switch (store.put(record.flow, merged.session)) {
        case SessionStore::Put::stored:
            return differs(here, merged.session) ? Applied{true, false, is_disputed(here, record)}
                                                 : Applied{};
        case SessionStore::Put::unknown_target:
            ++counters.unknown_target;
            return {};
        case SessionStore::Put::no_room:
            ++counters.no_room;
            return {};
    }
    return {};
}

}  // namespace

Applied apply_record(SessionStore& store, const SessionRecord& record, PeerCounters& counters) {
    return apply(store, record, counters, nullptr);
}

Applied apply_decided(SessionStore& store, const SessionRecord& record, PeerCounters& counters,
                      const HeadStart& head_start) {
    return apply(store, record, counters, [&](const std::optional<StoredSession>& here) {
        if (!here || !head_start.targets.contains(here->target)) return Seconds32{0};
        // What closes is told to who lists it, and it lists another one.
        if (here->state == State::closing && here->target != record.target) return Seconds32{0};
        // Its packets come here, whatever the asker was told before them.
        const bool goes_on =
            !here->from_peer && static_cast<std::int32_t>(here->seen - head_start.began) >= 0;
        return goes_on ? 0 : head_start.seconds;
    });
}

std::optional<SessionRecord> describe(const SessionStore& store, const Flow& flow) {
    const std::optional<StoredSession> session = store.find(flow);
    if (!session || session->state == State::unproven) return std::nullopt;
    Kind kind = Kind::closed;
    if (session->state == State::established)
        kind = session->from_peer ? Kind::copy : Kind::established;
    return SessionRecord{kind, flow, session->target, session->seen};
}

}  // namespace bascule::sync
