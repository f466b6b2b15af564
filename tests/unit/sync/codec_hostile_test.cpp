// SPDX-License-Identifier: Apache-2.0
// Bytes that our own encode() would never make: of other releases, and of whoever means ill.
#include <gtest/gtest.h>

#include <random>

#include "sync/codec.h"
#include "sync/codec_bounds.h"
#include "tests/unit/sync/wire_bytes.h"

namespace bascule::sync {
namespace {

using test::bytes_of;
using test::fixed;
using test::fixed64;
using test::nested;
using test::number;
using test::numbers;

// Numbers of gossip.proto's StreamMessage.
enum : std::uint32_t {
    hello = 1,
    batch = 2,
    catalogue = 5,
    digests = 6,
    differing = 7,
    listing = 8,
    repair = 9,
    shared_digests = 11,
    shared_items = 12,
    bye = 15,
};

std::string error_of(const std::string& message) {
    const auto read = decode(bytes_of(message));
    return read ? "" : read.error().text();
}

StreamMessage decoded(const std::string& message) {
    const auto read = decode(bytes_of(message));
    if (!read) throw std::runtime_error(read.error().text());
    return read->value();
}

// Each column as it would be for two records of IPv4; a test spoils one.
struct Columns {
    std::string services = fixed(1, 8, {11});
    std::string targets = fixed(2, 8, {22});
    std::string owners = numbers(10, {0});
    std::string kinds = numbers(3, {2, 4});
    std::string which = numbers(4, {0});
    std::string sources_v4 = fixed(5, 4, {0x0a090001, 0x0a090002});
    std::string sources_v6;
    std::string source_ports = nested(7, std::string("\x00\x01\x00\x02", 4));
    std::string destination_ports = nested(8, std::string("\x00\x50", 2));
    std::string ages = numbers(9, {1, 2});

