// SPDX-License-Identifier: Apache-2.0
// The log of what becomes of sessions here: records are gathered into batches, each numbered and
// encoded once, whoever it goes to. Kept until it is told that nobody needs them, but never more
// bytes than were allowed: then the oldest go first.
//
// Thread: the session thread's. Invariant: kept batches have consecutive numbers, up to newest().
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "sync/messages.h"

namespace bascule::sync {

class DeltaLog {
public:
    struct Options {
        std::size_t bytes = 0;    // of whole frames
        std::size_t records = 0;  // a batch is full with so many
        Nanoseconds delay{0};     // and waits no longer than this for more
    };
    struct Kept {
        Frame frame;
        Moment made{};  // when its first record came
        std::size_t records = 0;
    };

    explicit DeltaLog(const Options& options) : options_(options) {}

    void add(const SessionRecord& record, Moment now);
    // A batch is to be closed: it is full, or has waited.
    bool due(Moment now) const;
    bool has_open() const { return !open_.empty(); }
    // Makes a batch of what was added. `clock`: the data plane's, by which the records are.
    // Not `wanted`: its number is used and nothing is kept.
    void close(Seconds32 clock, bool wanted);
    // Something is missing from the log: all that was gathered is forgotten, and a number with it,
    // so that nobody takes the rest for the whole.
    void lose();

    std::uint64_t newest() const { return newest_; }  // 0: none was made yet
    std::uint64_t oldest() const { return newest_ + 1 - kept_.size(); }
    // Nullptr: is not kept.
    const Kept* find(std::uint64_t number) const;
    // Nobody needs those before `number` any more.
    void drop_before(std::uint64_t number);
    std::size_t bytes() const { return bytes_; }

private:
    void drop_oldest();

    Options options_;
    std::vector<SessionRecord> open_;
    Moment opened_{};
    std::deque<Kept> kept_;
    std::uint64_t newest_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace bascule::sync
