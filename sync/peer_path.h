// SPDX-License-Identifier: Apache-2.0
// One path to one peer: numbers what is sent, keeps out what was heard before, measures. Pure.
#pragma once

#include <cstdint>

#include "sync/echo_book.h"
#include "sync/heartbeat.h"
#include "sync/moment.h"
#include "sync/round_trip.h"
#include "sync/sequence_window.h"

namespace bascule::sync {

class PeerPath {
public:
    // ---- out ----
    std::uint64_t next_sequence() { return ++sent_; }
    std::vector<Echo> echoes(Moment since, Moment now) { return book_.echoes(since, now); }
    // So that answers cannot be asked for without end: `most` until the next call.
    void allow_answers(unsigned most) { answers_left_ = most; }
    bool may_answer() { return answers_left_ > 0 && answers_left_-- > 0; }

    // ---- in ----
    // What of it echoes this run (`self`), sent after `since`. Nullptr: nothing.
    const Echo* proof(const Heartbeat& heartbeat, Incarnation self, Moment since, Moment now) const;
    // Another incarnation counts from now on: its numbers begin anew.
    void adopt(Incarnation incarnation);
    // False: its number was seen before.
    bool take(std::uint64_t sequence) { return window_.take(sequence); }
    // `late`: it has waited in our socket, nobody knows how long.
    void heard(const Heartbeat& heartbeat, Moment now, bool late);
    // It is not known to be fresh, and has to be told that it was heard to become so.
    void heard_unproven(const Heartbeat& heartbeat, Moment now, bool late) {
        book_.heard(heartbeat, now, late);
    }
    // `measure`: the round trip is one; not when this node slept meanwhile.
    void echoed(const Echo& echo, Moment now, bool measure);
    void refuse_replayed() { ++replayed_; }
    void refuse_late() { ++late_; }

    // ---- what is known ----
    bool heard_since(Moment moment) const { return received_ > 0 && last_heard_ >= moment; }
    bool echoed_since(Moment moment) const { return last_echoed_ > 0 && echoed_sent_ >= moment; }
    Moment last_heard() const { return last_heard_; }
    const RoundTrip& round_trip() const { return round_trip_; }
    double loss(Moment now, Nanoseconds interval) const;
    std::uint64_t received() const { return received_; }
    std::uint64_t replayed() const { return replayed_; }
    std::uint64_t late() const { return late_; }

private:
    std::uint64_t sent_ = 0;
    unsigned answers_left_ = 0;
    EchoBook book_;
    SequenceWindow window_;
    Moment last_heard_{};
    std::uint64_t last_echoed_ = 0;  // our newest number that was echoed
    Moment echoed_sent_{};           // when that one was sent
    RoundTrip round_trip_;
    std::uint64_t received_ = 0;
    std::uint64_t replayed_ = 0;
    std::uint64_t late_ = 0;
};

// Our own time as heartbeats carry it, and back. Any value is a moment: nothing hangs on its sense.
inline std::uint64_t to_wire(Moment moment) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<Nanoseconds>(moment.time_since_epoch()).count());
}

inline Moment from_wire(std::uint64_t sent) {
    return Moment(Nanoseconds(static_cast<std::int64_t>(sent)));
}

}  // namespace bascule::sync
