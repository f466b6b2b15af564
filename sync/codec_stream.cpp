// SPDX-License-Identifier: Apache-2.0
#include "sync/codec_stream.h"

#include "sync/codec_bounds.h"
#include "sync/codec_columns.h"
#include "sync/codec_text.h"

namespace bascule::sync {

namespace {

template <typename T>
void copy(const std::vector<T>& from, google::protobuf::RepeatedField<T>* to) {
    to->Add(from.begin(), from.end());
}

template <typename T>
std::vector<T> copy(const google::protobuf::RepeatedField<T>& from) {
    return {from.begin(), from.end()};
}

Hello read(const wire::Hello& in) {
    return {.version = in.version(),
            .needs = in.needs(),
            .cluster = in.cluster(),
            .node = in.node(),
            .incarnation = in.incarnation(),
            .release = shown(in.release()),
            .received_incarnation = in.received_incarnation(),
            .received_batch = in.received_batch(),
            .now = in.now(),
            .since = in.since()};
}

Batch read(const wire::Batch& in) {
    return {.number = in.number(),
            .now = in.now(),
            .made = in.made(),
            .records = from_columns(in.records(), in.now())};
}

Digests read(const wire::Digests& in) {
    return {.round = in.round(),
            .joining = in.joining(),
            .which = copy(in.which()),
            .digests = copy(in.digests()),
            .counts = copy(in.counts()),
            .common = in.common()};
}

Listing read(const wire::Listing& in) {
    return {
        .round = in.round(), .partition = in.partition(), .fingerprints = copy(in.fingerprints())};
}

Repair read(const wire::Repair& in) {
    return {.round = in.round(),
            .partition = in.partition(),
            .last = in.last(),
            .now = in.now(),
            .records = from_columns(in.records(), in.now()),
            .missing = copy(in.missing())};
}

Supply read(const wire::Supply& in) {
    return {.round = in.round(),
            .done = in.done(),
            .now = in.now(),
            .records = from_columns(in.records(), in.now())};
}

SharedItems read(const wire::SharedItems& in) {
    SharedItems out;
    out.items.reserve(static_cast<std::size_t>(in.items_size()));
    for (const wire::SharedItem& item : in.items())
        out.items.push_back({.key = item.key(),
                             .value = item.value(),
                             .time = item.time(),
                             .origin = item.origin(),
                             .removed = item.removed(),
                             .expires = item.expires()});
    out.wanted = copy(in.wanted());
    return out;
}

}  // namespace

void write(const Hello& hello, wire::StreamMessage& out) {
    wire::Hello& to = *out.mutable_hello();
    to.set_version(hello.version);
    to.set_needs(hello.needs);
    to.set_cluster(hello.cluster);
    to.set_node(hello.node);
    to.set_incarnation(hello.incarnation);
    to.set_release(hello.release);
    to.set_received_incarnation(hello.received_incarnation);
    to.set_received_batch(hello.received_batch);
    to.set_now(hello.now);
    to.set_since(hello.since);
}

void write(const Batch& batch, wire::StreamMessage& out) {
    wire::Batch& to = *out.mutable_batch();
    to.set_number(batch.number);
    to.set_now(batch.now);
    to.set_made(batch.made);
    to_columns(batch.records, batch.now, *to.mutable_records());
}

void write(const Ack& ack, wire::StreamMessage& out) {
    out.mutable_ack()->set_number(ack.number);
    out.mutable_ack()->set_made(ack.made);
}

void write(const Gap& gap, wire::StreamMessage& out) {
    out.mutable_gap()->set_number(gap.number);
}

void write(const Catalogue& catalogue, wire::StreamMessage& out) {
    copy(catalogue.targets, out.mutable_catalogue()->mutable_targets());
}

void write(const Digests& digests, wire::StreamMessage& out) {
    wire::Digests& to = *out.mutable_digests();
    to.set_round(digests.round);
    to.set_joining(digests.joining);
    copy(digests.which, to.mutable_which());
    copy(digests.digests, to.mutable_digests());
    copy(digests.counts, to.mutable_counts());
    to.set_common(digests.common);
}

void write(const Differing& differing, wire::StreamMessage& out) {
    wire::Differing& to = *out.mutable_differing();
    to.set_round(differing.round);
    copy(differing.which, to.mutable_which());
    to.set_in_step(differing.in_step);
}

void write(const Listing& listing, wire::StreamMessage& out) {
    wire::Listing& to = *out.mutable_listing();
    to.set_round(listing.round);
    to.set_partition(listing.partition);
    copy(listing.fingerprints, to.mutable_fingerprints());
}

void write(const Repair& repair, wire::StreamMessage& out) {
    wire::Repair& to = *out.mutable_repair();
    to.set_round(repair.round);
    to.set_partition(repair.partition);
    to.set_last(repair.last);
    to.set_now(repair.now);
    to_columns(repair.records, repair.now, *to.mutable_records());
    copy(repair.missing, to.mutable_missing());
}

void write(const Supply& supply, wire::StreamMessage& out) {
    wire::Supply& to = *out.mutable_supply();
    to.set_round(supply.round);
    to.set_done(supply.done);
    to.set_now(supply.now);
    to_columns(supply.records, supply.now, *to.mutable_records());
}

void write(const SharedDigests& digests, wire::StreamMessage& out) {
    copy(digests.buckets, out.mutable_shared_digests()->mutable_buckets());
}

void write(const SharedItems& items, wire::StreamMessage& out) {
    wire::SharedItems& to = *out.mutable_shared_items();
    for (const SharedItem& item : items.items) {
        wire::SharedItem& one = *to.add_items();
        one.set_key(item.key);
        one.set_value(item.value);
        one.set_time(item.time);
        one.set_origin(item.origin);
        one.set_removed(item.removed);
        one.set_expires(item.expires);
    }
    copy(items.wanted, to.mutable_wanted());
}

void write(const Ping& ping, wire::StreamMessage& out) {
    out.mutable_ping()->set_token(ping.token);
}

void write(const Pong& pong, wire::StreamMessage& out) {
    out.mutable_pong()->set_token(pong.token);
    if (!pong.heartbeat.empty()) out.mutable_pong()->set_heartbeat(pong.heartbeat);
}

void write(const Bye& bye, wire::StreamMessage& out) {
    out.mutable_bye()->set_why(bye.why.substr(0, most_why));
}

std::optional<StreamMessage> read(const wire::StreamMessage& in) {
    switch (in.kind_case()) {
        case wire::StreamMessage::kHello:
            return read(in.hello());
        case wire::StreamMessage::kBatch:
            return read(in.batch());
        case wire::StreamMessage::kAck:
            return Ack{.number = in.ack().number(), .made = in.ack().made()};
        case wire::StreamMessage::kGap:
            return Gap{.number = in.gap().number()};
        case wire::StreamMessage::kCatalogue:
            return Catalogue{.targets = copy(in.catalogue().targets())};
        case wire::StreamMessage::kDigests:
            return read(in.digests());
        case wire::StreamMessage::kDiffering:
            return Differing{.round = in.differing().round(),
                             .which = copy(in.differing().which()),
                             .in_step = in.differing().in_step()};
        case wire::StreamMessage::kListing:
            return read(in.listing());
        case wire::StreamMessage::kRepair:
            return read(in.repair());
        case wire::StreamMessage::kSupply:
            return read(in.supply());
        case wire::StreamMessage::kSharedDigests:
            return SharedDigests{.buckets = copy(in.shared_digests().buckets())};
        case wire::StreamMessage::kSharedItems:
            return read(in.shared_items());
        case wire::StreamMessage::kPing:
            return Ping{.token = in.ping().token()};
        case wire::StreamMessage::kPong:
            return Pong{.token = in.pong().token(), .heartbeat = in.pong().heartbeat()};
        case wire::StreamMessage::kBye:
            return Bye{.why = shown(in.bye().why())};
        case wire::StreamMessage::KIND_NOT_SET:
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace bascule::sync
