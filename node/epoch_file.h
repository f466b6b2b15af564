// SPDX-License-Identifier: Apache-2.0
// Epochs on disk: a number above every epoch that this node has claimed, kept a block ahead, so
// that a restart never claims one again and no disk stands in the way of a takeover.
//
// What is wrong with the file or its disk is a warning: without it the epochs that peers tell are
// still above what they have seen. Thread: control, since it flushes to disk; never the heartbeat
// thread.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "base/result.h"
#include "sync/vip_claim.h"

namespace bascule::node {

class EpochFile {
public:
    // So many epochs are reserved at a time; the next block when half of one is used up.
    static constexpr sync::Epoch block = 1024;

    // Reads `path` (it need not be there) and reserves the first block of this run. Never fails: a
    // file that makes no sense counts as none, and is written anew. warning() tells.
    static EpochFile open(std::string path);

    // Every own claim of this run is above it.
    sync::Epoch floor() const { return floor_; }

    // `highest` has been heard or made. Writes when half of the block is used up, else does
    // nothing. Fails when the disk does: then not again within `retry_time`, so that a slow disk is
    // not asked with every report.
    Result<void> reserve(sync::Epoch highest);
    static constexpr std::chrono::seconds retry_time{5};

    // What is wrong as of now, in words with the path; empty: nothing.
    const std::string& warning() const { return warning_; }

private:
    explicit EpochFile(std::string path) : path_(std::move(path)) {}
    Result<sync::Epoch> read() const;

    std::string path_;
    sync::Epoch floor_ = 0;
    sync::Epoch ceiling_ = 0;  // what is on disk
    std::string warning_;
    std::chrono::steady_clock::time_point not_before_{};
};

}  // namespace bascule::node
