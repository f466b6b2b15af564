// SPDX-License-Identifier: Apache-2.0
// Where a peer stands in the log: what it was sent, what it has acknowledged, and the gap that it
// has to be told of when the log no longer has what it needs.
//
// Thread: the session thread's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "sync/delta_log.h"

namespace bascule::sync {

class LogCursor {
public:
    // A new stream. `received`: the newest batch that the peer has of this very log; none: nothing.
    void connect(const DeltaLog& log, std::optional<std::uint64_t> received, Moment now);
    // The log no longer has what comes next for the peer.
    bool is_overtaken(const DeltaLog& log) const {
        return !gap_untold_ && next_ <= log.newest() && next_ < log.oldest();
    }
    // The log has lost something, or has gone on without it: the peer has to be told.
    void lose(const DeltaLog& log, Moment now);

    // The next frame of the log for the peer; nullptr: it has all.
    Frame next(const DeltaLog& log, Moment now);
    bool has_next(const DeltaLog& log) const { return gap_untold_ || next_ <= log.newest(); }
    // Error: nothing like it was sent.
    Result<void> acknowledge(const Ack& ack, const DeltaLog& log, Moment now);

    // The oldest batch that is still to be kept for the peer.
    std::uint64_t needs() const { return gap_untold_ ? next_ : std::max(acknowledged_, gap_) + 1; }
    // It was, or is to be, told of a gap, and has not yet said that it knows.
    bool in_gap() const { return gap_untold_ || acknowledged_ < gap_; }

    // How long the oldest batch that it has not acknowledged, or a gap, is waiting; 0: none is.
    Nanoseconds waiting(const DeltaLog& log, Moment now) const;
    // Of the last acknowledged batch, or for how long now one waits, whichever is more.
    std::optional<Nanoseconds> lag(const DeltaLog& log, Moment now) const;
    std::uint64_t sent() const { return sent_; }  // records
    std::uint64_t gaps() const { return gaps_; }

private:
    std::uint64_t next_ = 1;  // to be sent
    std::uint64_t acknowledged_ = 0;
    std::uint64_t gap_ = 0;  // number in the last Gap of this stream; 0: none
    bool gap_untold_ = false;
    Moment gap_since_{};
    // The oldest batch that was sent and not acknowledged was made, or the one before it was
    // acknowledged.
    Moment waiting_since_{};
    std::optional<Nanoseconds> last_lag_;
    std::uint64_t sent_ = 0;
    std::uint64_t gaps_ = 0;
};

}  // namespace bascule::sync
