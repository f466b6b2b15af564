// SPDX-License-Identifier: Apache-2.0
#include "sync/table_index.h"

#include <algorithm>
#include <utility>

namespace bascule::sync {

TableIndex::TableIndex(TableWalk& walk, const CommonTargets& common, std::size_t room, bool closing,
                       std::function<void(Moment)> done)
    : walk_(walk), common_(common), room_(room), closing_(closing), done_(std::move(done)) {
    place_.fill(nowhere);
}

void TableIndex::collect(const std::vector<std::uint32_t>& which) {
    clear();
    parts_.resize(which.size());
    for (std::size_t i = 0; i < which.size(); ++i) {
        parts_[i].partition = which[i];
        place_[which[i]] = static_cast<std::uint16_t>(i);
    }
    covered_ = parts_.size();
    walk_.start(*this);
}

void TableIndex::clear() {
    walk_.stop(*this);
    parts_.clear();
    place_.fill(nowhere);
    covered_ = entries_ = 0;
}

void TableIndex::visit(const Flow& flow, const StoredSession& session,
                       const Fingerprinter::Prints& prints) {
    const std::uint16_t place = place_[prints.partition];
    if (place == nowhere || !common_.contains(session.target)) return;
    Part& part = parts_[place];
    const bool established = session.state == StoredSession::State::established;
    if (!established && !closing_) return;
    if (established) {
        part.digest += prints.fingerprint;
        ++part.count;
    }
    if (place >= covered_) return;
    if (entries_ >= room_) make_room();
    if (place >= covered_) return;
    if (entries_ >= room_) {
        part.cut = true;
        return;
    }
    (established ? part.sessions : part.closing).push_back({prints.fingerprint, flow});
    ++entries_;
}

// The last quarter of the partitions is not listed after all: they are about equally large. One is
// always kept.
void TableIndex::make_room() {
    const std::size_t keep = std::max<std::size_t>(covered_ - (covered_ + 3) / 4, 1);
    for (std::size_t i = keep; i < covered_; ++i)
        release(parts_[i]);
    covered_ = keep;
}

void TableIndex::release(Part& part) {
    entries_ -= part.sessions.size() + part.closing.size();
    part.sessions = {};
    part.closing = {};
}

void TableIndex::on_walked(Moment now) {
    done_(now);
}

TableIndex::Part* TableIndex::find(std::uint32_t partition) {
    const std::uint16_t place = place_[partition];
    if (place >= covered_) return nullptr;
    Part& part = parts_[place];
    if (!std::is_sorted(part.sessions.begin(), part.sessions.end()))
        std::sort(part.sessions.begin(), part.sessions.end());
    if (!std::is_sorted(part.closing.begin(), part.closing.end()))
        std::sort(part.closing.begin(), part.closing.end());
    return &part;
}

void TableIndex::drop(std::uint32_t partition) {
    const std::uint16_t place = place_[partition];
    if (place < covered_) release(parts_[place]);
}

}  // namespace bascule::sync
