// SPDX-License-Identifier: Apache-2.0
#include "sync/table_walk.h"

#include <algorithm>

namespace bascule::sync {
namespace {

// About two milliseconds of work.
constexpr std::size_t enough_sessions = 12'000;
constexpr int most_steps = 16;

}  // namespace

void TableWalk::start(TableVisitor& visitor) {
    stop(visitor);
    walkers_.push_back({&visitor, parts_});
}

void TableWalk::stop(TableVisitor& visitor) {
    std::erase_if(walkers_, [&](const Walker& each) { return each.visitor == &visitor; });
}

bool TableWalk::is_walking(const TableVisitor& visitor) const {
    return std::any_of(walkers_.begin(), walkers_.end(),
                       [&](const Walker& each) { return each.visitor == &visitor; });
}

void TableWalk::advance(Moment now) {
    std::size_t seen = 0;
    for (int steps = 0; steps < most_steps && seen < enough_sessions && !walkers_.empty();
         ++steps) {
        seen += step();
        finish(now);
    }
}

std::size_t TableWalk::step() {
    std::size_t seen = 0;
    store_.walk(part_, parts_, [&](const Flow& flow, const StoredSession& session) {
        ++seen;
        const Fingerprinter::Prints prints = prints_.of(flow, session.target);
        for (const Walker& each : walkers_)
            each.visitor->visit(flow, session, prints);
    });
    part_ = (part_ + 1) % parts_;
    for (Walker& each : walkers_)
        --each.left;
    return seen;
}

// One at a time: what it does may change who walks.
void TableWalk::finish(Moment now) {
    for (;;) {
        const auto done = std::find_if(walkers_.begin(), walkers_.end(),
                                       [](const Walker& each) { return each.left == 0; });
        if (done == walkers_.end()) return;
        TableVisitor* visitor = done->visitor;
        walkers_.erase(done);
        visitor->on_walked(now);
    }
}

}  // namespace bascule::sync
