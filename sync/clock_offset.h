// SPDX-License-Identifier: Apache-2.0
// How far this node's data plane's clock is ahead of a peer's. Whole seconds, modulo 2^32. Pure.
//
// A message that took long shows a clock that is too far ahead, never one that is too far behind:
// so the least that was seen is the truth, less what clocks drift. It may therefore rise, but only
// by a second a minute: else a queue that is drained for minutes would make its records younger.
// (Clocks drift by less than a second in half an hour; a peer that was halted for long comes by a
// new stream, which begins anew.)
#pragma once

#include <cstdint>

#include "sync/moment.h"
#include "sync/session_record.h"

namespace bascule::sync {

class ClockOffset {
public:
    // A new stream: what the peer's Hello showed.
    void begin(Seconds32 own, Seconds32 theirs, Moment now);
    // A message with the peer's clock has come.
    void sample(Seconds32 own, Seconds32 theirs, Moment now);

    Seconds32 to_own(Seconds32 theirs) const { return theirs + offset_; }

private:
    Seconds32 offset_ = 0;
    Seconds32 least_ = 0;  // of this minute
    Moment minute_{};      // since when
};

}  // namespace bascule::sync
