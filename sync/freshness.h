// SPDX-License-Identifier: Apache-2.0
// Whether what a peer has said is of now: it was sealed with the cluster's key, but anybody can
// have recorded it. Pure; no clock.
//
// An incarnation begins to count by proof alone: it echoes what this very run has sent lately. Then
// it may be deaf (one direction is lost), so the pace of its own clock against ours decides: what
// was on its way for longer than `lately` does not count. What was replaced never comes back.
//
// The pace is that of the quickest heartbeat so far. If the first one had waited itself (at most
// `lately`, or its echo would prove nothing; in our own socket, say, while this node slept), others
// may be that much older: up to twice `lately`, until a quick one has come.
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

    // `sent` by the peer's clock; `proven`: it echoes what we sent lately.
    Verdict judge(Incarnation incarnation, std::uint64_t sent, bool proven, Moment now) const;
    // It is new by its sequence number, too: it is what later ones are measured by.
    void accept(Incarnation incarnation, std::uint64_t sent, bool proven, Moment now);

    Incarnation current() const { return current_; }  // 0: none yet
    // How much longer than the quickest of about the last minute it took to come, by the pace of
    // the peer's clock, or waited somewhere, in our socket for one. 0: there is none to compare.
    Nanoseconds delayed(std::uint64_t sent, Moment now) const;

private:
    static constexpr std::size_t most_over = 16;

    bool is_late(std::uint64_t sent, Moment now) const { return delayed(sent, now) > lately_; }

    Nanoseconds lately_;
    Incarnation current_ = 0;
    std::deque<Incarnation> over_;
    RecentLeast behind_;  // our time less its time when heard: grows by what delays
};

}  // namespace bascule::sync
