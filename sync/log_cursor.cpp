// SPDX-License-Identifier: Apache-2.0
#include "sync/log_cursor.h"

#include <fmt/format.h>

#include <algorithm>

#include "sync/codec.h"

namespace bascule::sync {

void LogCursor::connect(const DeltaLog& log, std::optional<std::uint64_t> received, Moment now) {
    gap_ = 0;
    gap_untold_ = false;
    acknowledged_ = std::min(received.value_or(0), log.newest());
    next_ = acknowledged_ + 1;
    const bool goes_on = received && next_ >= log.oldest();
    if (goes_on || log.newest() == 0) return;
    // Who has nothing has missed nothing: it is only told where the log is.
    const bool missed = received.has_value();
    gap_untold_ = true;
    gap_since_ = now;
    next_ = log.newest() + 1;
    if (missed) ++gaps_;
}

void LogCursor::lose(const DeltaLog& log, Moment now) {
    // One that it has not acknowledged waits for longer than this one.
    if (!in_gap()) gap_since_ = now;
    if (!gap_untold_) ++gaps_;
    gap_untold_ = true;
    next_ = log.newest() + 1;
}

Frame LogCursor::next(const DeltaLog& log, Moment now) {
    if (is_overtaken(log)) lose(log, now);
    if (gap_untold_) {
        gap_untold_ = false;
        gap_ = log.newest();
        next_ = gap_ + 1;
        return encode(Gap{gap_});
    }
    const DeltaLog::Kept* kept = log.find(next_);
    if (kept == nullptr) return nullptr;
    if (next_ == acknowledged_ + 1) waiting_since_ = kept->made;
    ++next_;
    sent_ += kept->records;
    return kept->frame;
}

Result<void> LogCursor::acknowledge(const Ack& ack, const DeltaLog& log, Moment now) {
    if (ack.number >= next_)
        return failure(
            fmt::format("batch {} is acknowledged, but {} were sent", ack.number, next_ - 1));
    if (ack.number < acknowledged_)
        return failure(fmt::format("batch {} is acknowledged after {}", ack.number, acknowledged_));
    if (ack.number > acknowledged_) waiting_since_ = now;
    acknowledged_ = ack.number;
    if (const DeltaLog::Kept* kept = log.find(ack.number)) last_lag_ = now - kept->made;
    return {};
}

Nanoseconds LogCursor::waiting(const DeltaLog& log, Moment now) const {
    if (in_gap()) return now - gap_since_;
    if (const DeltaLog::Kept* oldest = log.find(acknowledged_ + 1)) return now - oldest->made;
    // It was sent, and the log has had no room for it since.
    return acknowledged_ + 1 < next_ ? now - waiting_since_ : Nanoseconds{0};
}

std::optional<Nanoseconds> LogCursor::lag(const DeltaLog& log, Moment now) const {
    const Nanoseconds waits = waiting(log, now);
    if (waits == Nanoseconds{0}) return last_lag_;
    return std::max(waits, last_lag_.value_or(waits));
}

}  // namespace bascule::sync
