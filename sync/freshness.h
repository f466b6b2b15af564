// SPDX-License-Identifier: Apache-2.0
// Whether what a peer has said is of now: it was sealed with the cluster's key, but anybody can
// have recorded it. Pure; no clock.
//
// An incarnation begins to count by proof alone: it echoes what this very run has sent lately. Then
// it may be deaf (one direction is lost), so the pace of its own clock against ours decides: what
// was on its way for longer than `lately` does not count. What was replaced never comes back.
//
// Of two incarnations the later one is whose echo is of something later: a host has one run at a
// time, and a run echoes only what has come while it lasts. So what an earlier run said, and the
// network held back until the next one was heard, does not begin to count.
//
// The pace is that of the quickest heartbeat so far. If the first one had waited itself (at most
// `lately`, or its echo would prove nothing; in our own socket, say, while this node slept), others
// may be that much older, until a quick one has come. A peer that is dead is not brought to life
// by what was on its way for longer than the silence that it is dead for: that tells of a time
// before. So who holds heartbeats back revives a dead peer for no longer than dead_after intervals
// of silence, once for each of its runs (`lately` old at most), and else by none that is older.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "sync/moment.h"
#include "sync/round_trip.h"

namespace bascule::sync {

class Freshness {
public:
    enum class Verdict {
        counts,    // of the incarnation that counts
        begins,    // of one that has proven itself just now: replaces what counted before
        unproven,  // of one that has not
        over,      // of one that was replaced
        late,      // of the one that counts, but sent long ago
    };

    explicit Freshness(Nanoseconds lately) : lately_(lately) {}

    // When what it proves itself by was sent here, lately: it echoes it, or is the answer to it.
    using Proof = std::optional<Moment>;

    // `sent` by the peer's clock; `most_delay`: of what cannot prove itself, at most `lately`.
    Verdict judge(Incarnation incarnation, std::uint64_t sent, Proof proof, Nanoseconds most_delay,
                  Moment now) const;
    // It is new by its sequence number, too: it is what later ones are measured by.
    void accept(Incarnation incarnation, std::uint64_t sent, Proof proof, Moment now);

    Incarnation current() const { return current_; }  // 0: none yet
    // How much longer than the quickest of about the last minute it took to come, by the pace of
    // the peer's clock, or waited somewhere, in our socket for one. 0: there is none to compare.
    Nanoseconds delayed(std::uint64_t sent, Moment now) const;

private:
    static constexpr std::size_t most_over = 16;

    Nanoseconds lately_;
    Incarnation current_ = 0;
    Moment proven_at_{};  // the newest proof of `current_`
    std::deque<Incarnation> over_;
    RecentLeast behind_;  // our time less its time when heard: grows by what delays
};

}  // namespace bascule::sync
