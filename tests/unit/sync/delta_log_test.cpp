// SPDX-License-Identifier: Apache-2.0
#include "sync/delta_log.h"

#include <gtest/gtest.h>

#include "sync/codec.h"
#include "sync/log_cursor.h"

namespace bascule::sync {
namespace {

using std::chrono::milliseconds;

constexpr Moment start{std::chrono::seconds(1000)};

SessionRecord record_of(std::uint16_t port) {
    SessionRecord record;
    record.flow.source = *Address::parse("192.0.2.1");
    record.flow.source_port = port;
    record.flow.service = 7;
    record.target = 8;
    record.seen = 100;
    return record;
}

StreamMessage decoded(const Frame& frame) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame->data());
    return decode({bytes + 4, frame->size() - 4}).value().value();
}

DeltaLog::Options options() {
    return {1'000'000, 10, milliseconds(5)};
}

void add_batch(DeltaLog& log, std::uint16_t records = 3) {
    for (std::uint16_t i = 0; i < records; ++i)
        log.add(record_of(i), start);
    log.close(100, true);
}

TEST(DeltaLog, ABatchIsDueWhenItIsFullOrHasWaited) {
    DeltaLog log(options());
    EXPECT_FALSE(log.due(start));
    log.add(record_of(1), start);
    EXPECT_FALSE(log.due(start + milliseconds(4)));
    EXPECT_TRUE(log.due(start + milliseconds(5)));
    for (std::uint16_t i = 0; i < 9; ++i)
        log.add(record_of(i), start);
    EXPECT_TRUE(log.due(start));
    log.close(100, true);
    EXPECT_FALSE(log.due(start + milliseconds(100)));
    const Batch batch = std::get<Batch>(decoded(log.find(1)->frame));
    EXPECT_EQ(batch.number, 1u);
    EXPECT_EQ(batch.now, 100u);
    EXPECT_EQ(batch.records.size(), 10u);
}

