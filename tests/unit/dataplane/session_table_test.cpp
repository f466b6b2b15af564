// SPDX-License-Identifier: Apache-2.0
// The session tables by the product's own door: put, find, erase, walk and sweep.
#include "dataplane/session_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/native_table.h"

namespace bascule::test {
namespace {

using dataplane::IdleLimits;
using dataplane::Session;
using dataplane::SessionKey;
using dataplane::SessionTable;
using dataplane::SweepReport;

SessionKey key_v4(std::uint16_t port, std::uint16_t service = 1) {
    return {Address::v4({10, 0, 0, 7}), port, 80, service};
}

SessionKey key_v6(std::uint16_t port, std::uint16_t service = 1) {
    return {*Address::parse("2001:db8::7"), port, 443, service};
}

Session session(const SessionKey& key, bsc_state state = BSC_ESTABLISHED, std::uint32_t idle = 0) {
    Session made;
    made.key = key;
    made.state = state;
    made.backend = 321;
    made.generation = 200;
    made.idle = idle;
    return made;
}

class SessionTableTest : public testing::TestWithParam<bool> {
protected:
    SessionKey key(std::uint16_t port, std::uint16_t service = 1) const {
        return GetParam() ? key_v6(port, service) : key_v4(port, service);
    }
    SweepReport sweep(std::uint32_t part = 0, std::uint32_t parts = 1) {
        SweepReport report;
        table_.sweep(part, parts, limits_,
                     {[this](const Session& s) { ended_.push_back(s); },
                      [this](const Session& s) { seen_.push_back(s); }},
                     report);
        return report;
    }
    std::vector<Session> all() const {
        std::vector<Session> sessions;
        table_.for_each([&](const Session& s) {
            sessions.push_back(s);
            return true;
        });
        return sessions;
    }

