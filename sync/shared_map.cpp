// SPDX-License-Identifier: Apache-2.0
#include "sync/shared_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace bascule::sync {

namespace {

// Between two floors: each is a message to all, and a write on every disk.
constexpr HybridTime floor_step = hybrid_from(3600 * 1000);

std::size_t size_of(const SharedItem& item) {
    return item.key.size() + item.value.size() + item.origin.size();
}

HybridTime memory_before(HybridTime time) {
    return time - std::min(time, hybrid_from(shared_memory));
}

// 0: none. One that were not older than itself could make what is said next be taken for forgotten.
HybridTime floor_of(const SharedItem& item) {
    HybridTime floor = 0;
    const char* end = item.value.data() + item.value.size();
    const auto read = std::from_chars(item.value.data(), end, floor, 16);
    const bool whole = read.ec == std::errc() && read.ptr == end;
    return whole && floor <= memory_before(item.time) ? floor : 0;
}

}  // namespace

SharedMap::SharedMap(std::string self, HybridTime last)
    : self_(std::move(self)), clock_(last), buckets_(shared_buckets) {}

// ---- asking ----

const SharedItem* SharedMap::find(const std::string& key, WallMilliseconds now) const {
    if (has_register_for_each_origin(kind_of(key))) return most_severe(key, now);
    const auto found = items_.find(key);
    if (found == items_.end() || found->second.removed || has_expired(found->second, now))
        return nullptr;
    return &found->second;
}

const SharedItem* SharedMap::most_severe(const std::string& key, WallMilliseconds now) const {
    const std::string registers = key + register_separator;
    const SharedItem* most = nullptr;
    for (auto at = items_.lower_bound(registers);
         at != items_.end() && at->first.starts_with(registers); ++at) {
        const SharedItem& item = at->second;
        if (item.removed || has_expired(item, now)) continue;
        if (most == nullptr || item.value > most->value ||
            (item.value == most->value && item.time > most->time))
            most = &item;
    }
    return most;
}

std::vector<SharedItem> SharedMap::of_kind(const std::string& kind, WallMilliseconds now) const {
    const std::string keys = kind + "/";
    std::vector<SharedItem> found;
    const std::string* last = nullptr;
    for (auto at = items_.lower_bound(keys); at != items_.end() && at->first.starts_with(keys);
         ++at) {
        if (last != nullptr && *last == at->second.key) continue;
        last = &at->second.key;
        if (const SharedItem* item = find(*last, now)) found.push_back(*item);
    }
    return found;
}

WallMilliseconds SharedMap::now(WallMilliseconds wall) const {
    return std::max(wall, milliseconds_of(clock_.last()));
}

// ---- saying ----

Result<SharedItem> SharedMap::make(const std::string& key, const std::string& value,
                                   WallMilliseconds wall, WallMilliseconds expires) {
    SharedItem item{key, value, clock_.next(wall), self_, false, expires};
    if (auto flaw = flaw_of(item); !flaw.empty()) return failure(std::move(flaw));
    if (auto flaw = flaw_of_room(item); !flaw.empty()) return failure(std::move(flaw));
    return item;
}

std::vector<SharedItem> SharedMap::make_removal(const std::string& key, WallMilliseconds wall) {
    std::vector<SharedItem> tombstones;
    for (auto at = items_.lower_bound(key); at != items_.end() && at->first.starts_with(key);
         ++at) {
        const SharedItem& item = at->second;
        if (item.key != key || item.removed) continue;
        const bool by_origin = has_register_for_each_origin(kind_of(key));
        tombstones.push_back(
            {key, "", clock_.next(wall), by_origin ? item.origin : self_, true, 0});
    }
    return tombstones;
}

// What takes the place of another is not one more.
std::string SharedMap::flaw_of_room(const SharedItem& item) const {
    const auto found = items_.find(register_of(item));
    const bool more = found == items_.end();
    if (more && items_.size() >= most_shared_items)
        return fmt::format(
            "{} items are kept already, which is the most (what was taken back "
            "counts until all nodes have been in step)",
            most_shared_items);
    const std::size_t freed = more ? 0 : size_of(found->second);
    if (bytes_ - freed + size_of(item) > most_shared_bytes)
        return fmt::format("there is no room: all items together have at most {} bytes",
                           most_shared_bytes);
    return "";
}

