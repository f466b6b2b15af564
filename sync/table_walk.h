// SPDX-License-Identifier: Apache-2.0
// Passes over the session table in steps that are short enough for the thread they run on. All who
// want to see the table share them: a visitor may come at any time, and has seen the whole table
// when the walk is again where it was.
//
// Thread: the session thread's.
#pragma once

#include <cstdint>
#include <vector>

#include "sync/fingerprint.h"
#include "sync/moment.h"
#include "sync/session_store.h"

namespace bascule::sync {

class TableVisitor {
public:
    virtual ~TableVisitor() = default;
    virtual void visit(const Flow& flow, const StoredSession& session,
                       const Fingerprinter::Prints& prints) = 0;
    // The whole table was seen. May start and stop walks.
    virtual void on_walked(Moment now) = 0;
};

class TableWalk {
public:
    // `parts`: how many steps there are in a pass.
    TableWalk(const SessionStore& store, const Fingerprinter& prints, std::uint32_t parts)
        : store_(store), prints_(prints), parts_(parts == 0 ? 1 : parts) {}

    // From the beginning, if it is walking already. It has to be stopped before it goes.
    void start(TableVisitor& visitor);
    void stop(TableVisitor& visitor);
    bool is_walking(const TableVisitor& visitor) const;

    // Some steps: one at least, and more while they show few sessions.
    void advance(Moment now);

private:
    struct Walker {
        TableVisitor* visitor = nullptr;
        std::uint32_t left = 0;
    };
    std::size_t step();
    void finish(Moment now);

    const SessionStore& store_;
    const Fingerprinter& prints_;
    std::uint32_t parts_;
    std::uint32_t part_ = 0;
    std::vector<Walker> walkers_;
};

}  // namespace bascule::sync
