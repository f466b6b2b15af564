// SPDX-License-Identifier: Apache-2.0
// Which backend a packet goes to, and what happens when there is none, or the wrong one: by what
// stands in the tables, brought there by the product's plan.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "model/plan.h"
#include "scene.h"
#include "world.h"

namespace bascule::test {

namespace {

constexpr std::uint16_t flows = 200;  // enough that each of three backends gets some

class Choice : public Scene, public ::testing::WithParamInterface<Family> {
protected:
    // The usual tables, with the family's web service as `change` leaves it.
    template <typename Change>
    model::Desired changed(Change change) {
        model::Desired desired = usual_tables();
        for (model::DesiredService& each : desired.services)
            if (each.key == web_key(GetParam())) change(each);
        return desired;
    }
    Bytes packet(std::uint8_t flags, std::uint16_t port = client_port,
                 std::uint32_t sequence = 1000) {
        return tcp_packet(GetParam(), flags, sequence, port);
    }
    // SYN and ACK of a flow; the backend that both went to.
    std::uint8_t establish(std::uint16_t port) {
        const std::uint8_t first = deliver(packet(syn, port));
        EXPECT_EQ(deliver(packet(ack, port, 1001)), first);
        return first;
    }
    // Establishes `flows` flows; the backend of each, by its place.
    std::vector<std::uint8_t> establish_many() {
        std::vector<std::uint8_t> backends;
        for (std::uint16_t i = 0; i < flows; i++)
            backends.push_back(establish(static_cast<std::uint16_t>(client_port + i)));
        EXPECT_EQ(std::set(backends.begin(), backends.end()).size(), 3U);
        return backends;
    }
    std::uint8_t follow(std::uint16_t i) {
        return deliver(packet(ack, static_cast<std::uint16_t>(client_port + i), 1001));
    }
};

INSTANTIATE_TEST_SUITE_P(Families, Choice, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Choice, ServiceWithoutBackendsDrops) {
    want(changed([](model::DesiredService& service) { service.backends.clear(); }));
    expect_untouched(packet(syn), Verdict::drop);
    expect_untouched(packet(ack), Verdict::drop);
    EXPECT_EQ(engine().counted(), (Counts{{"no_backend", 2}}));
    EXPECT_TRUE(engine().sessions().empty());
}

TEST_P(Choice, ServiceWhoseBackendsAreAllDownDrops) {
    want(changed([](model::DesiredService& service) {
        for (auto& each : service.backends)
            each.up = false;
    }));
    expect_untouched(packet(syn), Verdict::drop);
    EXPECT_EQ(engine().counted(), (Counts{{"no_backend", 1}}));
}

TEST_P(Choice, BackendWithoutMacGetsNoNewFlow) {
    want(changed([](model::DesiredService& service) {
        for (auto& each : service.backends)
            each.next_hop.reset();
    }));
    expect_untouched(packet(syn), Verdict::drop);
    EXPECT_EQ(engine().counted(), (Counts{{"no_backend", 1}}));
}

// Its sessions wait for the address: they are not given to another backend.
TEST_P(Choice, SessionOfBackendWithoutMacIsDroppedAndKept) {
    const std::uint8_t before = establish(client_port);
    engine().counted();
    want(changed([](model::DesiredService& service) {
        for (auto& each : service.backends)
            each.next_hop.reset();
    }));
    expect_untouched(packet(ack, client_port, 1001), Verdict::drop);
    EXPECT_EQ(engine().counted(), (Counts{{"no_neighbour", 1}}));
    want(usual_tables());
    EXPECT_EQ(deliver(packet(ack, client_port, 1001)), before);
}

TEST_P(Choice, BackendBehindAnotherInterfaceIsReachedByIt) {
    want(changed([](model::DesiredService& service) {
        for (auto& each : service.backends)
            each.next_hop->ifindex = interface_index(second_interface);
    }));
    const Outcome outcome = engine().run(packet(syn));
    EXPECT_EQ(outcome.verdict, Verdict::redirect);
    EXPECT_EQ(hex(outcome.frame), hex(sent_to(destination_of(outcome.frame), packet(syn))));
    EXPECT_EQ(engine().counted(), (Counts{{"session_inserted", 1}}));
}

TEST_P(Choice, BackendBehindAnInterfaceThatIsGoneIsDropped) {
    constexpr std::uint32_t no_interface = 4711;
    want(changed([](model::DesiredService& service) {
        for (auto& each : service.backends)
            each.next_hop->ifindex = no_interface;
    }));
    EXPECT_EQ(engine().run(packet(syn)).verdict, Verdict::drop);
    EXPECT_EQ(engine().counted(), (Counts{{"other_interface", 1}, {"session_inserted", 1}}));
}

TEST_P(Choice, NewMacOfBackendIsFollowedAtOnce) {
    const std::uint8_t before = establish(client_port);
    want(changed([&](model::DesiredService& service) {
        service.backends.at(before - 1U).next_hop->mac = backend_mac(77);
    }));
    EXPECT_EQ(deliver(packet(ack, client_port, 1001)), 77);
}

TEST_P(Choice, UnknownIsDroppedWhereTheServiceSaysSo) {
    want(changed(
        [](model::DesiredService& service) { service.options.unknown = model::Unknown::drop; }));
    expect_untouched(packet(ack), Verdict::drop);
    expect_untouched(packet(ack | psh), Verdict::drop);
    expect_untouched(packet(rst), Verdict::drop);
    expect_untouched(packet(fin | ack), Verdict::drop);
    EXPECT_EQ(engine().counted(), (Counts{{"unknown_session", 4}}));
    const std::uint8_t backend = establish(client_port);
    EXPECT_EQ(deliver(packet(ack, client_port, 2000)), backend);
    EXPECT_EQ(deliver(packet(fin | ack, client_port, 2000)), backend);
}

// unknown = "drop" asks for a session; one whose backend went away is still one.
TEST_P(Choice, UnknownDropStillMovesKnownSessions) {
    const std::uint8_t before = establish(client_port);
    want(changed([&](model::DesiredService& service) {
        service.options.unknown = model::Unknown::drop;
        service.backends.at(before - 1U).up = false;
    }));
    EXPECT_NE(deliver(packet(ack, client_port, 1001)), before);
}

TEST_P(Choice, UnknownGoesWhereTheRingSays) {
    for (std::uint16_t i = 0; i < flows; i++) {
        const auto port = static_cast<std::uint16_t>(client_port + i);
        const std::uint8_t by_syn = deliver(packet(syn, port));
        engine().dataplane().sessions().erase(key_of(GetParam(), web, port));
        EXPECT_EQ(deliver(packet(ack, port, 5000)), by_syn);
    }
}

TEST_P(Choice, DrainedBackendKeepsItsSessionsAndGetsNoOther) {
    const auto before = establish_many();
    want(changed([](model::DesiredService& service) { service.backends.at(1).weight = 0; }));
    for (std::uint16_t i = 0; i < flows; i++)
        EXPECT_EQ(follow(i), before.at(i));
    for (std::uint16_t i = 0; i < flows; i++)
        EXPECT_NE(deliver(packet(syn, static_cast<std::uint16_t>(50000 + i))), 2);
    EXPECT_EQ(engine().counted().count("session_moved"), 0U);
}

TEST_P(Choice, DownMovesItsSessionsAndNoOther) {
    const auto before = establish_many();
    const auto there = static_cast<std::uint64_t>(std::count(before.begin(), before.end(), 2));
    engine().counted();
    engine().deltas();
    want(changed([](model::DesiredService& service) { service.backends.at(1).up = false; }));
    std::vector<std::uint8_t> moved;
    for (std::uint16_t i = 0; i < flows; i++) {
        moved.push_back(follow(i));
        if (before.at(i) == 2)
            EXPECT_NE(moved.back(), 2);
        else
            EXPECT_EQ(moved.back(), before.at(i));
    }
    EXPECT_EQ(engine().counted(), (Counts{{"session_moved", there}}));
    const auto deltas = engine().deltas();
    EXPECT_EQ(deltas.size(), there);
    for (const bsc_delta& delta : deltas)
        EXPECT_EQ(delta.kind, BSC_DELTA_MOVED);

    // Moved means moved: the backend's return does not call them back.
    want(usual_tables());
    for (std::uint16_t i = 0; i < flows; i++)
        EXPECT_EQ(follow(i), moved.at(i));
}

TEST_P(Choice, RemovedBackendsSessionsMove) {
    const auto before = establish_many();
    want(changed([](model::DesiredService& service) {
        service.backends.erase(service.backends.begin() + 1);
    }));
    for (std::uint16_t i = 0; i < flows; i++) {
        const std::uint8_t now = follow(i);
        if (before.at(i) == 2)
            EXPECT_NE(now, 2);
        else
            EXPECT_EQ(now, before.at(i));
    }
}

// The slot has a new owner, with the next generation: not one session of the old one reaches it.
TEST_P(Choice, ReusedSlotGetsNoSessionOfItsFormerOwner) {
    const auto before = establish_many();
    const auto second = std::find(before.begin(), before.end(), 2) - before.begin();
    const std::uint16_t slot =
        engine()
            .session(key_of(GetParam(), web, static_cast<std::uint16_t>(client_port + second)))
            ->backend;
    want(changed([](model::DesiredService& service) {
        service.backends.erase(service.backends.begin() + 1);
    }));
    const model::Tables& tables = engine().dataplane().tables();
    const model::DesiredBackend stranger = backend(GetParam(), 99);
    model::TableBackend entry;
    entry.service = engine().service_slot(web_key(GetParam()));
    entry.key = stranger.key;
    entry.generation = static_cast<std::uint8_t>(tables.retired_generations.at(slot) + 1);
    entry.up = true;
    entry.next_hop = stranger.next_hop;
    model::Plan plan{{model::SetBackend{slot, entry, true}}, tables};
    model::record(plan.after, plan.writes.front());
    ASSERT_TRUE(engine().dataplane().apply(plan).has_value());
    engine().counted();

    const auto there = static_cast<std::uint64_t>(std::count(before.begin(), before.end(), 2));
    for (std::uint16_t i = 0; i < flows; i++)
        EXPECT_NE(follow(i), 99);
    EXPECT_EQ(engine().counted(), (Counts{{"session_moved", there}}));
}

TEST_P(Choice, AffinityByFlowSpreadsOneClient) {
    establish_many();
}

TEST_P(Choice, AffinityBySourceKeepsOneClientTogether) {
    want(changed([](model::DesiredService& service) {
        service.options.affinity = model::Affinity::source;
    }));
    std::set<std::uint8_t> of_client, of_all;
    for (std::uint16_t i = 0; i < flows; i++) {
        of_client.insert(establish(static_cast<std::uint16_t>(client_port + i)));
        Address::Bytes bytes = GetParam().client.bytes();
        bytes[15] = static_cast<std::uint8_t>(i);
        of_all.insert(deliver(Frame().ip(Address(bytes), GetParam().vip).tcp({.flags = syn})));
    }
    EXPECT_EQ(of_client.size(), 1U);
    EXPECT_EQ(of_all.size(), 3U);
}

TEST_P(Choice, TrafficIsCountedForServiceAndBackend) {
    const Bytes frame = packet(syn);
    const std::uint16_t service_slot = engine().service_slot(web_key(GetParam()));
    const dataplane::Traffic before = engine().dataplane().service_traffic(service_slot);
    const std::uint8_t to = establish(client_port);
    const dataplane::Traffic after = engine().dataplane().service_traffic(service_slot);
    EXPECT_EQ(after.packets - before.packets, 2U);
    EXPECT_EQ(after.bytes - before.bytes, 2 * frame.size());
    EXPECT_EQ(after.new_sessions - before.new_sessions, 1U);
    const std::uint16_t backend_slot = engine().session(key_of(GetParam()))->backend;
    EXPECT_EQ(engine().dataplane().tables().backends.at(backend_slot).next_hop->mac,
              backend_mac(to));
    EXPECT_GE(engine().dataplane().backend_traffic(backend_slot).packets, 2U);
}

// A flow's backend does not depend on when it is asked: removing one of three moves only its own.
TEST_P(Choice, RingWithoutOneBackendMovesFewOthers) {
    std::vector<std::uint8_t> before, after;
    const auto ask = [&](std::vector<std::uint8_t>& into) {
        for (std::uint16_t i = 0; i < flows * 5; i++)
            into.push_back(deliver(packet(rst, static_cast<std::uint16_t>(20000 + i))));
    };
    ask(before);
    want(changed([](model::DesiredService& service) { service.backends.at(1).weight = 0; }));
    ask(after);
    std::size_t moved = 0, others = 0;
    for (std::size_t i = 0; i < before.size(); i++) {
        if (before[i] == 2) continue;
        others++;
        moved += before[i] != after[i];
    }
    EXPECT_LE(moved, others / 20);
}

}  // namespace

}  // namespace bascule::test
