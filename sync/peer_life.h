// SPDX-License-Identifier: Apache-2.0
// Alive, suspect or dead: one peer's life by the silence on all of its paths. Pure; no clock.
//
// The heartbeat of an interval may come as late as the middle of the next one: suspect is who was
// silent for dead_after - 1/2 intervals, and dead one interval later unless something answers.
// Where round trips take longer than an interval the last round is as long as answers take, at most
// dead_after intervals; of who has answered by the stream since he was suspected, as long as those
// answers take. Who answers by the stream alone stays suspect, and is asked again and again; who is
// dead, or was never heard, is asked by it once in dead_after intervals.
//
// From the last heartbeat that was heard until it is dead, in intervals I:
//   at least  (dead_after + 1/2) I; for who said that he leaves (dead_after - 1/2) I
//   at most   (dead_after - 1/2) I + clamp(patience, I, dead_after I), so never more than
//             (2 dead_after - 1/2) I: of 20 ms x 5 it is 110 ms, and at most 190 ms
// To the most comes how late this node's thread is, and another round for each time that it
// slept meanwhile, most_postponed in one suspicion; and one for each round in which the stream
// answered, which may have been asked while it lived. A takeover relies on both. Patience is
// measured (round_trip.h), so it is longer than an interval also when the peer was slow to answer
// a moment ago: one that stood still for most of an interval is found dead that much later for some
// ten heartbeats. It costs time in which nobody holds what it held; judging too early would cost
// two holders. What is heard may have been on its way for long itself: freshness.h says how long.
#pragma once

#include <cstdint>

#include "sync/membership.h"
#include "sync/moment.h"

namespace bascule::sync {

class PeerLife {
public:
    static constexpr unsigned probes_a_round = 16;
    // A thread that is late every time would otherwise never find anybody dead.
    static constexpr unsigned most_postponed = 3;

    struct Step {
        bool probe = false;       // now, by every path
        bool ask_stream = false;  // a round begins
        bool changed = false;     // liveness() is another one
    };

    PeerLife(Nanoseconds interval, std::uint32_t dead_after, Moment now)
        : interval_(interval),
          dead_after_(dead_after),
          since_(now),
          last_heard_(now),
          next_question_(now) {}

    // True: it was not alive before.
    bool heard(Moment now);
    // By the stream, what it was asked since the round began. True: it was dead, or not known.
    bool answered(Moment now);
    // `slept`: this thread came much too late; `patience`: how long answers take; `left`: it has
    // said good-bye, so nothing is asked.
    Step tick(Moment now, bool slept, Nanoseconds patience, bool left);

    // When tick() has something to do at the earliest.
    Moment next() const;
    Liveness liveness() const { return liveness_; }
    Moment since() const { return since_; }
    Moment last_heard() const { return last_heard_; }
    unsigned probes() const { return probes_; }  // rounds of probes since it was suspected
    std::uint64_t suspected() const { return suspected_; }
    std::uint64_t died() const { return died_; }

private:
    Nanoseconds allowed_silence() const { return interval_ * dead_after_ - interval_ / 2; }
    void become(Liveness liveness, Moment now);
    Step begin_round(Moment now, Nanoseconds patience);
    Step in_suspicion(Moment now, bool slept, Nanoseconds patience);

    Nanoseconds interval_;
    std::uint32_t dead_after_;
    Liveness liveness_ = Liveness::unknown;
    Moment since_;
    Moment last_heard_;

    // While suspect.
    Moment judge_at_{};
    Moment next_probe_{};
    Nanoseconds probe_gap_{0};
    unsigned probes_ = 0;
    unsigned probes_left_ = 0;
    unsigned postponed_ = 0;
    bool answered_ = false;
    // While dead or unknown.
    Moment next_question_{};

    std::uint64_t suspected_ = 0;
    std::uint64_t died_ = 0;
};

}  // namespace bascule::sync
