// SPDX-License-Identifier: Apache-2.0
// The session table as replication sees it: slots become names and names become slots, and what a
// plan takes away is nobody's at once.
#include "node/session_bridge.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <optional>
#include <thread>
#include <vector>

namespace bascule::node {
namespace {

using State = sync::StoredSession::State;
using Put = sync::SessionStore::Put;
using Kind = sync::SessionRecord::Kind;

// A page of each family.
struct alignas(64) Page {
    std::array<__u64, 512> words{};
};

const Address vip = Address::v4({10, 9, 0, 100});
const Address vip6 = *Address::parse("2001:db8::100");
const model::ServiceKey web{vip, {80, 80}, model::Protocol::tcp};
const model::ServiceKey range{vip, {8000, 8099}, model::Protocol::tcp};
const model::ServiceKey web6{vip6, {80, 80}, model::Protocol::tcp};

model::BackendKey backend(std::uint8_t last, std::uint16_t port = 80) {
    return {Address::v4({10, 9, 0, last}), port};
}

// Slots that are no one's guess: services 5, 6, 7; backends 11, 12 of `web`, 13 of `range`, 14.
model::Tables tables() {
    model::Tables made;
    model::TableService service;
    service.options.limits.established = model::Seconds(600);
    service.key = web;
    made.services[5] = service;
    service.key = range;
    made.services[6] = service;
    service.key = web6;
    made.services[7] = service;
    const auto add = [&](std::uint16_t slot, std::uint16_t of, model::BackendKey key,
                         std::uint8_t generation) {
        model::TableBackend entry;
        entry.service = of;
        entry.key = key;
        entry.generation = generation;
        made.backends[slot] = entry;
    };
    add(11, 5, backend(21), 3);
    add(12, 5, backend(22), 1);
    add(13, 6, backend(21), 9);
    add(14, 7, {*Address::parse("2001:db8::21"), 80}, 2);
    return made;
}

class SessionBridgeTest : public testing::Test {
protected:
    SessionBridgeTest() { bridge_.set_ids(SessionIds(tables())); }

    static dataplane::SessionTable::Memory memory_of(Page& four, Page& six) {
        dataplane::SessionTable::Memory memory;
        memory.sets4 = four.words.data();
        memory.pages4 = 1;
        memory.sets6 = six.words.data();
        memory.pages6 = 1;
        return memory;
    }
    static sync::Flow flow(std::uint16_t source_port, const model::ServiceKey& service = web,
                           std::uint16_t port = 80) {
        return {Address::v4({10, 1, 0, 7}), source_port, port, sync::service_id(service)};
    }
    sync::StoredSession stored(std::uint8_t last, State state = State::established,
                               std::uint32_t idle = 0) const {
        return {state, true, sync::target_id(web, backend(last)), now_ - idle};
    }
    std::map<sync::Flow, sync::StoredSession> all(std::uint32_t parts = 1) const {
        std::map<sync::Flow, sync::StoredSession> seen;
        for (std::uint32_t part = 0; part < parts; part++)
            bridge_.walk(part, parts, [&](const sync::Flow& one, const sync::StoredSession& s) {
                EXPECT_TRUE(seen.emplace(one, s).second);
            });
        return seen;
    }

