// SPDX-License-Identifier: Apache-2.0
// What a walk over the table found in some partitions: a digest and a count of each, and the
// sessions by their fingerprints, as far as there is room for them. Sessions are listed for a first
// part of the partitions (covers()); for the others there are digests only.
//
// Thread: the session thread's. Bound: `room` entries.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "sync/common_targets.h"
#include "sync/table_walk.h"

namespace bascule::sync {

class TableIndex : public TableVisitor {
public:
    struct Entry {
        std::uint64_t fingerprint = 0;
        Flow flow;

        bool operator<(const Entry& other) const { return fingerprint < other.fingerprint; }
    };
    struct Part {
        std::uint32_t partition = 0;
        std::uint64_t digest = 0;     // sum over established sessions of common targets
        std::uint32_t count = 0;      // of those
        std::vector<Entry> sessions;  // those, rising
        std::vector<Entry> closing;   // those that are closing, if they were wanted
        bool cut = false;             // sessions are missing, as there was no room
    };

    // `done` is called when the table was walked. `room`: entries. `closing`: list them, too.
    TableIndex(TableWalk& walk, const CommonTargets& common, std::size_t room, bool closing,
               std::function<void(Moment)> done);
    ~TableIndex() override { clear(); }
    TableIndex(const TableIndex&) = delete;
    TableIndex& operator=(const TableIndex&) = delete;

    // Begins a walk for these partitions, which rise; what was found before is forgotten.
    void collect(const std::vector<std::uint32_t>& which);
    void clear();

    const std::vector<Part>& parts() const { return parts_; }
    // How many of parts() have their sessions listed.
    std::size_t covered() const { return covered_; }
    // Its entries are in order; nullptr: not listed.
    Part* find(std::uint32_t partition);
    // Its entries are not needed any more.
    void drop(std::uint32_t partition);

    void visit(const Flow& flow, const StoredSession& session,
               const Fingerprinter::Prints& prints) override;
    void on_walked(Moment now) override;

private:
    static constexpr std::uint16_t nowhere = 0xffff;

    void make_room();
    void release(Part& part);

    TableWalk& walk_;
    const CommonTargets& common_;
    std::size_t room_;
    bool closing_;
    std::function<void(Moment)> done_;
    std::array<std::uint16_t, partitions> place_{};  // of a partition in parts_
    std::vector<Part> parts_;
    std::size_t covered_ = 0;
    std::size_t entries_ = 0;
};

}  // namespace bascule::sync