bool SharedMap::full() const {
    return items_.size() >= most_shared_items ||
           bytes_ + most_shared_key + most_shared_value + most_shared_origin > most_shared_bytes;
}

// ---- taking in ----

SharedMap::Applied SharedMap::apply(const SharedItem& item) {
    if (!flaw_of(item).empty()) {
        ++refused_;
        return Applied::refused;
    }
    clock_.saw(item.time);
    const std::string name = register_of(item);
    const auto found = items_.find(name);
    if (found != items_.end()) {
        if (found->second == item) return Applied::known;
        if (!beats(item, found->second)) return Applied::older;
    }
    // A tombstone of what is forgotten may be older than this one: it is no answer to it.
    const bool none = found == items_.end();
    const bool is_forgotten = item.time < forgotten_ && (none || found->second.removed);
    if (is_forgotten && none && item.removed) return Applied::older;
    SharedItem placed = item;
    if (is_forgotten) placed = {item.key, "", item.time, item.origin, true, 0};
    if (!flaw_of_room(placed).empty()) {
        ++refused_;
        return Applied::refused;
    }
    place(name, placed);
    return is_forgotten && !item.removed ? Applied::taken_back : Applied::newer;
}

void SharedMap::place(const std::string& name, const SharedItem& item) {
    SharedItem& slot = items_[name];
    std::uint64_t& bucket = buckets_[bucket_of(item.key)];
    if (slot.time != 0) bucket -= counted(slot);
    bytes_ = bytes_ - size_of(slot) + size_of(item);
    slot = item;
    bucket += counted(slot);
    if (item.key == shared_floor_key) follow_floor();
}

// ---- comparing ----

bool SharedMap::is_dead(const SharedItem& item, HybridTime before) const {
    return item.time < before && (item.removed || has_expired(item, milliseconds_of(before)));
}

std::uint64_t SharedMap::counted(const SharedItem& item) const {
    return is_dead(item, floor_) ? 0 : fingerprint_of(item);
}

std::uint64_t SharedMap::digest() const {
    const auto sum = std::accumulate(buckets_.begin(), buckets_.end(), std::uint64_t{0});
    return sum == 0 && !items_.empty() ? 1 : sum;
}

// ---- forgetting ----

void SharedMap::follow_floor() {
    floor_ = floor_of(items_.at(shared_floor_key));
    std::fill(buckets_.begin(), buckets_.end(), 0);
    for (const auto& [name, item] : items_)
        buckets_[bucket_of(item.key)] += counted(item);
}

std::optional<SharedItem> SharedMap::make_floor(std::uint64_t digest, WallMilliseconds wall) {
    if (digest != this->digest()) return std::nullopt;
    const HybridTime floor = memory_before(std::max(hybrid_from(wall), clock_.last()));
    if (floor < floor_ + floor_step) return std::nullopt;
    const bool worth_it = std::any_of(items_.begin(), items_.end(), [&](const auto& entry) {
        return is_dead(entry.second, floor) && !is_dead(entry.second, floor_);
    });
    if (!worth_it) return std::nullopt;
    auto item = make(shared_floor_key, fmt::format("{:016x}", floor), wall);
    if (!item) return std::nullopt;
    return *std::move(item);
}

bool SharedMap::forget(std::uint64_t digest) {
    if (digest != this->digest()) return false;
    const bool further = floor_ > forgotten_;
    if (further) forgotten_ = floor_;
    return drop_dead(floor_) || further;
}

bool SharedMap::forget_alone(WallMilliseconds wall) {
    if (items_.size() <= most_shared_items / 2 && bytes_ <= most_shared_bytes / 2) return false;
    return drop_dead(memory_before(std::max(hybrid_from(wall), clock_.last())));
}

bool SharedMap::drop_dead(HybridTime before) {
    return std::erase_if(items_, [&](const auto& entry) {
               const SharedItem& item = entry.second;
               if (!is_dead(item, before)) return false;
               buckets_[bucket_of(item.key)] -= counted(item);
               bytes_ -= size_of(item);
               return true;
           }) > 0;
}

}  // namespace bascule::sync