    std::uint32_t now_ = 5000;
    Page four_, six_;
    dataplane::SessionTable table_{memory_of(four_, six_), [this] { return now_; }};
    SessionBridge bridge_{table_, [this] { return now_; }};
};

TEST_F(SessionBridgeTest, WhatIsPutStandsUnderItsSlots) {
    ASSERT_EQ(bridge_.put(flow(1000), stored(22, State::established, 40)), Put::stored);
    const auto session = table_.find({Address::v4({10, 1, 0, 7}), 1000, 80, 5});
    ASSERT_TRUE(session.has_value());
    EXPECT_EQ(session->backend, 12);
    EXPECT_EQ(session->generation, 1);
    EXPECT_EQ(session->state, BSC_ESTABLISHED);
    EXPECT_TRUE(session->from_peer);
    EXPECT_EQ(session->idle, 40U);
    EXPECT_EQ(bridge_.find(flow(1000)), stored(22, State::established, 40));
    EXPECT_EQ(bridge_.find(flow(1001)), std::nullopt);
    EXPECT_EQ(bridge_.find(flow(1000, range)), std::nullopt) << "another service";
}

// Whatever a peer brings, no established session gives way to it, neither one seen here nor a copy.
TEST_F(SessionBridgeTest, ACopyTakesNoEstablishedSessionsPlace) {
    std::vector<dataplane::SessionKey> ours;
    for (std::uint16_t port = 1; port <= 2000; port++) {
        dataplane::Session session;
        session.key = {Address::v4({10, 1, 0, 7}), port, 80, 5};
        session.state = BSC_ESTABLISHED;
        session.backend = 11;
        session.generation = 3;
        session.idle = 500;
        std::optional<dataplane::Session> displaced;
        ASSERT_TRUE(table_.put(session, &displaced));
        if (!displaced) {
            ours.push_back(session.key);
            continue;
        }
        ours.push_back(session.key);
        std::erase(ours, displaced->key);
    }
    std::size_t refused = 0;
    for (std::uint16_t port = 3001; port <= 4000; port++)
        refused += bridge_.put(flow(port), stored(22)) == Put::no_room ? 1 : 0;
    EXPECT_GT(refused, 0U);
    for (const auto& key : ours)
        EXPECT_TRUE(table_.find(key).has_value()) << key.source_port;
}

TEST_F(SessionBridgeTest, ClosingAndUnprovenOnesAreTold) {
    ASSERT_EQ(bridge_.put(flow(1), stored(21, State::closing)), Put::stored);
    EXPECT_EQ(bridge_.find(flow(1))->state, State::closing);
    dataplane::Session embryo;
    embryo.key = {Address::v4({10, 1, 0, 7}), 2, 80, 5};
    embryo.state = BSC_EMBRYONIC;
    embryo.backend = 11;
    embryo.generation = 3;
    ASSERT_TRUE(table_.put(embryo));
    EXPECT_EQ(bridge_.find(flow(2))->state, State::unproven);
    EXPECT_EQ(all().size(), 1U) << "a walk leaves out what is not proven";
    EXPECT_THROW(bridge_.put(flow(3), stored(21, State::unproven)), std::logic_error);
}

TEST_F(SessionBridgeTest, AStampAheadOfOurClockIsNow) {
    sync::StoredSession ahead = stored(21);
    ahead.seen = now_ + 3;
    ASSERT_EQ(bridge_.put(flow(1), ahead), Put::stored);
    EXPECT_EQ(bridge_.find(flow(1))->seen, now_);
}

TEST_F(SessionBridgeTest, WhatTheTablesDoNotHaveIsUnknown) {
    EXPECT_EQ(bridge_.put(flow(1), stored(23)), Put::unknown_target);
    sync::StoredSession others = stored(21);
    others.target = sync::target_id(range, backend(21));
    EXPECT_EQ(bridge_.put(flow(1), others), Put::unknown_target) << "of another service";
    EXPECT_FALSE(bridge_.knows(sync::service_id(web), others.target));
    EXPECT_TRUE(bridge_.knows(sync::service_id(range), others.target));
    EXPECT_EQ(bridge_.established_limit(sync::service_id(web)), 600U);
    EXPECT_EQ(bridge_.established_limit(1), 0U);
    EXPECT_TRUE(all().empty());
}

// No packet of the service could ever meet them.
TEST_F(SessionBridgeTest, FlowsThatTheServiceCannotHaveAreRefused) {
    EXPECT_EQ(bridge_.put(flow(1, web, 81), stored(21)), Put::unknown_target);
    sync::StoredSession of_range = stored(21);
    of_range.target = sync::target_id(range, backend(21));
    EXPECT_EQ(bridge_.put(flow(1, range, 7999), of_range), Put::unknown_target);
    EXPECT_EQ(bridge_.put(flow(1, range, 8099), of_range), Put::stored);
    sync::Flow six = flow(1);
    six.source = *Address::parse("2001:db8::7");
    EXPECT_EQ(bridge_.put(six, stored(21)), Put::unknown_target);
}

TEST_F(SessionBridgeTest, AWalkByPartsSeesBothFamilies) {
    for (std::uint16_t port = 1; port <= 60; port++)
        ASSERT_EQ(bridge_.put(flow(port), stored(21)), Put::stored);
    sync::Flow six{*Address::parse("2001:db8::7"), 9, 80, sync::service_id(web6)};
    sync::StoredSession to_six = stored(21);
    to_six.target = sync::target_id(web6, {*Address::parse("2001:db8::21"), 80});
    ASSERT_EQ(bridge_.put(six, to_six), Put::stored);
    EXPECT_EQ(all(7).size(), 61U);
    EXPECT_EQ(all(7), all(1));
    EXPECT_EQ(all().at(six), to_six);
}

class SessionBridgeDeltas : public SessionBridgeTest {
protected:
    SessionBridgeDeltas() {
        const Address source = Address::v4({10, 1, 0, 7});
        std::memcpy(delta_.be_source, source.bytes().data(), 16);
        delta_.be_source_port = htons(4711);
        delta_.be_destination_port = htons(80);
        delta_.service = 5;
        delta_.backend = 11;
        delta_.generation = 3;
        delta_.seconds = 77;
    }
    std::optional<sync::SessionRecord> record(bsc_delta_kind kind) {
        delta_.kind = static_cast<__u8>(kind);
        return bridge_.record_of(delta_);
    }
    void stands(bsc_state state, bool from_peer = false) {
        dataplane::Session session;
        session.key = {Address::v4({10, 1, 0, 7}), 4711, 80, 5};
        session.state = state;
        session.from_peer = from_peer;
        session.backend = 12;  // it has moved since
        session.generation = 1;
        session.idle = 2;
        ASSERT_TRUE(table_.put(session));
    }
    bsc_delta delta_{};
};

// Of one flow they come by several CPUs' logs, in any order.
TEST_F(SessionBridgeDeltas, TellWhatTheTableSaysNow) {
    const auto moved_to = sync::target_id(web, backend(22));
    for (const auto kind : {BSC_DELTA_ESTABLISHED, BSC_DELTA_MOVED, BSC_DELTA_CLOSED}) {
        stands(BSC_ESTABLISHED);
        EXPECT_EQ(record(kind),
                  (sync::SessionRecord{Kind::established, flow(4711), moved_to, now_ - 2}));
        stands(BSC_CLOSING);
        EXPECT_EQ(record(kind),
                  (sync::SessionRecord{Kind::closed, flow(4711), moved_to, now_ - 2}));
        stands(BSC_ESTABLISHED, true);
        EXPECT_EQ(record(kind), std::nullopt) << "a peer's word came later";
    }
}

TEST_F(SessionBridgeDeltas, OfWhatIsGoneTellTheEndAlone) {
    const sync::SessionRecord closed{Kind::closed, flow(4711), sync::target_id(web, backend(21)),
                                     77};
    EXPECT_EQ(record(BSC_DELTA_CLOSED), closed);
    EXPECT_EQ(record(BSC_DELTA_ESTABLISHED), std::nullopt);
    stands(BSC_EMBRYONIC);  // the port's next connection
    EXPECT_EQ(record(BSC_DELTA_CLOSED), closed);
    EXPECT_EQ(record(BSC_DELTA_ESTABLISHED), std::nullopt);
    delta_.generation = 4;
    EXPECT_EQ(record(BSC_DELTA_CLOSED), std::nullopt) << "the slot was another backend's then";
    delta_.service = 900;
    EXPECT_EQ(record(BSC_DELTA_CLOSED), std::nullopt);
}

// As a plan goes: taken back before it, given anew after it.
TEST_F(SessionBridgeTest, ASlotThatIsUsedAgainIsNeverMistaken) {
    ASSERT_EQ(bridge_.put(flow(1), stored(21)), Put::stored);
    model::Plan plan;
    plan.writes.push_back(model::ClearBackend{11, 3});
    ASSERT_TRUE(retires_ids(plan));
    bridge_.set_ids(SessionIds(tables()).without_retired(plan));
    EXPECT_EQ(bridge_.put(flow(2), stored(21)), Put::unknown_target);
    EXPECT_EQ(bridge_.put(flow(2), stored(22)), Put::stored);

    model::Tables after = tables();
    after.backends[11].key = backend(99);
    after.backends[11].generation = 4;
    bridge_.set_ids(SessionIds(after));
    EXPECT_EQ(bridge_.put(flow(3), stored(21)), Put::unknown_target);
    EXPECT_EQ(bridge_.put(flow(3), stored(99)), Put::stored);
    EXPECT_EQ(table_.find({Address::v4({10, 1, 0, 7}), 3, 80, 5})->generation, 4);
    EXPECT_EQ(bridge_.find(flow(1))->target, 0U) << "its backend is gone";
    EXPECT_EQ(all().size(), 2U) << "nor does a walk take it for the new one's";
}

TEST_F(SessionBridgeTest, ARetiredServiceTakesItsBackendsAlong) {
    model::Plan plan;
    plan.writes.push_back(model::ClearService{5});
    const SessionIds left = SessionIds(tables()).without_retired(plan);
    EXPECT_EQ(left.service_by_id(sync::service_id(web)), nullptr);
    EXPECT_EQ(left.targets().size(), 2U);
    bridge_.set_ids(left);
    EXPECT_EQ(bridge_.put(flow(1), stored(21)), Put::unknown_target);
    EXPECT_EQ(bridge_.find(flow(1)), std::nullopt);
}

TEST_F(SessionBridgeTest, PlansThatChangeNoNameAreNoChange) {
    model::Plan plan;
    plan.writes.push_back(model::SetRing{5, {11}});
    plan.writes.push_back(model::SetVip{1, {vip, true}});
    plan.writes.push_back(model::SetBackend{11, tables().backends.at(11), false});
    EXPECT_FALSE(changes_ids(plan));
    EXPECT_FALSE(retires_ids(plan));
    plan.writes.push_back(model::SetBackend{15, tables().backends.at(11), true});
    EXPECT_TRUE(changes_ids(plan));
    EXPECT_FALSE(retires_ids(plan));
}

// One thread puts, the other retires: once set_ids() is back, nothing is written there any more.
TEST_F(SessionBridgeTest, NothingIsPutAfterASlotWasTakenBack) {
    model::Plan plan;
    plan.writes.push_back(model::ClearBackend{11, 3});
    const SessionIds whole(tables());
    const SessionIds left = whole.without_retired(plan);
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> puts{0};
    std::thread putter([&] {
        while (!stop)
            for (std::uint16_t port = 1; port <= 16; port++) {
                bridge_.put(flow(port), stored(21));
                puts++;
            }
    });
    for (int round = 0; round < 100; round++) {
        bridge_.set_ids(left);
        for (std::uint16_t port = 1; port <= 16; port++)
            table_.erase({Address::v4({10, 1, 0, 7}), port, 80, 5});
        const std::uint64_t before = puts;
        while (puts < before + 20)
            std::this_thread::yield();
        int found = 0;
        table_.for_each([&](const dataplane::Session&) { return ++found; });
        EXPECT_EQ(found, 0);
        bridge_.set_ids(whole);
        while (puts < before + 40)
            std::this_thread::yield();
    }
    stop = true;
    putter.join();
    EXPECT_GT(all().size(), 0U);
}

}  // namespace
}  // namespace bascule::node