    std::uint32_t now_ = 1'048'570;  // six seconds before the long stamp wraps
    TableV4 v4_{2};
    TableV6 v6_{2};
    SessionTable table_{memory_of(v4_, v6_), [this] { return now_; }};
    std::vector<IdleLimits> limits_ = {{}, {true, 60, 3600, 30}, {true, 5, 10, 3}};
    std::vector<Session> ended_;
    std::vector<Session> seen_;
};

INSTANTIATE_TEST_SUITE_P(Families, SessionTableTest, testing::Bool(),
                         [](const auto& of) { return of.param ? "v6" : "v4"; });

TEST_P(SessionTableTest, GivesBackWhatWasPut) {
    for (const bsc_state state : {BSC_EMBRYONIC, BSC_ADOPTED, BSC_CLOSING, BSC_ESTABLISHED}) {
        Session made = session(key(static_cast<std::uint16_t>(1000 + state)), state, 17);
        made.from_peer = state == BSC_CLOSING;
        ASSERT_TRUE(table_.put(made));
        EXPECT_EQ(table_.find(made.key), made);
    }
    EXPECT_EQ(table_.find(key(1)), std::nullopt);
    EXPECT_EQ(table_.find(key(1000 + BSC_CLOSING, 2)), std::nullopt) << "another service";
    EXPECT_EQ(all().size(), 4U);
}

TEST_P(SessionTableTest, PutOverwritesInPlace) {
    ASSERT_TRUE(table_.put(session(key(5), BSC_EMBRYONIC)));
    Session newer = session(key(5), BSC_ESTABLISHED, 100);
    newer.backend = 7;
    ASSERT_TRUE(table_.put(newer));
    EXPECT_EQ(all(), std::vector<Session>{newer});
}

TEST_P(SessionTableTest, EraseTakesOneAway) {
    ASSERT_TRUE(table_.put(session(key(5))));
    ASSERT_TRUE(table_.put(session(key(6))));
    EXPECT_TRUE(table_.erase(key(5)));
    EXPECT_FALSE(table_.erase(key(5)));
    EXPECT_EQ(table_.find(key(5)), std::nullopt);
    EXPECT_NE(table_.find(key(6)), std::nullopt);
}

TEST_P(SessionTableTest, WalkStopsWhenTold) {
    for (std::uint16_t port = 1; port <= 20; port++)
        ASSERT_TRUE(table_.put(session(key(port))));
    int visited = 0;
    table_.for_each([&](const Session&) { return ++visited < 5; });
    EXPECT_EQ(visited, 5);
}

TEST_P(SessionTableTest, AFullTableTakesTheOldestEstablishedAndSaysSo) {
    std::optional<Session> displaced;
    std::set<SessionKey> put;
    // More than there are ways: some newcomer must displace, and the displaced one is the oldest
    // of those it could have displaced, so never one of the youngest.
    for (std::uint16_t port = 1; port <= 1200 && !displaced; port++) {
        Session made = session(key(port), BSC_ESTABLISHED, 2000U - port);
        ASSERT_TRUE(table_.put(made, &displaced));
        put.insert(made.key);
    }
    ASSERT_TRUE(displaced.has_value());
    EXPECT_TRUE(put.contains(displaced->key));
    EXPECT_EQ(displaced->backend, 321);
    EXPECT_EQ(displaced->idle, 2000U - displaced->key.source_port);
    EXPECT_EQ(table_.find(displaced->key), std::nullopt);
}

TEST_P(SessionTableTest, UnprovenNeverDisplacesEstablished) {
    for (std::uint16_t port = 1; port <= 1000; port++)
        ASSERT_TRUE(table_.put(session(key(port))));
    const std::vector<Session> established = all();
    bool refused = false;
    for (std::uint16_t port = 2000; port < 22'000; port++)
        refused |= !table_.put(session(key(port), BSC_CLOSING, 0));
    EXPECT_TRUE(refused);
    for (const Session& one : established)
        EXPECT_EQ(table_.find(one.key), one);
}

TEST_P(SessionTableTest, ExpiredOnesMakeRoomFirstByTheServicesLimits) {
    std::vector<bsc_service> services(BSC_MAX_SERVICES);
    services[1] = {.flags = BSC_SERVICE_IN_USE,
                   .limit_embryonic = 60,
                   .limit_established = 3600,
                   .limit_closing = 30,
                   .be_address = {},
                   .be_port = 0,
                   .be_last_port = 0,
                   .mss_clamp = 0,
                   .reserved = {}};
    auto memory = memory_of(v4_, v6_);
    memory.services = services.data();
    SessionTable table(memory, [this] { return now_; });
    // Fill to the brim with expired established ones, then one young unproven newcomer each.
    for (std::uint16_t port = 1; port <= 3000; port++)
        ASSERT_TRUE(table.put(session(key(port), BSC_ESTABLISHED, 4000)));
    for (std::uint16_t port = 4000; port <= 4100; port++) {
        std::optional<Session> displaced;
        EXPECT_TRUE(table.put(session(key(port), BSC_EMBRYONIC), &displaced));
        EXPECT_FALSE(displaced) << "an expired one is no loss";
    }
}

TEST_P(SessionTableTest, SweepCounts) {
    ASSERT_TRUE(table_.put(session(key(1), BSC_EMBRYONIC)));
    ASSERT_TRUE(table_.put(session(key(2), BSC_ADOPTED)));
    ASSERT_TRUE(table_.put(session(key(3), BSC_CLOSING)));
    Session peer = session(key(4), BSC_ESTABLISHED);
    peer.from_peer = true;
    ASSERT_TRUE(table_.put(peer));
    const SweepReport report = sweep();
    EXPECT_EQ(report.by_state[BSC_EMBRYONIC], 1U);
    EXPECT_EQ(report.by_state[BSC_ADOPTED], 1U);
    EXPECT_EQ(report.by_state[BSC_CLOSING], 1U);
    EXPECT_EQ(report.by_state[BSC_ESTABLISHED], 1U);
    EXPECT_EQ(report.by_family[GetParam() ? 1 : 0], 4U);
    EXPECT_EQ(report.by_family[GetParam() ? 0 : 1], 0U);
    EXPECT_EQ(report.from_peer, 1U);
    EXPECT_EQ(report.by_backend.at(321), 2U);
    EXPECT_EQ(report.expired + report.ended + report.duplicates + report.abandoned, 0U);
}

TEST_P(SessionTableTest, EachStateHasItsLimitAcrossTheWrap) {
    struct Case {
        bsc_state state;
        std::uint32_t limit;
    };
    for (const Case& one : {Case{BSC_EMBRYONIC, 60}, Case{BSC_ADOPTED, 60}, Case{BSC_CLOSING, 30},
                            Case{BSC_ESTABLISHED, 3600}}) {
        ended_.clear();
        ASSERT_TRUE(table_.put(session(key(9), one.state)));
        now_ += one.limit;
        EXPECT_EQ(sweep().expired, 0U) << one.state;
        EXPECT_TRUE(table_.find(key(9)).has_value());
        now_ += 1;
        const SweepReport report = sweep();
        EXPECT_EQ(report.expired, 1U) << one.state;
        EXPECT_EQ(report.ended, one.state == BSC_ESTABLISHED ? 1U : 0U);
        EXPECT_EQ(ended_.size(), report.ended);
        EXPECT_FALSE(table_.find(key(9)).has_value());
        EXPECT_EQ(sweep().expired, 0U) << "ended once";
    }
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_EQ(ended_[0].key, key(9));
    EXPECT_EQ(ended_[0].idle, 3601U);
    EXPECT_EQ(ended_[0].backend, 321);
}

TEST_P(SessionTableTest, SessionsOfAServiceThatIsGoneEndAtOnce) {
    ASSERT_TRUE(table_.put(session(key(1, 7))));  // no such slot
    ASSERT_TRUE(table_.put(session(key(2, 0))));  // a slot not in use
    ASSERT_TRUE(table_.put(session(key(3, 1))));
    const SweepReport report = sweep();
    EXPECT_EQ(report.ended, 2U);
    EXPECT_EQ(ended_.size(), 2U);
    EXPECT_EQ(all().size(), 1U);
}

TEST_P(SessionTableTest, PartsMakeTheWhole) {
    for (std::uint16_t port = 1; port <= 100; port++)
        ASSERT_TRUE(table_.put(session(key(port))));
    std::uint64_t seen = 0;
    for (std::uint32_t part = 0; part < 7; part++)
        seen += sweep(part, 7).by_state[BSC_ESTABLISHED];
    EXPECT_EQ(seen, 100U);
}

TEST_P(SessionTableTest, PartsOfAWalkMakeTheWholeOfWhatIsProven) {
    for (std::uint16_t port = 1; port <= 40; port++) {
        ASSERT_TRUE(table_.put(session(key(port))));
        ASSERT_TRUE(table_.put(session(key(static_cast<std::uint16_t>(port + 200)), BSC_CLOSING)));
        ASSERT_TRUE(
            table_.put(session(key(static_cast<std::uint16_t>(port + 400)), BSC_EMBRYONIC)));
    }
    std::map<SessionKey, Session> seen;
    for (std::uint32_t part = 0; part < 7; part++)
        table_.walk(part, 7, [&](const Session& s) {
            EXPECT_TRUE(seen.emplace(s.key, s).second) << "seen twice";
        });
    EXPECT_EQ(seen.size(), 80U);
    for (const auto& [key, s] : seen) {
        EXPECT_EQ(table_.find(key), s);
        EXPECT_FALSE(bsc_is_unproven(s.state));
    }
}

TEST_P(SessionTableTest, TheSweepTellsOfWhatWasSeenHereAlone) {
    ASSERT_TRUE(table_.put(session(key(1), BSC_ESTABLISHED, 7)));
    ASSERT_TRUE(table_.put(session(key(2), BSC_CLOSING)));
    ASSERT_TRUE(table_.put(session(key(3), BSC_EMBRYONIC)));
    Session copy = session(key(4), BSC_ESTABLISHED, 3);
    copy.from_peer = true;
    ASSERT_TRUE(table_.put(copy));
    sweep();
    EXPECT_EQ(seen_, std::vector<Session>{session(key(1), BSC_ESTABLISHED, 7)});
}

// Its peer may have seen it a moment ago.
TEST_P(SessionTableTest, TheEndOfACopyIsNotAnnounced) {
    Session copy = session(key(1), BSC_ESTABLISHED, 3601);
    copy.from_peer = true;
    ASSERT_TRUE(table_.put(copy));
    ASSERT_TRUE(table_.put(session(key(2), BSC_ESTABLISHED, 3601)));
    const SweepReport report = sweep();
    EXPECT_EQ(report.expired, 2U);
    EXPECT_EQ(report.ended, 1U);
    ASSERT_EQ(ended_.size(), 1U);
    EXPECT_EQ(ended_[0].key, key(2));
    EXPECT_TRUE(all().empty());
}

// Writes one key into a way of each of its two sets, as two CPUs would that insert at once and
// both lose sight of each other.
template <typename Table>
void write_twice(const Table& table, const typename Table::Key& key, __u64 b_first,
                 __u64 b_second) {
    constexpr int words = std::is_same_v<Table, TableV4> ? 1 : 3;
    const bsc_place at = table.place(key);
    const std::pair<std::uint32_t, __u64> copies[] = {{at.first, b_first}, {at.second, b_second}};
    for (const auto& [set, b] : copies) {
        __u64* way = bsc_way(table.set(set), 2, words);
        for (int i = 0; i < words; i++)
            bsc_store(way + i, key.word[i]);
        bsc_store(way + words, b);
    }
}

__u64 raw(bsc_state state, std::uint16_t backend, std::uint32_t at) {
    return state | 1ULL << BSC_B_SERVICE_SHIFT | bsc_target(backend, 1) | bsc_stamp(state, at);
}

template <typename Table>
typename Table::Key raw_key(std::uint64_t n) {
    typename Table::Key key;
    key.word[0] = 0x0a00000aULL | n << 32;
    key.word[1] = std::is_same_v<Table, TableV4> ? 0 : 5;
    key.word[2] = std::is_same_v<Table, TableV4> ? 0 : 0x12345678;
    key.service = 1;
    return key;
}

TEST_P(SessionTableTest, OfTwoCopiesTheMoreAdvancedStays) {
    const auto write = [&](std::uint64_t n, __u64 first, __u64 second) {
        if (GetParam())
            write_twice(v6_, raw_key<TableV6>(n), first, second);
        else
            write_twice(v4_, raw_key<TableV4>(n), first, second);
    };
    for (const bool first_is_better : {true, false}) {
        const __u64 better = raw(BSC_ESTABLISHED, 11, now_);
        const __u64 worse = raw(BSC_EMBRYONIC, 22, now_);
        write(1, first_is_better ? better : worse, first_is_better ? worse : better);
        ASSERT_EQ(all().size(), 2U);
        const SweepReport report = sweep();
        EXPECT_EQ(report.duplicates, 1U);
        EXPECT_EQ(report.by_state[BSC_ESTABLISHED], 1U);
        EXPECT_EQ(report.by_state[BSC_EMBRYONIC], 0U);
        ASSERT_EQ(all().size(), 1U);
        EXPECT_EQ(all()[0].backend, 11);
        EXPECT_TRUE(table_.erase(all()[0].key));
    }
    write(2, raw(BSC_ESTABLISHED, 1, now_), raw(BSC_ESTABLISHED, 2, now_));
    EXPECT_EQ(sweep().duplicates, 1U);
    EXPECT_EQ(all().size(), 1U);
    EXPECT_TRUE(ended_.empty()) << "the flow lives on in the other copy";
}

TEST_P(SessionTableTest, AnAbandonedClaimIsFreedAfterTenSeconds) {
    __u64* way = GetParam() ? v6_.set(3) : v4_.set(3);
    const int words = GetParam() ? 3 : 1;
    const __u64 version = 5ULL << BSC_B_VERSION_SHIFT;
    bsc_store(way + words, BSC_BUSY | version | bsc_stamp(BSC_BUSY, now_));
    now_ += 9;
    EXPECT_EQ(sweep().abandoned, 0U);
    now_ += 1;
    EXPECT_EQ(sweep().abandoned, 1U);
    EXPECT_EQ(bsc_load(way + words), version) << "free, the version stays";
    EXPECT_EQ(sweep().abandoned, 0U);
}

TEST_P(SessionTableTest, CapacityIsHalfOfTheWays) {
    EXPECT_EQ(table_.capacity_v4(), 256U);
    EXPECT_EQ(table_.capacity_v6(), 128U);
}

}  // namespace
}  // namespace bascule::test
