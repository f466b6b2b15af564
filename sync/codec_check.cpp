// SPDX-License-Identifier: Apache-2.0
#include "sync/codec_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "sync/codec_bounds.h"
#include "sync/codec_columns.h"
#include "sync/heartbeat.h"

namespace bascule::sync {

namespace {

bool is_name_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= most_name && std::ranges::all_of(text, is_name_letter);
}

Result<void> at_most(const char* what, std::size_t count, std::size_t most) {
    if (count <= most) return {};
    return failure(fmt::format("{} {}, at most {}", count, what, most));
}

// Numbers of partitions or buckets: each at most once, so that they are not more than there are.
Result<void> rising(const google::protobuf::RepeatedField<std::uint32_t>& which,
                    std::uint32_t count, const char* what) {
    std::int64_t last = -1;
    for (const std::uint32_t one : which) {
        if (one >= count) return failure(fmt::format("{} {} of {}", what, one, count));
        if (one <= last)
            return failure(fmt::format("{}s that do not rise: {} after {}", what, one, last));
        last = one;
    }
    return {};
}

Result<void> check_partition(std::uint32_t partition) {
    if (partition < partitions) return {};
    return failure(fmt::format("partition {} of {}", partition, partitions));
}

Result<void> check_who(std::uint32_t version, std::uint64_t incarnation) {
    if (version == 0) return failure("no version");
    if (incarnation == 0) return failure("no incarnation");
    return {};
}

// A claim that breaks a bound makes all of them doubtful, and who took the rest for true might hold
// a VIP that another one has. An unknown role is none: a later release says what it must know.
Result<void> check(const wire::Claims& claims) {
    const auto& vips = claims.vips();
    const auto count = static_cast<std::size_t>(vips.size());
    if (auto fine = at_most("VIPs", count, most_vips); !fine) return fine;
    const auto epochs = static_cast<std::size_t>(claims.epochs_size());
    if (epochs != count || claims.priorities().size() != count || claims.states().size() != count)
        return failure(fmt::format("{} epochs, {} priorities and {} states of {} VIPs", epochs,
                                   claims.priorities().size(), claims.states().size(), count));
    if (!claims.holders().empty() && claims.holders().size() != count)
        return failure(fmt::format("{} holders of {} VIPs", claims.holders().size(), count));
    if (std::ranges::any_of(claims.epochs(), [](Epoch epoch) { return epoch > most_epoch; }))
        return failure(fmt::format("an epoch beyond {}", most_epoch));
    std::array<VipId, most_vips> sorted{};
    const auto end = std::copy(vips.begin(), vips.end(), sorted.begin());
    std::sort(sorted.begin(), end);
    if (std::adjacent_find(sorted.begin(), end) != end) return failure("a VIP twice");
    return {};
}

Result<void> check(const wire::Hello& hello) {
    if (auto fine = check_who(hello.version(), hello.incarnation()); !fine) return fine;
    if (!is_name(hello.cluster())) return failure("no name of a cluster");
    if (!is_name(hello.node())) return failure("no name of a node");
    return at_most("bytes of release", hello.release().size(), most_release);
}

Result<void> check(const wire::Batch& batch) {
    return check_columns(batch.records());
}

Result<void> check(const wire::Catalogue& catalogue) {
    const auto& targets = catalogue.targets();
    if (std::ranges::adjacent_find(targets, std::greater_equal<>()) != targets.end())
        return failure("targets that do not rise");
    return at_most("targets", static_cast<std::size_t>(targets.size()), most_targets);
}

Result<void> check(const wire::Digests& digests) {
    if (auto fine = rising(digests.which(), partitions, "partition"); !fine) return fine;
    const int compared =
        digests.which().empty() ? static_cast<int>(partitions) : digests.which_size();
    if (digests.digests_size() == compared && digests.counts_size() == compared) return {};
    return failure(fmt::format("{} digests and {} counts of {} partitions", digests.digests_size(),
                               digests.counts_size(), compared));
}

Result<void> check(const wire::Differing& differing) {
    return rising(differing.which(), partitions, "partition");
}

Result<void> check(const wire::Listing& listing) {
    if (auto fine = check_partition(listing.partition()); !fine) return fine;
    return at_most("fingerprints", static_cast<std::size_t>(listing.fingerprints_size()),
                   most_fingerprints);
}

Result<void> check(const wire::Repair& repair) {
    if (auto fine = check_partition(repair.partition()); !fine) return fine;
    auto fine = at_most("missing fingerprints", static_cast<std::size_t>(repair.missing_size()),
                        most_fingerprints);
    return fine ? check_columns(repair.records()) : fine;
}

Result<void> check(const wire::Supply& supply) {
    return check_columns(supply.records());
}

Result<void> check(const wire::SharedDigests& digests) {
    if (digests.buckets_size() == static_cast<int>(shared_buckets)) return {};
    return failure(fmt::format("{} buckets, not {}", digests.buckets_size(), shared_buckets));
}

Result<void> check(const wire::SharedItem& item) {
    if (item.key().empty()) return failure("an item without a key");
    if (!is_name(item.origin())) return failure("an item without an origin");
    if (item.removed() && !item.value().empty()) return failure("a value of what was removed");
    if (auto fine = at_most("bytes of key", item.key().size(), most_shared_key); !fine) return fine;
    return at_most("bytes of value", item.value().size(), most_shared_value);
}

Result<void> check(const wire::SharedItems& items) {
    if (auto fine =
            at_most("items", static_cast<std::size_t>(items.items_size()), most_shared_items);
        !fine)
        return fine;
    for (const wire::SharedItem& item : items.items()) {
        if (auto fine = check(item); !fine) return fine;
    }
    return rising(items.wanted(), shared_buckets, "bucket");
}

Result<void> check(const wire::Bye& bye) {
    return at_most("bytes of words", bye.why().size(), most_why);
}

Result<void> named(const char* kind, Result<void> result) {
    if (result) return result;
    return failure(std::move(result.error()).within(kind));
}

}  // namespace