TEST(DeltaLog, TheOldestGoWhenThereIsNoRoom) {
    DeltaLog log({1'000, 10, milliseconds(5)});
    for (int i = 0; i < 100; ++i) {
        add_batch(log);
        EXPECT_LE(log.bytes(), 1'000u);
    }
    EXPECT_EQ(log.newest(), 100u);
    EXPECT_GT(log.oldest(), 80u);
    EXPECT_LE(log.oldest(), 100u);
    EXPECT_EQ(log.find(log.oldest() - 1), nullptr);
    EXPECT_NE(log.find(log.oldest()), nullptr);
}

TEST(DeltaLog, NumbersOfWhatWasNotKeptAreUsed) {
    DeltaLog log(options());
    add_batch(log);
    log.add(record_of(1), start);
    log.close(100, false);
    EXPECT_EQ(log.newest(), 2u);
    EXPECT_EQ(log.find(1), nullptr);
    EXPECT_EQ(log.find(2), nullptr);
    EXPECT_EQ(log.bytes(), 0u);
    add_batch(log);
    EXPECT_NE(log.find(3), nullptr);
}

TEST(LogCursor, GoesThroughTheLog) {
    DeltaLog log(options());
    LogCursor cursor;
    cursor.connect(log, std::nullopt, start);
    EXPECT_EQ(cursor.next(log, start), nullptr);
    add_batch(log);
    add_batch(log);
    EXPECT_EQ(std::get<Batch>(decoded(cursor.next(log, start))).number, 1u);
    EXPECT_EQ(std::get<Batch>(decoded(cursor.next(log, start))).number, 2u);
    EXPECT_EQ(cursor.next(log, start), nullptr);
    EXPECT_EQ(cursor.needs(), 1u);
    EXPECT_TRUE(cursor.acknowledge({1, 0}, log, start + milliseconds(7)));
    EXPECT_EQ(cursor.needs(), 2u);
    EXPECT_EQ(cursor.lag(log, start + milliseconds(9)), milliseconds(9));
    EXPECT_TRUE(cursor.acknowledge({2, 0}, log, start + milliseconds(20)));
    EXPECT_EQ(cursor.lag(log, start + milliseconds(90)), milliseconds(20));
}

TEST(LogCursor, AnAcknowledgementOfWhatWasNotSentIsRefused) {
    DeltaLog log(options());
    LogCursor cursor;
    cursor.connect(log, std::nullopt, start);
    add_batch(log);
    add_batch(log);
    cursor.next(log, start);
    EXPECT_EQ(cursor.acknowledge({2, 0}, log, start).error().text(),
              "batch 2 is acknowledged, but 1 were sent");
    EXPECT_TRUE(cursor.acknowledge({1, 0}, log, start));
    EXPECT_EQ(cursor.acknowledge({0, 0}, log, start).error().text(),
              "batch 0 is acknowledged after 1");
}

TEST(LogCursor, GoesOnWhereThePeerStopped) {
    DeltaLog log(options());
    for (int i = 0; i < 5; ++i)
        add_batch(log);
    LogCursor cursor;
    cursor.connect(log, 3, start);
    EXPECT_EQ(std::get<Batch>(decoded(cursor.next(log, start))).number, 4u);
    EXPECT_EQ(cursor.gaps(), 0u);
}

TEST(LogCursor, TellsOfAGapWhenTheLogHasGoneOn) {
    DeltaLog log(options());
    for (int i = 0; i < 5; ++i)
        add_batch(log);
    log.drop_before(4);
    LogCursor cursor;
    cursor.connect(log, 1, start);
    EXPECT_EQ(std::get<Gap>(decoded(cursor.next(log, start))).number, 5u);
    EXPECT_TRUE(cursor.in_gap());
    EXPECT_EQ(cursor.gaps(), 1u);
    EXPECT_EQ(cursor.needs(), 6u);
    EXPECT_TRUE(cursor.acknowledge({5, 0}, log, start));
    EXPECT_FALSE(cursor.in_gap());
    add_batch(log);
    EXPECT_EQ(std::get<Batch>(decoded(cursor.next(log, start))).number, 6u);
}

TEST(LogCursor, SeesThatItWasOvertaken) {
    DeltaLog log({300, 10, milliseconds(5)});
    LogCursor cursor;
    cursor.connect(log, std::nullopt, start);
    add_batch(log);
    EXPECT_FALSE(cursor.is_overtaken(log));
    for (int i = 0; i < 20; ++i)
        add_batch(log);
    EXPECT_TRUE(cursor.is_overtaken(log));
    EXPECT_EQ(std::get<Gap>(decoded(cursor.next(log, start))).number, 21u);
    EXPECT_FALSE(cursor.is_overtaken(log));
}

// A peer that says it has what was never made is begun with anew.
// What was sent may be dropped before it is acknowledged: it is not known to have come all the
// same.
TEST(LogCursor, WaitsForWhatTheLogNoLongerHas) {
    DeltaLog log({100, 10, milliseconds(5)});
    LogCursor cursor;
    cursor.connect(log, std::nullopt, start);
    add_batch(log);
    const Moment made = start;
    ASSERT_NE(cursor.next(log, start), nullptr);
    for (int i = 1; i < 20; ++i) {
        log.add(record_of(1), start + milliseconds(100 * i));
        log.close(100, true);
        cursor.next(log, start + milliseconds(100 * i));
    }
    ASSERT_EQ(log.find(1), nullptr);
    ASSERT_FALSE(cursor.in_gap());
    EXPECT_EQ(cursor.waiting(log, made + milliseconds(1900)), milliseconds(1900));
    // It goes on, so it is no longer silent.
    EXPECT_TRUE(cursor.acknowledge({5, 0}, log, made + milliseconds(2000)));
    EXPECT_EQ(cursor.waiting(log, made + milliseconds(2100)), milliseconds(100));
    EXPECT_TRUE(cursor.acknowledge({20, 0}, log, made + milliseconds(2200)));
    EXPECT_EQ(cursor.waiting(log, made + milliseconds(9000)), milliseconds(0));
}

TEST(LogCursor, AnotherGapDoesNotMakeTheFirstOneYounger) {
    DeltaLog log(options());
    add_batch(log);
    LogCursor cursor;
    cursor.connect(log, std::nullopt, start);
    ASSERT_TRUE(std::holds_alternative<Gap>(decoded(cursor.next(log, start))));
    cursor.lose(log, start + milliseconds(700));
    EXPECT_EQ(cursor.waiting(log, start + milliseconds(900)), milliseconds(900));
}

TEST(LogCursor, APeerThatHasTooMuchIsNotBelieved) {
    DeltaLog log(options());
    add_batch(log);
    LogCursor cursor;
    cursor.connect(log, 1'000'000, start);
    add_batch(log);
    EXPECT_EQ(std::get<Batch>(decoded(cursor.next(log, start))).number, 2u);
}

}  // namespace
}  // namespace bascule::sync
