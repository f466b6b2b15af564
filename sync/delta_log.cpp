// SPDX-License-Identifier: Apache-2.0
#include "sync/delta_log.h"

#include <utility>

#include "sync/codec.h"

namespace bascule::sync {

void DeltaLog::add(const SessionRecord& record, Moment now) {
    if (open_.empty()) opened_ = now;
    open_.push_back(record);
}

bool DeltaLog::due(Moment now) const {
    if (open_.empty()) return false;
    return open_.size() >= options_.records || now - opened_ >= options_.delay;
}

void DeltaLog::close(Seconds32 clock, bool wanted) {
    if (open_.empty()) return;
    ++newest_;
    if (!wanted) {
        open_.clear();
        while (!kept_.empty())
            drop_oldest();
        return;
    }
    const std::size_t records = open_.size();
    const auto made = static_cast<std::uint64_t>(opened_.time_since_epoch().count());
    Frame frame = encode(Batch{newest_, clock, made, std::exchange(open_, {})});
    open_.reserve(records);
    bytes_ += frame->size();
    kept_.push_back({std::move(frame), opened_, records});
    while (bytes_ > options_.bytes && !kept_.empty())
        drop_oldest();
}

void DeltaLog::lose() {
    open_.clear();
    while (!kept_.empty())
        drop_oldest();
    ++newest_;
}

const DeltaLog::Kept* DeltaLog::find(std::uint64_t number) const {
    if (number < oldest() || number > newest_) return nullptr;
    return &kept_[number - oldest()];
}

void DeltaLog::drop_before(std::uint64_t number) {
    while (!kept_.empty() && oldest() < number)
        drop_oldest();
}

void DeltaLog::drop_oldest() {
    bytes_ -= kept_.front().frame->size();
    kept_.pop_front();
}

}  // namespace bascule::sync
