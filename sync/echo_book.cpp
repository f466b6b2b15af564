// SPDX-License-Identifier: Apache-2.0
#include "sync/echo_book.h"

#include <algorithm>

namespace bascule::sync {

void EchoBook::heard(const Heartbeat& heartbeat, Moment now, bool late) {
    Entry& entry = place_for(heartbeat.incarnation);
    // One that was overtaken says less than the one that is there.
    if (entry.incarnation == heartbeat.incarnation && heartbeat.sent < entry.sent) return;
    if (entry.incarnation != heartbeat.incarnation) entry = {.incarnation = heartbeat.incarnation};
    entry.sequence = heartbeat.sequence;
    entry.sent = heartbeat.sent;
    entry.heard = now;
    entry.late = late;
}

void EchoBook::adopt(Incarnation incarnation) {
    std::erase_if(entries_, [this](const Entry& entry) { return entry.incarnation == adopted_; });
    adopted_ = incarnation;
}

EchoBook::Entry& EchoBook::place_for(Incarnation incarnation) {
    const auto known = std::ranges::find(entries_, incarnation, &Entry::incarnation);
    if (known != entries_.end()) return *known;
    if (entries_.size() <= most_unproven) return entries_.emplace_back();
    // The one that counts keeps its place.
    return *std::ranges::max_element(entries_, [this](const Entry& one, const Entry& other) {
        if ((one.incarnation == adopted_) != (other.incarnation == adopted_))
            return one.incarnation == adopted_;
        return one.echoed != other.echoed ? one.echoed < other.echoed : one.heard > other.heard;
    });
}

std::vector<Echo> EchoBook::echoes(Moment since, Moment now) {
    std::erase_if(entries_, [since](const Entry& entry) { return entry.heard < since; });
    std::vector<Echo> told;
    Entry* least = nullptr;
    for (Entry& entry : entries_) {
        if (entry.incarnation == adopted_)
            told.push_back(echo_of(entry, now));
        else if (least == nullptr || entry.echoed < least->echoed ||
                 (entry.echoed == least->echoed && entry.heard > least->heard))
            least = &entry;
    }
    if (least != nullptr) told.push_back(echo_of(*least, now));
    return told;
}

Echo EchoBook::echo_of(Entry& entry, Moment now) {
    ++entry.echoed;
    const auto held = std::chrono::duration_cast<Nanoseconds>(now - entry.heard).count();
    return {.incarnation = entry.incarnation,
            .sequence = entry.sequence,
            .sent = entry.sent,
            .held = entry.late ? ~std::uint64_t{0}
                               : static_cast<std::uint64_t>(std::max<std::int64_t>(held, 0))};
}

}  // namespace bascule::sync
