// SPDX-License-Identifier: Apache-2.0
#include "sync/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <stdexcept>

#include "sync/codec_bounds.h"
#include "sync/gossip.pb.h"
#include "tests/unit/sync/wire_bytes.h"

namespace bascule::sync {
namespace {

using Kind = SessionRecord::Kind;
using test::bytes_of;

constexpr std::uint64_t most64 = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t most32 = std::numeric_limits<std::uint32_t>::max();

Result<std::optional<StreamMessage>> decode_frame(const Frame& frame) {
    return decode(bytes_of(*frame).subspan(4));
}

// What comes out of what goes in.
StreamMessage there_and_back(const StreamMessage& message) {
    const auto read = decode_frame(encode(message));
    if (!read) throw std::runtime_error(read.error().text());
    return read->value();
}

SessionRecord record(const char* source, std::uint16_t port, Kind kind = Kind::established) {
    return {.kind = kind,
            .flow = {.source = *Address::parse(source),
                     .source_port = port,
                     .destination_port = 443,
                     .service = 0x1122334455667788},
            .target = 0x99aabbccddeeff00,
            .seen = 1000};
}

std::vector<SessionRecord> many_records(std::size_t count, bool ipv6, std::uint32_t seed = 1) {
    std::mt19937_64 random(seed);
    std::vector<SessionRecord> out(count);
    for (SessionRecord& one : out) {
        Address::Bytes source{};
        for (auto& byte : source)
            byte = static_cast<std::uint8_t>(random());
        one = {
            .kind = static_cast<Kind>(1 + random() % 5),
            .flow = {.source = ipv6 ? Address(source)
                                    : Address::v4_from_wire(static_cast<std::uint32_t>(random())),
                     .source_port = static_cast<std::uint16_t>(random()),
                     .destination_port = static_cast<std::uint16_t>(random()),
                     .service = random()},
            .target = random(),
            .seen = static_cast<Seconds32>(random())};
    }
    return out;
}

TEST(Codec, SmallMessagesComeBackAtTheirBounds) {
    const std::string name(most_name, 'x');
    const std::vector<StreamMessage> messages = {
        Hello{.version = most32,
              .needs = most32,
              .cluster = name,
              .node = "lb-1.example_A",
              .incarnation = most64,
              .release = std::string(most_release, '9'),
              .received_incarnation = most64,
              .received_batch = most64,
              .now = most32,
              .since = most32 - 1},
        Hello{.cluster = "c", .node = "n", .incarnation = 1, .release = {}},
        Ack{.number = most64, .made = most64},
        Ack{},
        Gap{.number = most64},
        Ping{.token = most64},
        Pong{.token = most64},
        Bye{.why = std::string(most_why, 'w')},
        Bye{},
        Differing{.round = most32, .which = {0, 1, 1023}, .in_step = true},
        Differing{},
        Catalogue{.targets = {0, 1, most64}},
        SharedDigests{.buckets = std::vector<std::uint64_t>(shared_buckets, most64)},
        SharedItems{},
    };
    for (const StreamMessage& message : messages)
        EXPECT_EQ(there_and_back(message), message) << message.index();
}

TEST(Codec, LargeMessagesComeBackAtTheirBounds) {
    Catalogue catalogue;
    for (std::uint64_t i = 0; i < most_targets; ++i)
        catalogue.targets.push_back(most64 - most_targets + i);
    EXPECT_EQ(there_and_back(catalogue), StreamMessage(catalogue));

    Digests all{.round = 7, .joining = true, .which = {}, .digests = {}, .counts = {}};
    all.digests.assign(partitions, most64);
    all.counts.assign(partitions, most32);
    all.common = most64;
    EXPECT_EQ(there_and_back(all), StreamMessage(all));
    const Digests some{
        .round = 8, .joining = false, .which = {3, 1023}, .digests = {1, 2}, .counts = {3, 4}};
    EXPECT_EQ(there_and_back(some), StreamMessage(some));

    const Listing listing{.round = most32,
                          .partition = partitions - 1,
                          .fingerprints = std::vector<std::uint64_t>(most_fingerprints, most64)};
    EXPECT_EQ(there_and_back(listing), StreamMessage(listing));
}

TEST(Codec, SharedItemsComeBack) {
    SharedItems items;
    items.items.push_back({.key = std::string(most_shared_key, 'k'),
                           .value = std::string(most_shared_value, '\xff'),
                           .time = most64,
                           .origin = std::string(most_name, 'o'),
                           .removed = false,
                           .expires = most64});
    items.items.push_back({.key = "word/web/a",
                           .value = "",
                           .time = 1,
                           .origin = "lb1",
                           .removed = true,
                           .expires = 0});
    items.wanted = {0, 63};
    EXPECT_EQ(there_and_back(items), StreamMessage(items));
}

TEST(Codec, WhatItemsBytesAllowsFits) {
    SharedItems items;
    SharedItem item{.key = std::string(most_shared_key, 'k'),
                    .value = std::string(200, 'v'),
                    .time = most64,
                    .origin = std::string(most_name, 'o'),
                    .removed = false,
                    .expires = most64};
    for (std::size_t sum = items_bytes(item); sum < most_items_bytes; sum += items_bytes(item))
        items.items.push_back(item);
    for (std::uint32_t i = 0; i < shared_buckets; ++i)
        items.wanted.push_back(i);
    EXPECT_EQ(there_and_back(items), StreamMessage(items));
}

TEST(Codec, RecordsComeBackInTheirOrder) {
    Batch batch{.number = most64, .now = 1003, .made = most64, .records = {}};
    batch.records = {record("10.9.0.1", 1),
                     record("2001:db8::1", 65535, Kind::closed),
                     record("255.255.255.255", 0, Kind::ended),
                     record("::", 2, Kind::copy),
                     record("0.0.0.0", 3, Kind::refreshed),
                     record("10.9.0.1", 1, Kind::closed)};
    batch.records[1].flow.destination_port = 0;
    batch.records[2].target = 0;
    batch.records[3].flow.service = most64;
    batch.records[4].seen = 1004;  // after `now`
    batch.records[5].seen = 1005 + (1U << 31);
    EXPECT_EQ(there_and_back(batch), StreamMessage(batch));

    EXPECT_EQ(there_and_back(Batch{}), StreamMessage(Batch{}));
    const Supply supply{.round = 3, .done = true, .now = 0, .records = batch.records};
    EXPECT_EQ(there_and_back(supply), StreamMessage(supply));
    const Repair repair{.round = 4,
                        .partition = 1023,
                        .last = false,
                        .now = most32,
                        .records = batch.records,
                        .missing = {most64, 0}};
    EXPECT_EQ(there_and_back(repair), StreamMessage(repair));
}

TEST(Codec, OneRecordAndAllAlikeComeBack) {
    for (const std::size_t count : {1, 2, 3, 100}) {
        Batch batch{.number = 1, .now = 1000, .made = 2, .records = {}};
        batch.records.assign(count, record("10.9.0.1", 4000));
        EXPECT_EQ(there_and_back(batch), StreamMessage(batch)) << count;
        batch.records.assign(count, record("2001:db8::1", 4000));
        EXPECT_EQ(there_and_back(batch), StreamMessage(batch)) << count;
        batch.records.back().flow.destination_port = 80;
        EXPECT_EQ(there_and_back(batch), StreamMessage(batch)) << count;
    }
}

TEST(Codec, TheLargestRepairFitsAFrame) {
    Repair repair{
        .round = most32, .partition = 1023, .last = true, .now = 0, .records = {}, .missing = {}};
    repair.records = many_records(most_records, true);
    for (SessionRecord& one : repair.records)
        one.seen = 1;  // the longest age
    repair.records.front().seen = 2;
    repair.missing.assign(most_fingerprints, most64);
    EXPECT_EQ(there_and_back(repair), StreamMessage(repair));
}

TEST(Codec, RandomRecordsComeBack) {
    std::mt19937 random(7);
    for (std::uint32_t round = 0; round < 200; ++round) {
        Batch batch{.number = round,
                    .now = static_cast<Seconds32>(random()),
                    .made = 0,
                    .records = many_records(random() % 50, false, round)};
        const auto six = many_records(random() % 50, true, round);
        batch.records.insert(batch.records.end(), six.begin(), six.end());
        std::shuffle(batch.records.begin(), batch.records.end(), random);
        ASSERT_EQ(there_and_back(batch), StreamMessage(batch)) << round;
    }
}

// A site as it is met: many clients, a few services of one port each, some hundreds of backends.
TEST(Codec, FullBatchesTakeFewBytesASession) {
    std::mt19937 random(3);
    Batch batch{.number = 1'000'000,
                .now = 5'000'000,
                .made = 1ULL << 50,
                .records = many_records(4096, false)};
    for (SessionRecord& one : batch.records) {
        one.kind = random() % 2 == 0 ? Kind::established : Kind::closed;
        one.flow.source_port = static_cast<std::uint16_t>(32768 + random() % 28000);
        one.flow.service = random() % 3;
        one.flow.destination_port = one.flow.service == 0 ? 443 : 80;
        one.target = one.flow.service * 1000 + random() % 300;
        one.seen = batch.now - static_cast<Seconds32>(random() % 60);
    }
    EXPECT_LE(encode(batch)->size(), 14 * batch.records.size());
}

TEST(Codec, TheLengthComesFirst) {
    const Frame frame = encode(Bye{.why = std::string(300, 'x')});
    const std::size_t body = frame->size() - 4;
    EXPECT_EQ(frame->substr(0, 4),
              std::string({0, 0, static_cast<char>(body >> 8), static_cast<char>(body)}));
}

// The columns are plain protobuf: what protoc made of the description reads them the same.
TEST(Codec, GeneratedParserReadsTheSame) {
    const Batch batch{.number = 5,
                      .now = 1010,
                      .made = 6,
                      .records = {record("10.9.0.1", 0x1234), record("2001:db8::5", 7)}};
    const Frame frame = encode(batch);
    wire::StreamMessage message;
    ASSERT_TRUE(message.ParseFromArray(frame->data() + 4, static_cast<int>(frame->size()) - 4));
    ASSERT_TRUE(message.has_batch());
    EXPECT_EQ(message.batch().number(), 5U);
    const wire::Records& columns = message.batch().records();
    EXPECT_EQ(columns.targets_size(), 1);
    EXPECT_EQ(columns.services(0), 0x1122334455667788U);
    EXPECT_EQ(columns.targets(0), 0x99aabbccddeeff00U);
    ASSERT_EQ(columns.owners_size(), 1);
    EXPECT_EQ(columns.owners(0), 0U);
    ASSERT_EQ(columns.kinds_size(), 2);
    EXPECT_EQ(columns.kinds(0), 2U);
    EXPECT_EQ(columns.kinds(1), 3U);
    EXPECT_EQ(columns.which_size(), 1);
    ASSERT_EQ(columns.sources_v4_size(), 1);
    EXPECT_EQ(columns.sources_v4(0), 0x0a090001U);
    ASSERT_EQ(columns.sources_v6_size(), 2);
    EXPECT_EQ(columns.sources_v6(0), 0x20010db800000000U);
    EXPECT_EQ(columns.sources_v6(1), 5U);
    EXPECT_EQ(columns.source_ports(), std::string("\x12\x34\x00\x07", 4));
    EXPECT_EQ(columns.destination_ports(), "\x01\xbb");
    ASSERT_EQ(columns.ages_size(), 1);
    EXPECT_EQ(columns.ages(0), 10U);
}

TEST(Codec, MakesNothingThatAPeerWouldRefuse) {
    Batch batch;
    batch.records = many_records(most_records + 1, false);
    EXPECT_THROW(encode(batch), std::logic_error);
    EXPECT_THROW(encode(Hello{.cluster = "c", .node = "a b", .incarnation = 1, .release = {}}),
                 std::logic_error);
    EXPECT_THROW(encode(Differing{.round = 1, .which = {2, 2}}), std::logic_error);
    EXPECT_THROW(encode(Digests{}), std::logic_error);
    SharedItems items;
    items.items.assign(70, {.key = "k",
                            .value = std::string(most_shared_value, 'v'),
                            .time = 1,
                            .origin = "n",
                            .removed = false,
                            .expires = 0});
    EXPECT_THROW(encode(items), std::logic_error);
    EXPECT_THROW(encode_heartbeat(Heartbeat{}), std::logic_error);
}

TEST(Codec, WordsAreCutAndMadePrintable) {
    EXPECT_EQ(there_and_back(Bye{.why = std::string(most_why + 1, 'w')}),
              StreamMessage(Bye{.why = std::string(most_why, 'w')}));
    EXPECT_EQ(there_and_back(Bye{.why = "a\x1b[2Jb\n\xff"}), StreamMessage(Bye{.why = "a?[2Jb??"}));
}

}  // namespace
}  // namespace bascule::sync