Result<void> check(const wire::Heartbeat& heartbeat) {
    if (auto fine = check_who(heartbeat.version(), heartbeat.incarnation()); !fine) return fine;
    if (!is_name(heartbeat.node()) || !is_name(heartbeat.to())) return failure("no name of a node");
    if (auto fine = at_most("bytes of release", heartbeat.facts().release().size(), most_release);
        !fine)
        return fine;
    // Of who needs a newer release than this it is known that he lives, and no more.
    if (heartbeat.needs() <= protocol_version) {
        if (auto fine = check(heartbeat.claims()); !fine) return fine;
    }
    return at_most("echoes", static_cast<std::size_t>(heartbeat.echoes_size()), most_echoes);
}

Result<void> check(const wire::StreamMessage& message) {
    switch (message.kind_case()) {
        case wire::StreamMessage::kHello:
            return named("hello", check(message.hello()));
        case wire::StreamMessage::kBatch:
            return named("batch", check(message.batch()));
        case wire::StreamMessage::kCatalogue:
            return named("catalogue", check(message.catalogue()));
        case wire::StreamMessage::kDigests:
            return named("digests", check(message.digests()));
        case wire::StreamMessage::kDiffering:
            return named("differing", check(message.differing()));
        case wire::StreamMessage::kListing:
            return named("listing", check(message.listing()));
        case wire::StreamMessage::kRepair:
            return named("repair", check(message.repair()));
        case wire::StreamMessage::kSupply:
            return named("supply", check(message.supply()));
        case wire::StreamMessage::kSharedDigests:
            return named("shared digests", check(message.shared_digests()));
        case wire::StreamMessage::kSharedItems:
            return named("shared items", check(message.shared_items()));
        case wire::StreamMessage::kBye:
            return named("bye", check(message.bye()));
        case wire::StreamMessage::kPong:
            return at_most("bytes of a heartbeat", message.pong().heartbeat().size(),
                           most_heartbeat);
        case wire::StreamMessage::kAck:
        case wire::StreamMessage::kGap:
        case wire::StreamMessage::kPing:
        case wire::StreamMessage::KIND_NOT_SET:
            return {};
    }
    return {};
}

}  // namespace bascule::sync