    std::string message() const {
        return nested(batch,
                      number(1, 5) + number(2, 100) +
                          nested(4, services + targets + owners + kinds + which + sources_v4 +
                                        sources_v6 + source_ports + destination_ports + ages));
    }
    std::string error() const { return error_of(message()); }
};

TEST(CodecHostile, ColumnsByHandAreRead) {
    const StreamMessage message = decoded(Columns().message());
    const auto& read = std::get<Batch>(message);
    ASSERT_EQ(read.records.size(), 2U);
    const SessionRecord second{.kind = SessionRecord::Kind::refreshed,
                               .flow = {.source = *Address::parse("10.9.0.2"),
                                        .source_port = 2,
                                        .destination_port = 80,
                                        .service = 11},
                               .target = 22,
                               .seen = 98};
    EXPECT_EQ(read.records[1], second);
}

TEST(CodecHostile, ColumnsThatDoNotBelongTogetherAreRefused) {
    Columns columns;
    columns.source_ports = nested(7, std::string(3, 'x'));
    EXPECT_EQ(columns.error(), "batch: half a source port");
    columns = {};
    columns.destination_ports = nested(8, "x");
    EXPECT_EQ(columns.error(), "batch: half a destination port");
    columns = {};
    columns.destination_ports = "";
    EXPECT_EQ(columns.error(), "batch: 0 destination ports for 2 records");
    columns = {};
    columns.services = fixed(1, 8, {1, 2});
    EXPECT_EQ(columns.error(), "batch: 2 services and 1 targets of 1 owners for 2 records");
    columns = {};
    columns.targets = fixed(2, 8, {1, 2, 3});
    columns.owners = numbers(10, {0, 0, 0});
    EXPECT_EQ(columns.error(), "batch: 1 services and 3 targets of 3 owners for 2 records");
    columns = {};
    columns.owners = "";
    EXPECT_EQ(columns.error(), "batch: 1 services and 1 targets of 0 owners for 2 records");
    columns = {};
    columns.owners = numbers(10, {1});
    EXPECT_EQ(columns.error(), "batch: service 1 of 1");
    columns = {};
    columns.kinds = numbers(3, {2, 2, 2});
    EXPECT_EQ(columns.error(), "batch: 3 kinds for 2 records");
    columns = {};
    columns.kinds = "";
    EXPECT_EQ(columns.error(), "batch: 0 kinds for 2 records");
    columns = {};
    columns.which = numbers(4, {0, 1});
    EXPECT_EQ(columns.error(), "batch: target 1 of 1");
    columns = {};
    columns.which = numbers(4, {UINT32_MAX});
    EXPECT_EQ(columns.error(), "batch: target 4294967295 of 1");
    columns = {};
    columns.ages = "";
    EXPECT_EQ(columns.error(), "batch: 0 ages for 2 records");
}

TEST(CodecHostile, KindsAndSourcesHaveToAgree) {
    Columns columns;
    columns.kinds = numbers(3, {1, 2});
    EXPECT_EQ(columns.error(), "batch: a record of kind 0");
    columns.kinds = numbers(3, {0});
    EXPECT_EQ(columns.error(), "batch: a record of kind 0");
    columns.kinds = numbers(3, {2, 3});
    EXPECT_EQ(columns.error(),
              "batch: 2 IPv4 and 0 halves of IPv6 sources for 2 records, 1 of IPv6");
    columns.sources_v4 = fixed(5, 4, {1});
    columns.sources_v6 = fixed(6, 8, {1});
    EXPECT_EQ(columns.error(),
              "batch: 1 IPv4 and 1 halves of IPv6 sources for 2 records, 1 of IPv6");
    columns.sources_v6 = fixed(6, 8, {1, 2});
    EXPECT_EQ(columns.error(), "");
}

TEST(CodecHostile, ColumnsWithoutRecordsAreRefused) {
    Columns columns;
    columns.source_ports = columns.sources_v4 = columns.services = columns.targets =
        columns.owners = "";
    EXPECT_EQ(columns.error(), "batch: 2 kinds for 0 records");
    columns.kinds = numbers(3, {2});
    EXPECT_EQ(columns.error(), "batch: 1 kinds for 0 records");
    columns.kinds = columns.which = columns.ages = columns.destination_ports = "";
    EXPECT_EQ(columns.error(), "");
    columns.sources_v6 = fixed(6, 8, {1, 2});
    EXPECT_EQ(columns.error(),
              "batch: 0 IPv4 and 2 halves of IPv6 sources for 0 records, 0 of IPv6");
}

TEST(CodecHostile, TooManyRecordsAreRefused) {
    Columns columns;
    columns.source_ports = nested(7, std::string(2 * 20'000, 'p'));
    EXPECT_EQ(columns.error(), "batch: 20000 records, at most 16384");
}

// A v4-mapped source is an IPv4 address, however it was written.
TEST(CodecHostile, MappedSourceIsIPv4) {
    Columns columns;
    columns.kinds = numbers(3, {3});
    columns.sources_v4 = "";
    columns.sources_v6 = fixed(6, 8, {0, 0xffff0a090001, 0, 0xffff0a090002});
    const StreamMessage message = decoded(columns.message());
    EXPECT_EQ(std::get<Batch>(message).records[0].flow.source, *Address::parse("10.9.0.1"));
}

TEST(CodecHostile, ListsHaveTheirBounds) {
    EXPECT_EQ(error_of(nested(differing, numbers(2, {5, 5}))),
              "differing: partitions that do not rise: 5 after 5");
    EXPECT_EQ(error_of(nested(differing, numbers(2, {1024}))), "differing: partition 1024 of 1024");
    EXPECT_EQ(error_of(nested(listing, number(2, 1024))), "listing: partition 1024 of 1024");
    EXPECT_EQ(error_of(nested(repair, number(2, 4096))), "repair: partition 4096 of 1024");
    EXPECT_EQ(error_of(nested(listing, nested(3, std::string(8 * 40'000, '\0')))),
              "listing: 40000 fingerprints, at most 32768");
    EXPECT_EQ(error_of(nested(repair, nested(6, std::string(8 * 40'000, '\0')))),
              "repair: 40000 missing fingerprints, at most 32768");
    EXPECT_EQ(error_of(nested(digests, numbers(3, {1, 2}) + fixed(4, 8, {1, 2}))),
              "digests: 2 digests and 0 counts of 2 partitions");
    EXPECT_EQ(error_of(nested(digests, number(1, 1))),
              "digests: 0 digests and 0 counts of 1024 partitions");
    EXPECT_EQ(error_of(nested(catalogue, fixed(1, 8, {2, 1}))),
              "catalogue: targets that do not rise");
    EXPECT_EQ(error_of(nested(shared_digests, fixed(1, 8, {2, 1}))),
              "shared digests: 2 buckets, not 64");
    EXPECT_EQ(error_of(nested(shared_items, numbers(2, {64}))), "shared items: bucket 64 of 64");
    EXPECT_EQ(error_of(nested(bye, nested(1, std::string(513, 'x')))),
              "bye: 513 bytes of words, at most 512");
}

TEST(CodecHostile, SharedItemsHaveTheirBounds) {
    const auto error = [](const std::string& item) {
        return error_of(nested(shared_items, nested(1, item)));
    };
    const std::string key = nested(1, "word/a/b");
    const std::string origin = nested(4, "lb1");
    EXPECT_EQ(error(key + origin), "");
    EXPECT_EQ(error(origin), "shared items: an item without a key");
    EXPECT_EQ(error(key), "shared items: an item without an origin");
    EXPECT_EQ(error(key + nested(4, "a\nb")), "shared items: an item without an origin");
    EXPECT_EQ(error(nested(1, std::string(256, 'k')) + origin),
              "shared items: 256 bytes of key, at most 255");
    EXPECT_EQ(error(key + origin + nested(2, std::string(16'385, 'v'))),
              "shared items: 16385 bytes of value, at most 16384");
    EXPECT_EQ(error(key + origin + nested(2, "v") + number(5, 1)),
              "shared items: a value of what was removed");
}

TEST(CodecHostile, HelloSaysWhoSpeaks) {
    const std::string version = number(1, 1);
    const std::string names = nested(3, "c") + nested(4, "n");
    const std::string incarnation = fixed64(5, 9);
    EXPECT_EQ(error_of(nested(hello, version + names + incarnation)), "");
    EXPECT_EQ(error_of(nested(hello, names + incarnation)), "hello: no version");
    EXPECT_EQ(error_of(nested(hello, version + names)), "hello: no incarnation");
    EXPECT_EQ(error_of(nested(hello, version + nested(4, "n") + incarnation)),
              "hello: no name of a cluster");
    EXPECT_EQ(
        error_of(nested(hello, version + nested(3, "c") + nested(4, "\x1b[0m") + incarnation)),
        "hello: no name of a node");
    EXPECT_EQ(
        error_of(nested(hello, version + names + incarnation + nested(6, std::string(64, '1')))),
        "hello: 64 bytes of release, at most 63");
}

// A release that knows less: fields that came later are missing and have their defaults.
TEST(CodecOtherRelease, OlderHelloAndHeartbeat) {
    const StreamMessage message =
        decoded(nested(hello, number(1, 1) + nested(3, "c") + nested(4, "n") + fixed64(5, 9)));
    EXPECT_EQ(std::get<Hello>(message), (Hello{.version = 1,
                                               .needs = 0,
                                               .cluster = "c",
                                               .node = "n",
                                               .incarnation = 9,
                                               .release = ""}));
    const auto beat = decode_heartbeat(
        bytes_of(number(1, 1) + nested(3, "lb1") + nested(4, "lb2") + fixed64(5, 3)));
    ASSERT_TRUE(beat);
    EXPECT_EQ(beat->node, "lb1");
    EXPECT_FALSE(beat->facts.witness);
}

// One that knows more: what is not known is ignored, wherever it stands.
TEST(CodecOtherRelease, NewerFieldsAreIgnored) {
    const std::string news =
        number(900, 5) + fixed64(901, 6) + nested(902, "later") + nested(903, number(1, 2));
    const StreamMessage message =
        decoded(nested(hello, news + number(1, 2) + number(2, 1) + nested(3, "c") + nested(4, "n") +
                                  fixed64(5, 9) + news) +
                news);
    EXPECT_EQ(std::get<Hello>(message).version, 2U);
    const auto beat = decode_heartbeat(
        bytes_of(news + number(1, 2) + number(2, 2) + nested(3, "lb1") + nested(4, "lb2") +
                 fixed64(5, 3) + nested(12, news) + nested(9, fixed64(1, 8) + news)));
    ASSERT_TRUE(beat);
    EXPECT_EQ(beat->needs, 2U);
    ASSERT_EQ(beat->echoes.size(), 1U);
    EXPECT_EQ(beat->echoes[0].incarnation, 8U);
}

TEST(CodecOtherRelease, NewerColumnsAndKindsOfRecordsAreLeftOut) {
    Columns columns;
    columns.kinds = numbers(3, {12, 4});  // kind 6, kind 2
    columns.ages += numbers(900, {1, 2, 3});
    const StreamMessage message = decoded(columns.message());
    const auto& records = std::get<Batch>(message).records;
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].flow.source_port, 2);
    EXPECT_EQ(records[0].flow.source, *Address::parse("10.9.0.2"));
}

TEST(CodecOtherRelease, NewerKindsOfMessagesHaveNoValue) {
    for (const std::string& bytes : {nested(100, "whatever"), number(16, 1), fixed64(17, 1)}) {
        const auto read = decode(bytes_of(bytes));
        ASSERT_TRUE(read) << read.error().text();
        EXPECT_FALSE(read->has_value());
    }
}

TEST(CodecHostile, WhatIsNoMessageIsRefused) {
    EXPECT_EQ(error_of(""), "an empty message");
    EXPECT_EQ(error_of("GET / HTTP/1.1\r\n\r\n"), "bytes that are no message");
    EXPECT_EQ(error_of(std::string(most_frame + 1, '\0')),
              "a message of 1048577 bytes, at most 1048576");
    EXPECT_EQ(error_of(nested(batch, "").substr(0, 1)), "bytes that are no message");
    EXPECT_FALSE(decode_heartbeat({}));
    EXPECT_FALSE(decode_heartbeat(bytes_of("GET / HTTP/1.1\r\n\r\n")));
}

TEST(CodecHostile, HeartbeatsHaveTheirBounds) {
    const std::string good = number(1, 1) + nested(3, "lb1") + nested(4, "lb2") + fixed64(5, 3);
    EXPECT_TRUE(decode_heartbeat(bytes_of(good)));
    const std::string echo = nested(9, fixed64(1, 8));
    EXPECT_TRUE(decode_heartbeat(bytes_of(good + echo + echo)));
    EXPECT_FALSE(decode_heartbeat(bytes_of(good + echo + echo + echo)));
    EXPECT_FALSE(decode_heartbeat(bytes_of(good + nested(3, std::string(64, 'n')))));
    EXPECT_FALSE(decode_heartbeat(bytes_of(good + nested(4, "a\tb"))));
    EXPECT_FALSE(decode_heartbeat(bytes_of(good + nested(12, nested(9, std::string(64, '1'))))));
    EXPECT_FALSE(decode_heartbeat(bytes_of(number(1, 1) + nested(3, "lb1") + nested(4, "lb2"))));
}

TEST(Codec, HeartbeatsComeBackAtTheirBounds) {
    Heartbeat beat{.node = std::string(most_name, 'a'),
                   .to = std::string(most_name, 'b'),
                   .incarnation = UINT64_MAX,
                   .path = UINT32_MAX,
                   .sequence = UINT64_MAX,
                   .sent = UINT64_MAX,
                   .wall = UINT64_MAX,
                   .echoes = {},
                   .probe = true,
                   .hears = true,
                   .facts = {.attached = true,
                             .links_up = true,
                             .witness = true,
                             .synced = true,
                             .leaving = true,
                             .config_hash = UINT64_MAX,
                             .ring_hash = UINT64_MAX - 1,
                             .shared_digest = UINT64_MAX - 2,
                             .release = std::string(most_release, '9')}};
    beat.version = beat.needs = UINT32_MAX;
    beat.echoes.assign(most_echoes, {.incarnation = UINT64_MAX,
                                     .sequence = UINT64_MAX - 1,
                                     .sent = UINT64_MAX - 2,
                                     .held = UINT64_MAX - 3});
    const std::string bytes = encode_heartbeat(beat);
    EXPECT_LE(bytes.size(), 1200U - 32U - 16U);  // most_datagram without header and tag
    EXPECT_EQ(decode_heartbeat(bytes_of(bytes)), beat);

    const Heartbeat least{.node = "a",
                          .to = "b",
                          .incarnation = 1,
                          .echoes = {},
                          .facts = {.witness = false, .release = ""}};
    EXPECT_EQ(decode_heartbeat(bytes_of(encode_heartbeat(least))), least);
}

// Whatever is cut off or flipped: an error or a value, and a value goes out again.
TEST(CodecHostile, DamagedMessagesNeverDoHarm) {
    std::mt19937 random(11);
    const std::string whole = Columns().message();
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const auto read = decode(bytes_of(whole.substr(0, length)));
        if (read && *read) encode(**read);
    }
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = whole;
        for (std::size_t hits = 1 + random() % 3; hits > 0; --hits)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        const auto read = decode(bytes_of(bytes));
        if (read && *read) encode(**read);
        decode_heartbeat(bytes_of(bytes));
    }
}

}  // namespace
}  // namespace bascule::sync
