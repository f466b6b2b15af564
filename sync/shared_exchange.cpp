// SPDX-License-Identifier: Apache-2.0
#include "sync/shared_exchange.h"

#include <algorithm>
#include <array>

#include "sync/codec_bounds.h"

namespace bascule::sync {

namespace {

// Heartbeats overtake what is pushed: only a difference that lasts is one.
constexpr unsigned lasting = 2;

// Into messages of a bounded size; one at least when there is something wanted.
std::vector<SharedItems> in_messages(const std::vector<const SharedItem*>& items,
                                     std::vector<std::uint32_t> wanted) {
    std::vector<SharedItems> messages(1);
    std::size_t bytes = 0;
    for (const SharedItem* item : items) {
        if (bytes + items_bytes(*item) > SharedExchange::most_message_bytes) {
            messages.emplace_back();
            bytes = 0;
        }
        bytes += items_bytes(*item);
        messages.back().items.push_back(*item);
    }
    // The last: by then the hearer knows all that it need not send.
    messages.back().wanted = std::move(wanted);
    if (messages.back().items.empty() && messages.back().wanted.empty()) messages.pop_back();
    return messages;
}

using Buckets = std::array<std::vector<const SharedItem*>, shared_buckets>;

Buckets by_bucket(const SharedMap& map) {
    Buckets buckets;
    for (const auto& [name, item] : map.items())
        buckets[bucket_of(item.key)].push_back(&item);
    return buckets;
}

}  // namespace

std::vector<SharedToSend> SharedExchange::push(const std::vector<SharedItem>& items) {
    std::vector<const SharedItem*> all;
    for (const SharedItem& item : items)
        all.push_back(&item);
    std::vector<SharedToSend> send;
    for (auto& message : in_messages(all, {}))
        send.push_back({every_peer, std::move(message)});
    return send;
}

// ---- asking ----

SharedToSend SharedExchange::ask(std::size_t number, Peer& peer) {
    peer.same.clear();
    return {number, SharedDigests{map_.bucket_digests()}};
}

std::vector<SharedToSend> SharedExchange::on_connected(std::size_t peer) {
    Peer& now = peers_[peer];
    now = Peer{};
    return {ask(peer, now)};
}

void SharedExchange::on_peer_digest(std::size_t peer, std::uint64_t digest) {
    peers_[peer].digest = digest;
}

std::vector<SharedToSend> SharedExchange::tick() {
    std::vector<SharedToSend> send;
    const std::uint64_t ours = map_.digest();
    for (auto& [number, peer] : peers_) {
        peer.answers = 0;
        if (!peer.digest || *peer.digest == ours) {
            peer.differs = 0;
            continue;
        }
        if (++peer.differs < lasting) continue;
        const bool moved = peer.asked_ours != ours || peer.asked_theirs != *peer.digest;
        if (moved) {
            peer.wait = 0;
            peer.pause = 1;
        }
        if (peer.wait > 0 && --peer.wait > 0) continue;
        send.push_back(ask(number, peer));
        peer.asked_ours = ours;
        peer.asked_theirs = *peer.digest;
        peer.wait = peer.pause;
        peer.pause = std::min(2 * peer.pause, longest_pause);
    }
    return send;
}

std::size_t SharedExchange::in_step() const {
    const std::uint64_t ours = map_.digest();
    return static_cast<std::size_t>(
        std::count_if(peers_.begin(), peers_.end(),
                      [&](const auto& peer) { return peer.second.digest == ours; }));
}

// ---- answering ----

bool SharedExchange::may_answer(Peer& peer) {
    if (peer.answers >= most_answers) {
        ++ignored_;
        return false;
    }
    ++peer.answers;
    return true;
}

SharedExchange::Outcome SharedExchange::on_message(std::size_t peer, const StreamMessage& message) {
    Outcome outcome;
    Peer& from = peers_[peer];
    if (const auto* items = std::get_if<SharedItems>(&message)) {
        take_items(from, *items, outcome);
        if (!items->wanted.empty() && may_answer(from)) {
            answer(peer, from, items->wanted, false, outcome);
            from.same.clear();
        }
    }
    const auto* digests = std::get_if<SharedDigests>(&message);
    if (digests == nullptr || digests->buckets.size() != shared_buckets) return outcome;
    std::vector<std::uint32_t> differing;
    for (std::uint32_t i = 0; i < shared_buckets; i++)
        if (digests->buckets[i] != map_.bucket_digests()[i]) differing.push_back(i);
    if (!differing.empty() && may_answer(from)) {
        from.same.clear();
        answer(peer, from, std::move(differing), true, outcome);
    }
    return outcome;
}

void SharedExchange::take_items(Peer& peer, const SharedItems& message, Outcome& outcome) {
    if (peer.same.size() + message.items.size() > most_shared_items) peer.same.clear();
    for (const SharedItem& item : message.items) {
        const auto applied = map_.apply(item);
        using enum SharedMap::Applied;
        if (applied == newer || applied == known) peer.same.insert(fingerprint_of(item));
        if (applied == newer) outcome.changed.push_back(item.key);
        outcome.to_keep |= applied == newer || applied == taken_back;
        if (applied != refused || !outcome.refusal.empty()) continue;
        const std::string flaw = flaw_of(item);
        outcome.refusal = flaw.empty() ? "there is no room for more" : flaw;
    }
}

// Each time another bucket is the first, so that one which never comes out equal is in nobody's
// way.
void SharedExchange::answer(std::size_t number, Peer& peer, std::vector<std::uint32_t> buckets,
                            bool want, Outcome& outcome) {
    std::sort(buckets.begin(), buckets.end());
    std::erase_if(buckets, [](std::uint32_t bucket) { return bucket >= shared_buckets; });
    const auto first = std::lower_bound(buckets.begin(), buckets.end(), peer.next);
    std::rotate(buckets.begin(), first, buckets.end());

    const Buckets all = by_bucket(map_);
    std::vector<const SharedItem*> items;
    std::size_t bytes = 0;
    std::size_t taken = 0;
    while (taken < buckets.size() && bytes < most_exchange_bytes) {
        const std::uint32_t bucket = buckets[taken++];
        for (const SharedItem* item : all[bucket]) {
            if (!peer.same.empty() && peer.same.contains(fingerprint_of(*item))) continue;
            items.push_back(item);
            bytes += items_bytes(*item);
        }
        peer.next = bucket + 1;
    }
    buckets.resize(taken);
    std::sort(buckets.begin(), buckets.end());
    if (!want) buckets.clear();
    for (auto& message : in_messages(items, std::move(buckets)))
        outcome.send.push_back({number, std::move(message)});
}

}  // namespace bascule::sync
